using Litestream.Replicas;
using Xunit;

namespace Litestream.Tests.Replicas;

public sealed class ReplicaUrlTests
{
    [Theory]
    [InlineData("s3://bucket/prefix", "s3", "bucket", null, "prefix")]
    [InlineData("s3://bucket", "s3", "bucket", null, "")]
    [InlineData("s3://bucket/", "s3", "bucket", null, "")]
    [InlineData("S3://bucket/a/../b//c/./d/", "s3", "bucket", null, "b/c/d")]
    [InlineData("s3://bucket/../../a", "s3", "bucket", null, "a")]
    [InlineData("s3://bucket/a%20b/%C3%A4", "s3", "bucket", null, "a b/ä")]
    [InlineData("s3://bucket.s3.eu-west-1.amazonaws.com/p", "s3", "bucket.s3.eu-west-1.amazonaws.com", null, "p")]
    [InlineData(
        "s3://arn:aws:s3:us-east-2:123456789012:accesspoint/name/p/q",
        "s3",
        "arn:aws:s3:us-east-2:123456789012:accesspoint",
        null,
        "name/p/q"
    )]
    [InlineData("s3://bucket.localhost:9000/p", "s3", "bucket.localhost:9000", null, "p")]
    [InlineData("gs://bucket/p", "gs", "bucket", null, "p")]
    [InlineData("oss://bucket.oss-cn-hangzhou.aliyuncs.com/p", "oss", "bucket.oss-cn-hangzhou.aliyuncs.com", null, "p")]
    [InlineData("webdav://host/dir", "webdav", null, "host", "dir")]
    [InlineData("webdavs://host:8443/dir/", "webdavs", null, "host:8443", "dir")]
    [InlineData("nats://host:4222/bucket", "nats", "bucket", "host:4222", "")]
    [InlineData("unknown://host/x", "unknown", null, "host", "x")]
    public void Parse_Url_GivesItsParts(string text, string scheme, string? bucket, string? host, string path)
    {
        var url = ReplicaUrl.Parse(text);
        Assert.Equal(scheme, url.Scheme);
        Assert.Equal(bucket, url.Bucket);
        Assert.Equal(host, url.Host);
        Assert.Equal(path, url.Path);
        Assert.Equal(text, url.Original);
        Assert.False(url.IsPlainPath);
    }

    [Fact]
    public void Parse_Login_IsDecodedAndHidden()
    {
        var url = ReplicaUrl.Parse("sftp://us%40er:p%3Ass@host:2222/dir/sub");
        Assert.Equal("us@er", url.User);
        Assert.Equal("p:ss", url.Password);
        Assert.Equal("host:2222", url.Host);
        Assert.Equal("dir/sub", url.Path);
        Assert.Equal("sftp://us@er:***@host:2222/dir/sub", url.ToString());
        var azure = ReplicaUrl.Parse("abs://account@container/p");
        Assert.Equal("account", azure.User);
        Assert.Equal("container", azure.Bucket);
    }

    [Fact]
    public void Parse_Query_IsDecoded_FirstOfARepeatedNameWins()
    {
        var url = ReplicaUrl.Parse("s3://b/p?endpoint=http%3A%2F%2Fhost%3A9000&forcePathStyle=true&x=1&x=2&flag&sseCustomerKey=a%2Bb");
        Assert.Equal("http://host:9000", url.Query["endpoint"]);
        Assert.Equal("true", url.Query["forcePathStyle"]);
        Assert.Equal("1", url.Query["x"]);
        Assert.Equal("", url.Query["flag"]);
        Assert.Equal("a+b", url.Query["sseCustomerKey"]);
    }

