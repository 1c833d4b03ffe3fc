using System.Security.Cryptography;
using Litestream.Replicas;

namespace Litestream.S3;

/// <summary>A key for encryption on the server that the client sends along each time (SSE-C).</summary>
internal sealed class S3CustomerKey(string algorithm, string key, string keyMd5)
{
    /// <summary><c>AES256</c>.</summary>
    public string Algorithm { get; } = algorithm;

    /// <summary>Base64 of 32 bytes.</summary>
    public string Key { get; } = key;

    /// <summary>Base64 of the key's MD5.</summary>
    public string KeyMd5 { get; } = keyMd5;
}

/// <summary>Everything that one S3 replica needs to know, decided. Immutable; never printed whole, since it holds secrets.</summary>
internal sealed class S3Options
{
    /// <summary>Smallest part that S3 accepts, and the default.</summary>
    public const long MinPartSizeBytes = 5L << 20;

    /// <summary>A part has to fit into one array.</summary>
    public const long MaxPartSizeBytes = 1L << 30;

    /// <summary>Bucket name, or ARN of an access point.</summary>
    public required string Bucket { get; init; }

    /// <summary>Start of all keys: empty, or ending with a slash.</summary>
    public required string KeyRoot { get; init; }

    /// <summary>Null for Amazon itself.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>What the endpoint's name tells.</summary>
    public required S3Provider Provider { get; init; }

    /// <summary>Null: to be looked up by asking for the bucket's location.</summary>
    public string? Region { get; init; }

    /// <summary>The bucket stands in the path of URLs, not in the host's name.</summary>
    public bool ForcePathStyle { get; init; }

    /// <summary>TLS certificates are not verified.</summary>
    public bool SkipVerify { get; init; }

    /// <summary>The hash of the content is part of the signature. Without TLS it always is.</summary>
    public bool SignPayload { get; init; } = true;

    /// <summary>Batch deletes carry Content-MD5.</summary>
    public bool RequireContentMd5 { get; init; } = true;

    /// <summary>Null for the bucket's default.</summary>
    public string? StorageClass { get; init; }

    /// <summary>Objects of this size or more are uploaded in parts of it.</summary>
    public long PartSizeBytes { get; init; } = MinPartSizeBytes;

    /// <summary>Parts of one object sent at once.</summary>
    public int Concurrency { get; init; } = 5;

    /// <summary>Key that encrypts every object on the server and is not kept there; null for none.</summary>
    public S3CustomerKey? CustomerKey { get; init; }

    /// <summary>Key of the provider's key management; null for none.</summary>
    public string? SseKmsKeyId { get; init; }

    /// <summary>Null: the default chain of AWS (environment, profile, SSO, web identity, container, machine).</summary>
    public string? AccessKeyId { get; init; }

    /// <summary>Belongs to <see cref="AccessKeyId"/>.</summary>
    public string? SecretAccessKey { get; init; }

    /// <summary>For temporary credentials.</summary>
    public string? SessionToken { get; init; }

    /// <summary>Credentials that change; null: the ones above, or the default chain.</summary>
    public StoreCredentialSource? Credentials { get; init; }

    /// <summary>PEM file with further root certificates; null for the system's alone.</summary>
    public string? CaBundlePath { get; init; }

    /// <summary>The replica for people.</summary>
    public string Location =>
        $"s3://{Bucket}/{KeyRoot}".TrimEnd('/') + (Endpoint is null ? "" : $" ({Endpoint.GetLeftPart(UriPartial.Authority)})");

    /// <summary>Decides every setting: configuration before URL before environment before what the host's name tells.</summary>
    /// <param name="options">The replica.</param>
    /// <param name="environment">A variable by name; null when unset.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/></exception>
    public static S3Options Create(ReplicaOptions options, Func<string, string?> environment)
    {
        var settings = new S3Settings(options);
        var authority = S3Endpoint.Parse(
            options.Url.Bucket ?? throw S3Settings.Invalid("bucket", $"no bucket in {options.Url}"),
            options.Url.Path
        );
        var endpoint = ReadEndpoint(settings, authority, environment);
        var provider = endpoint is null ? new S3Provider("Amazon S3") : S3Endpoint.Detect(endpoint);
        var (accessKeyId, secret, sessionToken) = options.Credentials is null ? ReadCredentials(settings, environment) : default;
        var region =
            settings.Text("region")
            ?? authority.Region
            ?? (
                endpoint is null
                    ? NullIfEmpty(environment("AWS_REGION")) ?? NullIfEmpty(environment("AWS_DEFAULT_REGION"))
                    : provider.Region ?? "us-east-1"
            );
        return new S3Options
        {
            Bucket = authority.Bucket,
            KeyRoot = authority.Path.Length == 0 ? "" : authority.Path + "/",
            Endpoint = endpoint,
            Provider = provider,
            Region = region,
            ForcePathStyle = settings.Switch("force-path-style") ?? authority.PathStyle ?? provider.PathStyle ?? endpoint is not null,
            SkipVerify = settings.Switch("skip-verify") ?? false,
            SignPayload = settings.Switch("sign-payload") ?? true,
            RequireContentMd5 = settings.Switch("require-content-md5") ?? provider.RequireContentMd5,
            StorageClass = settings.Text("storage-class"),
            PartSizeBytes = settings.Size("part-size", MinPartSizeBytes, MaxPartSizeBytes) ?? MinPartSizeBytes,
            Concurrency = settings.Number("concurrency", 1) ?? provider.Concurrency,
            CustomerKey = ReadCustomerKey(settings, endpoint),
            SseKmsKeyId = settings.Text("sse-kms-key-id"),
            AccessKeyId = accessKeyId,
            SecretAccessKey = secret,
            SessionToken = sessionToken,
            Credentials = options.Credentials,
            CaBundlePath = NullIfEmpty(environment("AWS_CA_BUNDLE")),
        };
    }

