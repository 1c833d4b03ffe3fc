using Litestream.Replicas;
using Litestream.S3;
using Xunit;

namespace Litestream.Tests.S3;

public sealed class S3OptionsTests
{
    [Theory]
    // URL, endpoint, bucket, region, path style (config-cli B1, B3)
    [InlineData("s3://bucket/p", null, "bucket", null, false)]
    [InlineData("s3://bucket.s3.amazonaws.com/p", null, "bucket", null, false)]
    [InlineData("s3://my.dotted.bucket.s3.eu-west-1.amazonaws.com/p", null, "my.dotted.bucket", "eu-west-1", false)]
    [InlineData("s3://bucket.s3-us-west-2.amazonaws.com/p", null, "bucket", "us-west-2", false)]
    [InlineData("s3://bucket.nyc3.digitaloceanspaces.com/p", "https://nyc3.digitaloceanspaces.com/", "bucket", "nyc3", false)]
    [InlineData("s3://bucket.s3.us-west-002.backblazeb2.com/p", "https://s3.us-west-002.backblazeb2.com/", "bucket", "us-west-002", true)]
    [InlineData("s3://bucket.s3.filebase.com/p", "https://s3.filebase.com/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket.s3.fr-par.scw.cloud/p", "https://s3.fr-par.scw.cloud/", "bucket", "fr-par", false)]
    [InlineData("s3://bucket.us-east-1.linodeobjects.com/p", "https://us-east-1.linodeobjects.com/", "bucket", "us-east-1", false)]
    [InlineData("s3://bucket.localhost:9000/p", "http://localhost:9000/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket.minio.local:9000/p", "http://minio.local:9000/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket.localhost/p", "http://localhost/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket.example.com:9000/p", null, "bucket.example.com:9000", null, false)]
    [InlineData("s3://bucket/p?endpoint=localhost:9000", "http://localhost:9000/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket/p?endpoint=10.1.2.3:9000", "http://10.1.2.3:9000/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket/p?endpoint=172.31.0.1", "http://172.31.0.1/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket/p?endpoint=172.32.0.1", "https://172.32.0.1/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket/p?endpoint=nas.local", "http://nas.local/", "bucket", "us-east-1", true)]
    [InlineData("s3://bucket/p?endpoint=s3.example.com", "https://s3.example.com/", "bucket", "us-east-1", true)]
    [InlineData(
        "s3://bucket/p?endpoint=http://s3.example.com&region=eu-1&force-path-style=false",
        "http://s3.example.com/",
        "bucket",
        "eu-1",
        false
    )]
    [InlineData("s3://bucket/p?region=eu-central-1&forcePathStyle=1", null, "bucket", "eu-central-1", true)]
    public void Create_Url_DecidesEndpointBucketRegionAndStyle(string url, string? endpoint, string bucket, string? region, bool pathStyle)
    {
        var options = Create(url);
        Assert.Equal(endpoint, options.Endpoint?.AbsoluteUri);
        Assert.Equal(bucket, options.Bucket);
        Assert.Equal(region, options.Region);
        Assert.Equal(pathStyle, options.ForcePathStyle);
        Assert.Equal("p/", options.KeyRoot);
    }