    [Theory]
    [InlineData("s3://b/p?secret-access-key=hunter2")]
    [InlineData("s3://b/p?secretAccessKey=hunter2")]
    [InlineData("s3://b/p?sseCustomerKey=hunter2")]
    [InlineData("s3://b/p?session-token=hunter2")]
    [InlineData("abs://a@c/p?sasToken=hunter2")]
    [InlineData("webdav://user:hunter2@host/p")]
    [InlineData("nats://user:hunter2@host/bucket")]
    public void ToString_Secrets_AreHidden(string text)
    {
        var url = ReplicaUrl.Parse(text);
        Assert.DoesNotContain("hunter2", url.ToString(), StringComparison.Ordinal);
        Assert.Contains("***", url.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/backups/app", "/backups/app")]
    [InlineData("/backups//app/../app/", "/backups/app")]
    [InlineData("backups", "/base/backups")]
    [InlineData("./backups", "/base/backups")]
    [InlineData("../backups", "/backups")]
    [InlineData("/with space/100%/a?b#c", "/with space/100%/a?b#c")]
    [InlineData("c3:/not/a/url", "/base/c3:/not/a/url")]
    public void Parse_PlainPath_IsMadeAbsolute_AndTakenLiterally(string text, string expected)
    {
        var url = ReplicaUrl.Parse(text, "/base");
        Assert.Equal("file", url.Scheme);
        Assert.Equal(expected, url.Path);
        Assert.Equal(expected, url.ToString());
        Assert.True(url.IsPlainPath);
    }

    [Theory]
    [InlineData("file:///backups/app", "/backups/app")]
    [InlineData("FILE:///backups/app/", "/backups/app")]
    [InlineData("file://localhost/backups/app", "/backups/app")]
    [InlineData("file:///backups/other%20db", "/backups/other db")]
    [InlineData("file:///backups/other db", "/backups/other db")]
    [InlineData("file:///backups/a#b", "/backups/a#b")]
    [InlineData("file:///backups/app?retention=1h", "/backups/app")]
    public void Parse_FileUrl_IsAFolder(string text, string expected)
    {
        var url = ReplicaUrl.Parse(text);
        Assert.Equal("file", url.Scheme);
        Assert.Equal(expected, url.Path);
        Assert.False(url.IsPlainPath);
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("a\0b")]
    [InlineData("s3://")]
    [InlineData("s3:///path")]
    [InlineData("gs:///path")]
    [InlineData("abs://account@/path")]
    [InlineData("sftp:///path")]
    [InlineData("sftp://host/path")]
    [InlineData("webdav:///path")]
    [InlineData("nats://host")]
    [InlineData("nats:///bucket")]
    [InlineData("file://")]
    [InlineData("file:///")]
    [InlineData("file://relative/path")]
    [InlineData("s3://bucket/a%2")]
    [InlineData("s3://bucket/a%zz")]
    [InlineData("s3://bucket/a?x=%")]
    public void Parse_NeitherUrlNorPath_IsAConfigurationError(string text)
    {
        var e = Assert.Throws<LitestreamException>(() => ReplicaUrl.Parse(text));
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        Assert.False(e.IsTransient);
    }

    [Fact]
    public void ForBucket_IsTheUrlThatTheSettingsMean()
    {
        var url = ReplicaUrl.ForBucket("s3", "bucket", "/a b//c/");
        Assert.Equal("bucket", url.Bucket);
        Assert.Equal("a b/c", url.Path);
        Assert.Equal(url.Path, ReplicaUrl.Parse(url.Original).Path);
        Assert.Equal("", ReplicaUrl.ForBucket("s3", "bucket", null).Path);
        Assert.Throws<LitestreamException>(() => ReplicaUrl.ForBucket("s3", "", "p"));
    }

    [Fact]
    public void Equals_SamePlace_IsEqual()
    {
        Assert.Equal(ReplicaUrl.Parse("/a/b/"), ReplicaUrl.Parse("b", "/a"));
        Assert.Equal(ReplicaUrl.Parse("s3://b/p"), ReplicaUrl.Parse("s3://b/p"));
        Assert.NotEqual(ReplicaUrl.Parse("s3://b/p"), ReplicaUrl.Parse("s3://b/q"));
    }
}