    /// <summary>The location; secrets stay inside.</summary>
    public override string ToString() => Location;

    private static Uri? ReadEndpoint(S3Settings settings, S3Authority authority, Func<string, string?> environment)
    {
        if (settings.Text("endpoint") is { } given)
            return S3Endpoint.ToUri(given, guessScheme: !settings.IsFromConfiguration("endpoint"));
        if (authority.Endpoint is { } inUrl)
            return S3Endpoint.TryCreate(inUrl)
                ?? throw S3Settings.Invalid("url", $"no host and port: {inUrl}", "for example s3://BUCKET.localhost:9000/PATH");
        // A URL that names Amazon's host or an access point means Amazon.
        return authority.Region is null && NullIfEmpty(environment("LITESTREAM_S3_ENDPOINT")) is { } inEnvironment
            ? S3Endpoint.ToUri(inEnvironment, guessScheme: true)
            : null;
    }

    private static (string? AccessKeyId, string? Secret, string? SessionToken) ReadCredentials(
        S3Settings settings,
        Func<string, string?> environment
    )
    {
        var accessKeyId = settings.Text("access-key-id");
        var secret = settings.Text("secret-access-key");
        if (accessKeyId is not null || secret is not null)
        {
            if (accessKeyId is null || secret is null)
                throw S3Settings.Invalid(accessKeyId is null ? "access-key-id" : "secret-access-key", "missing; the two belong together");
            return (accessKeyId, secret, settings.Text("session-token"));
        }
        // As Litestream does: its own variables stand in for those of AWS that are unset.
        accessKeyId = NullIfEmpty(environment("AWS_ACCESS_KEY_ID")) ?? NullIfEmpty(environment("LITESTREAM_ACCESS_KEY_ID"));
        secret = NullIfEmpty(environment("AWS_SECRET_ACCESS_KEY")) ?? NullIfEmpty(environment("LITESTREAM_SECRET_ACCESS_KEY"));
        return accessKeyId is null || secret is null
            ? (null, null, null)
            : (accessKeyId, secret, settings.Text("session-token") ?? NullIfEmpty(environment("AWS_SESSION_TOKEN")));
    }

    private static S3CustomerKey? ReadCustomerKey(S3Settings settings, Uri? endpoint)
    {
        var inline = settings.Text("sse-customer-key");
        var path = settings.Text("sse-customer-key-path");
        if (inline is not null && path is not null)
            throw S3Settings.Invalid("sse-customer-key", "given together with sse-customer-key-path");
        var text = path is null ? inline : ReadText("sse-customer-key-path", path);
        if (text is null)
            return null;
        if (settings.Text("sse-kms-key-id") is not null)
            throw S3Settings.Invalid("sse-kms-key-id", "given together with a customer key; choose one");
        if (endpoint is { Scheme: "http" } && !S3Endpoint.IsPrivate(endpoint))
            throw S3Settings.Invalid("sse-customer-key", "a customer key is sent with every request and needs an https endpoint");
        var key = new byte[32];
        if (!Convert.TryFromBase64String(text, key, out var length) || length != key.Length)
            throw S3Settings.Invalid("sse-customer-key", "base64 of 32 bytes wanted");
#pragma warning disable CA5351 // The protocol asks for MD5, as a checksum.
        var md5 = Convert.ToBase64String(MD5.HashData(key));
#pragma warning restore CA5351
        if (settings.Text("sse-customer-key-md5") is { } given && given != md5)
            throw S3Settings.Invalid("sse-customer-key-md5", "is not the MD5 of the key");
        return new S3CustomerKey(settings.Text("sse-customer-algorithm") ?? "AES256", text, md5);
    }

    private static string ReadText(string setting, string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"{setting}: {e.Message}", e) { Path = path };
        }
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