    [Theory]
    [InlineData("fly.storage.tigris.dev", "Tigris", true, 5, false, true)]
    [InlineData("t3.storage.dev", "Tigris", true, 5, false, true)]
    [InlineData("abc123.r2.cloudflarestorage.com", "Cloudflare R2", true, 2, true, false)]
    [InlineData("s3.us-west-002.backblazeb2.com", "Backblaze B2", true, 5, true, false)]
    [InlineData("s3.filebase.com", "Filebase", true, 5, true, false)]
    [InlineData("x.supabase.co", "Supabase", true, 5, true, false)]
    [InlineData("nyc3.digitaloceanspaces.com", "DigitalOcean Spaces", true, 5, true, false)]
    [InlineData("s3.fr-par.scw.cloud", "Scaleway", true, 5, true, false)]
    [InlineData("fsn1.your-objectstorage.com", "Hetzner", true, 5, true, false)]
    [InlineData("storage.googleapis.com", "Google Cloud Storage", true, 5, true, false)]
    [InlineData("europe-west1-storage.googleapis.com", "Google Cloud Storage", true, 5, true, false)]
    [InlineData("http://minio:9000", "MinIO or similar", true, 5, true, false)]
    [InlineData("s3.wasabisys.com", "custom", true, 5, true, false)]
    public void Create_Endpoint_RecognisesTheProvider(string endpoint, string name, bool pathStyle, int concurrency, bool md5, bool tigris)
    {
        var options = Create("s3://bucket/p", new() { ["endpoint"] = endpoint });
        Assert.Equal(name, options.Provider.Name);
        Assert.Equal(pathStyle, options.ForcePathStyle);
        Assert.Equal(concurrency, options.Concurrency);
        Assert.Equal(md5, options.RequireContentMd5);
        Assert.Equal(tigris, options.Provider.TigrisConsistency);
        Assert.True(options.SignPayload);
    }

    [Fact]
    public void Create_EndpointInConfigurationWithoutScheme_IsAlwaysHttps() =>
        Assert.Equal("https://localhost:9000/", Create("s3://b", new() { ["endpoint"] = "localhost:9000" }).Endpoint!.AbsoluteUri);

    [Fact]
    public void Create_AccessPoint_IsTheBucketWithItsRegion()
    {
        var options = Create("s3://arn:aws:s3:us-east-2:123456789012:accessPoint/name/deep/path");
        Assert.Equal("arn:aws:s3:us-east-2:123456789012:accessPoint/name", options.Bucket);
        Assert.Equal("us-east-2", options.Region);
        Assert.Equal("deep/path/", options.KeyRoot);
        Assert.Throws<LitestreamException>(() => Create("s3://arn:aws:s3:us-east-2:123456789012:accesspoint"));
    }

    [Fact]
    public void Create_Order_ConfigurationThenUrlThenEnvironment()
    {
        Dictionary<string, string> environment = new()
        {
            ["AWS_REGION"] = "from-env",
            ["AWS_DEFAULT_REGION"] = "from-default",
            ["LITESTREAM_S3_ENDPOINT"] = "",
        };
        Assert.Equal("from-config", Create("s3://b?region=from-url", new() { ["region"] = "from-config" }, environment).Region);
        Assert.Equal("from-url", Create("s3://b?region=from-url", null, environment).Region);
        Assert.Equal("from-env", Create("s3://b", null, environment).Region);
        environment.Remove("AWS_REGION");
        Assert.Equal("from-default", Create("s3://b", null, environment).Region);
        environment["LITESTREAM_S3_ENDPOINT"] = "localhost:9000";
        Assert.Equal("http://localhost:9000/", Create("s3://b", null, environment).Endpoint!.AbsoluteUri);
        Assert.Equal("us-east-1", Create("s3://b", null, environment).Region);
        Assert.Equal("http://other/", Create("s3://b?endpoint=http://other", null, environment).Endpoint!.AbsoluteUri);
        Assert.Null(Create("s3://b.s3.eu-west-1.amazonaws.com", null, environment).Endpoint);
    }

