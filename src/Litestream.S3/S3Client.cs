using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.S3;
using Amazon.S3.Model;

namespace Litestream.S3;

/// <summary>The SDK's client, set up for every S3-compatible server: no chunked framing, no trailers, no retries of its own.</summary>
internal sealed class S3Client : AmazonS3Client
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private S3Client(AWSCredentials credentials, AmazonS3Config config)
        : base(credentials, config) { }

    /// <summary>Makes a client. Nothing is sent yet.</summary>
    /// <param name="options">The replica.</param>
    /// <param name="region">Region for signing and, without endpoint, for the host's name.</param>
    /// <param name="credentials">Who asks.</param>
    /// <param name="http">Sends the requests; stays the caller's.</param>
    public static S3Client Create(S3Options options, string region, AWSCredentials credentials, HttpClient http)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.ForcePathStyle,
            MaxErrorRetry = 0,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            HttpClientFactory = new OneHttpClient(http),
            UseArnRegion = true,
        };
        if (options.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.AbsoluteUri;
            config.AuthenticationRegion = region;
        }
        else
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }
        var client = new S3Client(credentials, config);
        // The base constructor builds the pipeline before this object knows its options.
        client.RuntimePipeline.AddHandlerBefore<Signer>(new HeaderHandler(options));
        return client;
    }

    /// <summary>Makes the connections: bounded in time, with the certificates that are wanted.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: the bundle of certificates cannot be read.</exception>
    public static SocketsHttpHandler CreateHandler(S3Options options)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            AllowAutoRedirect = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(50),
        };
        if (options.SkipVerify)
        {
#pragma warning disable CA5359 // Asked for by name: skip-verify.
            handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (options.CaBundlePath is { } bundle)
        {
            var roots = ReadBundle(bundle);
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
                errors == SslPolicyErrors.None
                || (
                    errors == SslPolicyErrors.RemoteCertificateChainErrors
                    && certificate is not null
                    && IsSignedBy(roots, certificate, chain)
                );
        }
        return handler;
    }

    private static X509Certificate2Collection ReadBundle(string path)
    {
        try
        {
            var roots = new X509Certificate2Collection();
            roots.ImportFromPemFile(path);
            return roots;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"AWS_CA_BUNDLE: {path}: {e.Message}", e) { Path = path };
        }
    }

    private static bool IsSignedBy(X509Certificate2Collection roots, X509Certificate certificate, X509Chain? sent)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        using var leaf = new X509Certificate2(certificate);
        return chain.Build(leaf);
    }

    /// <summary>Hands one client to the SDK, which must neither cache nor close it.</summary>
    private sealed class OneHttpClient(HttpClient http) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => http;

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
    }

    /// <summary>Adds what the SDK leaves out or allows over https only, in one place for all requests.</summary>
    private sealed class HeaderHandler(S3Options options) : PipelineHandler
    {
        public override Task<T> InvokeAsync<T>(IExecutionContext executionContext)
        {
            var request = executionContext.RequestContext.Request;
            if (options.Provider.TigrisConsistency)
                request.Headers["X-Tigris-Consistent"] = "true";
            switch (executionContext.RequestContext.OriginalRequest)
            {
                case DeleteObjectsRequest when options.RequireContentMd5:
                    request.Headers["Content-MD5"] = HashBody(request);
                    break;
                case PutObjectRequest
                or InitiateMultipartUploadRequest
                or UploadPartRequest
                or GetObjectRequest
                or GetObjectMetadataRequest when options.CustomerKey is { } key:
                    request.Headers["x-amz-server-side-encryption-customer-algorithm"] = key.Algorithm;
                    request.Headers["x-amz-server-side-encryption-customer-key"] = key.Key;
                    request.Headers["x-amz-server-side-encryption-customer-key-MD5"] = key.KeyMd5;
                    break;
            }
            return base.InvokeAsync<T>(executionContext);
        }

        private static string HashBody(IRequest request)
        {
#pragma warning disable CA5351 // The protocol asks for MD5, as a checksum.
            if (request.Content is { } bytes)
                return Convert.ToBase64String(MD5.HashData(bytes));
            var body = request.ContentStream;
            var start = body.Position;
            var hash = MD5.HashData(body);
#pragma warning restore CA5351
            body.Position = start;
            return Convert.ToBase64String(hash);
        }
    }
}
