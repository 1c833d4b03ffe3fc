using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Amazon.S3;
using Litestream.Replicas;

namespace Litestream.S3;

/// <summary>The client of one replica, made when it is first needed: Amazon may have to be asked for the bucket's region before.</summary>
/// <remarks>Safe from any thread.</remarks>
internal sealed class S3Connection : IAsyncDisposable
{
    private const string LookupRegion = "us-east-1";
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(60);

    // Bytes a second: a slower line is taken for a dead one.
    private const long SlowestLine = 16 << 10;

    private readonly S3Options _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly SemaphoreSlim _gate = new(1);
    private S3Client? _client;

    /// <summary>Keeps connections for a replica; nothing is sent yet.</summary>
    /// <param name="options">The replica.</param>
    /// <param name="handler">Sends requests; owned from here on.</param>
    /// <param name="time">The clock for time limits.</param>
    public S3Connection(S3Options options, HttpMessageHandler handler, TimeProvider time)
    {
        _options = options;
        _time = time;
        // Limits are set request by request below: an upload may take longer than a listing.
        _http = new HttpClient(new ExpectHandler(handler), disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Does one request within its time limit; failures are the engine's.</summary>
    /// <param name="action">What is tried, as a verb.</param>
    /// <param name="key">Key or prefix in the bucket.</param>
    /// <param name="sentBytes">Size of the body: adds to the time allowed.</param>
    /// <param name="conditional">The request has a condition.</param>
    /// <param name="send">The request.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    public async Task<T> CallAsync<T>(
        string action,
        string key,
        long sentBytes,
        bool conditional,
        Func<S3Client, CancellationToken, Task<T>> send,
        CancellationToken cancellationToken
    )
    {
        var client = _client ?? await ConnectAsync(cancellationToken).ConfigureAwait(false);
        using var late = new CancellationTokenSource(AnswerLimit + TimeSpan.FromSeconds(sentBytes / (double)SlowestLine), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var used = _options.Credentials?.Current;
        try
        {
            return await send(client, either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not LitestreamException && !cancellationToken.IsCancellationRequested)
        {
            var failure = S3Failure.From(e, action, key, _options, conditional);
            if (used is not null && failure.Error == LitestreamError.AccessDenied)
                _options.Credentials!.Refused(used);
            throw failure;
        }
        catch (Exception e) when (e is not OperationCanceledException && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException($"s3: {action} {key} was cancelled", e, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client?.Dispose();
        _http.Dispose();
        _gate.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<S3Client> ConnectAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_client is null)
            {
                var credentials = await FindCredentialsAsync(cancellationToken).ConfigureAwait(false);
                var region = _options.Region ?? await FindRegionAsync(credentials, cancellationToken).ConfigureAwait(false);
                _client = S3Client.Create(_options, region, credentials, _http);
            }
            return _client;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<AWSCredentials> FindCredentialsAsync(CancellationToken cancellationToken)
    {
        if (_options.Credentials is { } source)
            return new ChangingCredentials(source);
        if (_options.AccessKeyId is { } id)
        {
            return _options.SessionToken is { } token
                ? new SessionAWSCredentials(id, _options.SecretAccessKey, token)
                : new BasicAWSCredentials(id, _options.SecretAccessKey);
        }
        try
        {
            // Asked for here and not by the first request, so that "none found" is told from "refused" and from "not reached".
            var credentials = await DefaultAWSCredentialsIdentityResolver
                .GetCredentialsAsync()
                .WaitAsync(AnswerLimit, _time, cancellationToken)
                .ConfigureAwait(false);
            await credentials.GetCredentialsAsync().WaitAsync(AnswerLimit, _time, cancellationToken).ConfigureAwait(false);
            return credentials;
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw S3Failure.NoCredentials(e, _options);
        }
    }

    private async Task<string> FindRegionAsync(AWSCredentials credentials, CancellationToken cancellationToken)
    {
        using var client = S3Client.Create(_options, LookupRegion, credentials, _http);
        using var late = new CancellationTokenSource(AnswerLimit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            var answer = await client.GetBucketLocationAsync(_options.Bucket, either.Token).ConfigureAwait(false);
            // Two regions are older than their names.
            return answer.Location?.Value switch
            {
                null or "" or "US" => LookupRegion,
                "EU" => "eu-west-1",
                var region => region,
            };
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            var failure = S3Failure.From(e, "find the region of", _options.Bucket, _options);
            throw new LitestreamException(failure.Error, failure.Message, e)
            {
                IsTransient = failure.IsTransient,
                Hint =
                    failure.Error == LitestreamError.AccessDenied
                        ? $"set region, or allow s3:GetBucketLocation; {failure.Hint}"
                        : failure.Hint,
                Path = _options.Bucket,
            };
        }
    }

    /// <summary>Asked by the SDK for every request.</summary>
    private sealed class ChangingCredentials(StoreCredentialSource source) : AWSCredentials
    {
        private volatile Signing? _last;

        public override ImmutableCredentials GetCredentials()
        {
            var now = source.Current;
            if (_last is not { } last || !ReferenceEquals(last.From, now))
                _last = last = new Signing(now, new ImmutableCredentials(now.AccessKeyId, now.SecretAccessKey, now.SessionToken));
            return last.Keys;
        }

        public override Task<ImmutableCredentials> GetCredentialsAsync() => Task.FromResult(GetCredentials());

        private sealed record Signing(StoreCredentials From, ImmutableCredentials Keys);
    }

    /// <summary>Sends small bodies without asking first.</summary>
    /// <remarks>
    /// The SDK asks (<c>Expect: 100-continue</c>) before every upload. HttpClient sends a body of up to 1 KiB even when the server has
    /// refused, while radosgw no longer reads it then and takes it for the start of the next request: that one fails with a bare 400. Without the
    /// question such bodies are read and dropped, and a round trip is saved.
    /// </remarks>
    private sealed class ExpectHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private const long SmallBody = 64 << 10;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Headers.ExpectContinue == true && request.Content?.Headers.ContentLength is <= SmallBody)
                request.Headers.ExpectContinue = null;
            return base.SendAsync(request, cancellationToken);
        }
    }
}