    [Fact]
    [Trait("Rule", "C111")]
    [Trait("Rule", "P086")]
    public void Credentials_Order_ConfigurationThenAwsThenLitestreamThenChain()
    {
        Dictionary<string, string> environment = new()
        {
            ["AWS_ACCESS_KEY_ID"] = "aws",
            ["AWS_SECRET_ACCESS_KEY"] = "aws-secret",
            ["AWS_SESSION_TOKEN"] = "aws-token",
            ["LITESTREAM_ACCESS_KEY_ID"] = "ls",
            ["LITESTREAM_SECRET_ACCESS_KEY"] = "ls-secret",
        };
        Dictionary<string, string> settings = new() { ["access-key-id"] = "cfg", ["secret-access-key"] = "cfg-secret" };
        AssertCredentials(Create("s3://b", settings, environment), "cfg", "cfg-secret", null);
        settings["session-token"] = "cfg-token";
        AssertCredentials(Create("s3://b", settings, environment), "cfg", "cfg-secret", "cfg-token");
        AssertCredentials(Create("s3://b", null, environment), "aws", "aws-secret", "aws-token");
        AssertCredentials(Create("s3://b?accessKeyId=url&secret-access-key=url-secret", null, environment), "url", "url-secret", null);
        environment.Remove("AWS_ACCESS_KEY_ID");
        environment.Remove("AWS_SECRET_ACCESS_KEY");
        environment.Remove("AWS_SESSION_TOKEN");
        AssertCredentials(Create("s3://b", null, environment), "ls", "ls-secret", null);
        AssertCredentials(Create("s3://b"), null, null, null);
    }

    [Theory]
    [InlineData("access-key-id")]
    [InlineData("secret-access-key")]
    public void Credentials_HalfOfAPair_IsAConfigurationError(string name) => AssertInvalid("s3://b", new() { [name] = "x" });

    [Theory]
    [InlineData("5242880", 5242880)]
    [InlineData("6MB", 6_000_000)]
    [InlineData("6 mb", 6_000_000)]
    [InlineData("8MiB", 8 << 20)]
    [InlineData("8M", 8_000_000)]
    [InlineData("0.5GiB", 512 << 20)]
    public void PartSize_UnitsAsInLitestream(string text, long expected)
    {
        Assert.Equal(expected, Create("s3://b", new() { ["part-size"] = text }).PartSizeBytes);
        Assert.Equal(expected, Create($"s3://b?partSize={Uri.EscapeDataString(text)}").PartSizeBytes);
    }

    [Theory]
    [InlineData("part-size", "5242879")]
    [InlineData("part-size", "5")]
    [InlineData("part-size", "2GiB")]
    [InlineData("part-size", "6XB")]
    [InlineData("part-size", "-1")]
    [InlineData("part-size", "99999999999999999999999999999999GiB")]
    [InlineData("concurrency", "0")]
    [InlineData("concurrency", "many")]
    [InlineData("sign-payload", "maybe")]
    [InlineData("endpoint", "ftp://host")]
    [InlineData("endpoint", "http://")]
    [InlineData("endpoint", "http://user:secret@host")]
    [InlineData("sse-customer-key", "short")]
    [InlineData("sse-customer-key", "AAAA")]
    [InlineData("sse-customer-key-path", "/no/such/file")]
    public void Settings_WrongValues_AreConfigurationErrors(string name, string value)
    {
        var e = AssertInvalid("s3://b", new() { [name] = value });
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("acces-key-id", "access-key-id")]
    [InlineData("forcepath", "force-path-style")]
    [InlineData("part-sise", "part-size")]
    [InlineData("endpont", "endpoint")]
    public void Settings_UnknownName_NamesTheNearest(string name, string nearest)
    {
        Assert.Contains($"'{nearest}'", AssertInvalid("s3://b", new() { [name] = "x" }).Hint, StringComparison.Ordinal);
        Assert.Contains($"'{nearest}'", AssertInvalid($"s3://b?{name}=x").Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_BothSpellings_AreUnderstoodEverywhere()
    {
        var hyphens = Create(
            "s3://b?force-path-style=true&skip-verify=yes&sign-payload=f&require-content-md5=0&storage-class=IA&part-size=6000000&sse-kms-key-id=k"
        );
        var camels = Create(
            "s3://b?forcePathStyle=t&skipVerify=1&signPayload=no&requireContentMD5=false&storageClass=IA&partSize=6000000&sseKmsKeyId=k"
        );
        foreach (var options in (S3Options[])[hyphens, camels])
        {
            Assert.True(options.ForcePathStyle);
            Assert.True(options.SkipVerify);
            Assert.False(options.SignPayload);
            Assert.False(options.RequireContentMd5);
            Assert.Equal("IA", options.StorageClass);
            Assert.Equal(6_000_000, options.PartSizeBytes);
            Assert.Equal("k", options.SseKmsKeyId);
        }
    }

    [Theory]
    [InlineData("s3://bucket.localhost:90000/path")]
    [InlineData("s3://bucket.lo*st:9000/path")]
    public void Url_HostOrPortThatCannotBe_IsInvalid(string url)
    {
        var e = AssertInvalid(url);
        Assert.Contains(url[12..^5], e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Hint);
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://")]
    public void Endpoint_HostThatNoNameServerCanBeAskedFor_IsInvalid(string scheme)
    {
        // A label may not mix letters of both directions of writing.
        var endpoint = $"{scheme}a\u07df.example.com:9000";
        Assert.StartsWith("endpoint:", AssertInvalid("s3://b", new() { ["endpoint"] = endpoint }).Message, StringComparison.Ordinal);
        Assert.StartsWith("endpoint:", AssertInvalid($"s3://b?endpoint={endpoint}").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CustomerKey_NeedsTlsOutsideOfPrivateNetworks_AndExcludesKms()
    {
        var key = Convert.ToBase64String(new byte[32]);
        Assert.Equal("cLyPS3KoaSFGi/joRB3OUQ==", Create("s3://b", new() { ["sse-customer-key"] = key }).CustomerKey!.KeyMd5);
        Assert.NotNull(Create("s3://b", new() { ["sse-customer-key"] = key, ["endpoint"] = "http://192.168.1.5:9000" }).CustomerKey);
        AssertInvalid("s3://b", new() { ["sse-customer-key"] = key, ["endpoint"] = "http://s3.example.com" });
        AssertInvalid("s3://b", new() { ["sse-customer-key"] = key, ["sse-kms-key-id"] = "k" });
        AssertInvalid("s3://b", new() { ["sse-customer-key"] = key, ["sse-customer-key-md5"] = "wrong" });
    }

    [Fact]
    public void Location_AndText_HoldNoSecrets()
    {
        var key = Convert.ToBase64String(new byte[32]);
        var options = Create(
            "s3://bucket/app",
            new()
            {
                ["endpoint"] = "https://s3.example.com",
                ["access-key-id"] = "AKIDSECRET",
                ["secret-access-key"] = "hunter2",
                ["session-token"] = "hunter3",
                ["sse-customer-key"] = key,
            }
        );
        Assert.Equal("s3://bucket/app (https://s3.example.com)", options.Location);
        Assert.Equal(options.Location, options.ToString());
        Assert.Equal("s3://bucket", Create("s3://bucket").Location);
    }

    [Fact]
    public void Backend_KnowsItsNames()
    {
        Assert.Equal(["s3"], S3ObjectStore.Backend.Schemes);
        Assert.Same(ReplicaLayout.Buckets, S3ObjectStore.Backend.Layout);
        Assert.Contains("force-path-style", S3ObjectStore.Backend.Settings);
    }

    private static S3Options Create(
        string url,
        Dictionary<string, string>? settings = null,
        Dictionary<string, string>? environment = null
    ) =>
        S3Options.Create(
            new ReplicaOptions { Url = ReplicaUrl.Parse(url), Settings = settings ?? [] },
            name => environment?.GetValueOrDefault(name)
        );

    private static LitestreamException AssertInvalid(string url, Dictionary<string, string>? settings = null)
    {
        var e = Assert.Throws<LitestreamException>(() => Create(url, settings));
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        Assert.False(e.IsTransient);
        return e;
    }

    private static void AssertCredentials(S3Options options, string? id, string? secret, string? token)
    {
        Assert.Equal(id, options.AccessKeyId);
        Assert.Equal(secret, options.SecretAccessKey);
        Assert.Equal(token, options.SessionToken);
    }
}
