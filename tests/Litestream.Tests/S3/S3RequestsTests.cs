using System.Net;
using System.Security.Cryptography;
using System.Text;
using Litestream.Replicas;
using Litestream.S3;
using Xunit;

namespace Litestream.Tests.S3;

/// <summary>What goes over the wire, and what odd servers make of it: a recording handler answers in the server's place.</summary>
public sealed class S3RequestsTests
{
    private static readonly DateTimeOffset Time = new(2026, 1, 2, 3, 4, 5, 120, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Put_IsOnePlainRequest_WithSignedContentAndTimestamp()
    {
        var (store, server) = Open("http://host:9000");
        await store.PutAsync("k", new MemoryStream("hello"u8.ToArray()), new PutOptions { Timestamp = Time }, Cancel);
        var request = Assert.Single(server.Requests);
        Assert.Equal("PUT http://host:9000/bucket/p/k", request.Line);
        Assert.Equal("hello", request.Body);
        Assert.Equal("5", request["Content-Length"]);
        Assert.Equal("application/octet-stream", request["Content-Type"]);
        Assert.Equal("2026-01-02T03:04:05.12Z", request["x-amz-meta-litestream-timestamp"]);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData("hello"u8)), request["x-amz-content-sha256"]);
        Assert.Null(request["x-amz-trailer"]);
        Assert.Null(request["Content-Encoding"]);
        Assert.Null(request["Expect"]);
        Assert.Null(request["If-None-Match"]);
        Assert.Null(request["x-amz-storage-class"]);
    }

    [Fact]
    public async Task Put_SignPayloadIsOff_SendsUnsignedContentOverTls()
    {
        var (store, server) = Open("https://host", ("sign-payload", "false"));
        await store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel);
        Assert.Equal("UNSIGNED-PAYLOAD", Assert.Single(server.Requests)["x-amz-content-sha256"]);
        var (plain, plainServer) = Open("http://host", ("sign-payload", "false"));
        await plain.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel);
        Assert.NotEqual("UNSIGNED-PAYLOAD", Assert.Single(plainServer.Requests)["x-amz-content-sha256"]);
    }

    [Fact]
    public async Task Put_StorageClassAndKms_AreSentWithBothKindsOfUpload()
    {
        var (store, server) = Open("https://host", ("storage-class", "STANDARD_IA"), ("sse-kms-key-id", "key-7"));
        await store.PutAsync("small", new MemoryStream([1]), PutOptions.None, Cancel);
        await store.PutAsync("large", new MemoryStream(new byte[11 << 20]), new PutOptions { Timestamp = Time }, Cancel);
        var starts = server
            .Requests.Where(r =>
                r.Line.EndsWith("/small", StringComparison.Ordinal) || r.Line.EndsWith("?uploads", StringComparison.Ordinal)
            )
            .ToList();
        Assert.Equal(2, starts.Count);
        foreach (var request in starts)
        {
            Assert.Equal("STANDARD_IA", request["x-amz-storage-class"]);
            Assert.Equal("aws:kms", request["x-amz-server-side-encryption"]);
            Assert.Equal("key-7", request["x-amz-server-side-encryption-aws-kms-key-id"]);
        }
        Assert.Equal("2026-01-02T03:04:05.12Z", starts[1]["x-amz-meta-litestream-timestamp"]);
    }

    [Fact]
    public async Task Put_Large_SendsPartsOfExactlyThePartSize_FewAtATime()
    {
        var (store, server) = Open("http://host", ("part-size", "5MiB"), ("concurrency", "2"));
        await store.PutAsync("large", new MemoryStream(new byte[(21 << 20) + 1]), PutOptions.None, Cancel);
        var parts = server
            .Requests.Where(r => r.Line.Contains("partNumber=", StringComparison.Ordinal))
            .OrderBy(r => r.Line, StringComparer.Ordinal)
            .ToList();
        Assert.Equal(["5242880", "5242880", "5242880", "5242880", "1048577"], parts.Select(r => r["Content-Length"]));
        Assert.InRange(server.MostAtOnce, 1, 2);
        Assert.Contains("<PartNumber>5</PartNumber>", server.Requests[^1].Body, StringComparison.Ordinal);
        Assert.All(parts, p => Assert.Null(p["x-amz-trailer"]));
        Assert.All(parts, p => Assert.Equal("100-continue", p["Expect"]));
    }

    [Fact]
    public async Task Put_ContentOfExactlyOnePart_IsOnePartAndComplete()
    {
        var (store, server) = Open("http://host");
        var stored = await store.PutAsync("k", new MemoryStream(new byte[5 << 20]), PutOptions.None, Cancel);
        Assert.Equal(5 << 20, stored.SizeBytes);
        Assert.Single(server.Requests, r => r.Line.Contains("partNumber=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Put_APartHiccups_IsSentAgain_AndAPartThatFailsForGoodAbortsTheUpload()
    {
        var (store, server) = Open("http://host");
        var failures = 0;
        server.Answer = r => r.Line.Contains("partNumber=2", StringComparison.Ordinal) && failures++ < 2 ? Error(503, "SlowDown") : null;
        await store.PutAsync("k", new MemoryStream(new byte[12 << 20]), PutOptions.None, Cancel);
        Assert.Equal(3, failures);
        server.Requests.Clear();
        server.Answer = r => r.Line.Contains("partNumber=2", StringComparison.Ordinal) ? Error(403, "AccessDenied") : null;
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            store.PutAsync("k", new MemoryStream(new byte[12 << 20]), PutOptions.None, Cancel)
        );
        Assert.Equal(LitestreamError.AccessDenied, e.Error);
        Assert.StartsWith("DELETE http://host/bucket/p/k?", server.Requests[^1].Line, StringComparison.Ordinal);
        Assert.DoesNotContain(
            server.Requests,
            r => r.Line.StartsWith("POST", StringComparison.Ordinal) && r.Line.Contains("uploadId", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task CustomerKey_IsSentWithReadsAndWrites_NotWithListings()
    {
        var key = Convert.ToBase64String(new byte[32]);
        var (store, server) = Open("http://127.0.0.1:9000", ("sse-customer-key", key));
        await store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel);
        await store.PutAsync("k", new MemoryStream(new byte[6 << 20]), PutOptions.None, Cancel);
        await store.HeadAsync("k", Cancel);
        await (await store.OpenAsync("k", 0, null, Cancel)).DisposeAsync();
        await store.ListAsync("", null, Cancel).CountAsync(Cancel);
        foreach (var request in server.Requests)
        {
            var isPlain =
                request.Line.Contains("list-type", StringComparison.Ordinal)
                || request.Line.StartsWith("POST http://127.0.0.1:9000/bucket/p/k?uploadId", StringComparison.Ordinal);
            Assert.Equal(isPlain ? null : key, request["x-amz-server-side-encryption-customer-key"]);
            Assert.Equal(isPlain ? null : "AES256", request["x-amz-server-side-encryption-customer-algorithm"]);
        }
        Assert.True(server.Requests.Count >= 7);
    }

    [Fact]
    public async Task Delete_SendsContentMd5UnlessTurnedOff_InBatchesOfAThousand()
    {
        var (store, server) = Open("http://host");
        await store.DeleteAsync([.. Enumerable.Range(0, 1001).Select(i => $"k{i:d4}<&>")], Cancel);
        Assert.Equal(2, server.Requests.Count);
        Assert.Contains("<Key>p/k0000&lt;&amp;&gt;</Key>", server.Requests[0].Body, StringComparison.Ordinal);
        Assert.Contains("k0999", server.Requests[0].Body, StringComparison.Ordinal);
        Assert.Contains("k1000", server.Requests[1].Body, StringComparison.Ordinal);
#pragma warning disable CA5351 // What the protocol asks for.
        Assert.All(
            server.Requests,
            r => Assert.Equal(Convert.ToBase64String(MD5.HashData(Encoding.UTF8.GetBytes(r.Body))), r["Content-MD5"])
        );
#pragma warning restore CA5351
        var (without, withoutServer) = Open("http://host", ("require-content-md5", "false"));
        await without.DeleteAsync(["k"], Cancel);
        Assert.Null(Assert.Single(withoutServer.Requests)["Content-MD5"]);
    }

    [Fact]
    public async Task Delete_ServerKnowsNoBatches_DeletesOneByOneFromThenOn()
    {
        var (store, server) = Open("http://host");
        server.Answer = r => r.Line.StartsWith("POST", StringComparison.Ordinal) ? Error(501, "NotImplemented") : Empty(204);
        await store.DeleteAsync(["a", "b"], Cancel);
        await store.DeleteAsync(["c"], Cancel);
        Assert.Equal(["POST", "DELETE", "DELETE", "DELETE"], server.Requests.Select(r => r.Line.Split(' ')[0]));
    }

    [Fact]
    public async Task IfAbsent_ServerRefusesConditions_WithdrawsTheCapability()
    {
        var (store, server) = Open("http://host");
        server.Answer = r => r["If-None-Match"] == "*" ? Error(501, "NotImplemented") : null;
        Assert.True(store.Capabilities.ConditionalCreate);
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            store.PutAsync("k", new MemoryStream([1]), new PutOptions { IfAbsent = true }, Cancel)
        );
        Assert.Equal(LitestreamError.Unavailable, e.Error);
        Assert.False(e.IsTransient);
        Assert.False(store.Capabilities.ConditionalCreate);
        Assert.False(store.Capabilities.ConditionalReplace);
    }

    [Theory]
    [InlineData(412, "PreconditionFailed")]
    [InlineData(409, "ConditionalRequestConflict")]
    public async Task IfAbsent_ServerSaysNo_IsAConflict(int status, string code)
    {
        var (store, server) = Open("http://host");
        server.Answer = _ => Error(status, code);
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            store.PutAsync("k", new MemoryStream([1]), new PutOptions { IfAbsent = true }, Cancel)
        );
        Assert.Equal(LitestreamError.Conflict, e.Error);
    }

    [Fact]
    public async Task IfTag_BareThenQuoted()
    {
        var (store, server) = Open("http://host");
        server.Answer = r => r["If-Match"] == "abc" ? Error(412, "PreconditionFailed") : null;
        await store.PutAsync("k", new MemoryStream([1, 2]), new PutOptions { IfTag = "abc" }, Cancel);
        Assert.Equal(["abc", "\"abc\""], server.Requests.Select(r => r["If-Match"]));
        Assert.Equal(server.Requests[0].Body, server.Requests[1].Body);
    }

    [Theory]
    [InlineData(503, "SlowDown", LitestreamError.Unavailable, true)]
    [InlineData(500, "InternalError", LitestreamError.Unavailable, true)]
    [InlineData(408, "RequestCanceled", LitestreamError.Unavailable, true)]
    [InlineData(429, "TooManyRequests", LitestreamError.Unavailable, true)]
    [InlineData(403, "RequestTimeTooSkewed", LitestreamError.AccessDenied, true)]
    [InlineData(400, "ExpiredToken", LitestreamError.AccessDenied, true)]
    [InlineData(401, "Unauthorized", LitestreamError.AccessDenied, true)]
    [InlineData(400, "InvalidStorageClass", LitestreamError.Unavailable, false)]
    [InlineData(400, "AuthorizationHeaderMalformed", LitestreamError.InvalidConfiguration, false)]
    [InlineData(301, "PermanentRedirect", LitestreamError.InvalidConfiguration, false)]
    [InlineData(409, "OperationAborted", LitestreamError.Unavailable, true)]
    public async Task Answers_BecomeTypedFailures_AfterOneRequest(int status, string code, LitestreamError error, bool transient)
    {
        var (store, server) = Open("http://host");
        server.Answer = _ => Error(status, code);
        var e = await Assert.ThrowsAsync<LitestreamException>(() => store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel));
        Assert.Equal(error, e.Error);
        Assert.Equal(transient, e.IsTransient);
        Assert.Contains(code, e.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Tigris_AsksForConsistentReads()
    {
        var (store, server) = Open("https://fly.storage.tigris.dev");
        await store.ListAsync("", null, Cancel).CountAsync(Cancel);
        var request = Assert.Single(server.Requests);
        Assert.Equal("true", request["X-Tigris-Consistent"]);
        Assert.Contains("x-tigris-consistent", request["Authorization"], StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Rule", "P086")]
    public async Task SessionToken_IsSentAndSigned()
    {
        var (store, server) = Open("http://host", ("session-token", "temporary"));
        await store.HeadAsync("k", Cancel);
        var request = Assert.Single(server.Requests);
        Assert.Equal("temporary", request["x-amz-security-token"]);
        Assert.Contains("x-amz-security-token", request["Authorization"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task VirtualHostStyle_PutsTheBucketIntoTheHost()
    {
        var (store, server) = Open("https://nyc3.digitaloceanspaces.com", ("force-path-style", "false"));
        await store.HeadAsync("k", Cancel);
        Assert.Equal("HEAD https://bucket.nyc3.digitaloceanspaces.com/p/k", Assert.Single(server.Requests).Line);
    }

    [Fact]
    public async Task Amazon_RegionUnknown_IsAskedForOnce()
    {
        var server = new RecordingHandler
        {
            Answer = r =>
                r.Line.Contains("?location", StringComparison.Ordinal)
                    ? Xml("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">eu-north-1</LocationConstraint>")
                    : null,
        };
        var options = S3Options.Create(
            new ReplicaOptions
            {
                Url = ReplicaUrl.Parse("s3://bucket/p"),
                Settings = new Dictionary<string, string> { ["access-key-id"] = "k", ["secret-access-key"] = "very-secret-secret" },
            },
            _ => null
        );
        await using var store = new S3ObjectStore(options, server);
        Assert.Empty(server.Requests);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => store.HeadAsync("k", Cancel)));
        Assert.Single(server.Requests, r => r.Line.Contains("?location", StringComparison.Ordinal));
        var heads = server.Requests.Where(r => r.Line.StartsWith("HEAD", StringComparison.Ordinal)).ToList();
        Assert.Equal(4, heads.Count);
        Assert.All(heads, r => Assert.Equal("HEAD https://bucket.s3.eu-north-1.amazonaws.com/p/k", r.Line));
        Assert.All(heads, r => Assert.Contains("/eu-north-1/s3/", r["Authorization"], StringComparison.Ordinal));
    }

    [Fact]
    public async Task List_AsksForLaterKeysOnly_AndFiltersWhereTheServerDoesNot()
    {
        var (store, server) = Open("http://host");
        server.Answer = _ =>
            Xml(
                "<ListBucketResult><IsTruncated>false</IsTruncated>"
                    + string.Concat(
                        ((string[])["p/a", "p/b", "p/c"]).Select(k =>
                            $"<Contents><Key>{k}</Key><Size>1</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>\"x\"</ETag></Contents>"
                        )
                    )
                    + "</ListBucketResult>"
            );
        Assert.Equal(["c"], await store.ListAsync("", "b", Cancel).Select(o => o.Key).ToListAsync(Cancel));
        var request = Assert.Single(server.Requests);
        Assert.Contains("start-after=p%2Fb", request.Line, StringComparison.Ordinal);
        Assert.Contains("prefix=p%2F", request.Line, StringComparison.Ordinal);
    }

    private static (S3ObjectStore Store, RecordingHandler Server) Open(string endpoint, params (string Name, string Value)[] settings)
    {
        var server = new RecordingHandler();
        return (new S3ObjectStore(S3ServerErrorsTests.Options(endpoint, settings), server), server);
    }

    private static HttpResponseMessage Empty(int status) => new((HttpStatusCode)status) { Content = new ByteArrayContent([]) };

    private static HttpResponseMessage Xml(string text, int status = 200) =>
        new((HttpStatusCode)status)
        {
            Content = new StringContent("<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + text, Encoding.UTF8, "application/xml"),
        };

    private static HttpResponseMessage Error(int status, string code) =>
        Xml($"<Error><Code>{code}</Code><Message>said the server</Message></Error>", status);

    private sealed record Recorded(string Line, Dictionary<string, string> Headers, string Body)
    {
        public string? this[string name] => Headers.GetValueOrDefault(name);
    }

    /// <summary>Writes requests down and answers as a plain server would.</summary>
    private sealed class RecordingHandler : HttpMessageHandler
    {
        private int _atOnce;

        public List<Recorded> Requests { get; } = [];

        public Func<Recorded, HttpResponseMessage?>? Answer { get; set; }

        public int MostAtOnce { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var isPart = request.RequestUri!.Query.Contains("partNumber", StringComparison.Ordinal);
            var body = request.Content is null ? [] : await request.Content.ReadAsByteArrayAsync(cancellationToken);
            var headers = request
                .Headers.Concat(request.Content?.Headers.AsEnumerable() ?? [])
                .ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase);
            if (request.Content is not null)
                headers["Content-Length"] = body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture);
            var recorded = new Recorded(
                $"{request.Method} {request.RequestUri.AbsoluteUri}",
                headers,
                body.Length > 1 << 20 ? "" : Encoding.UTF8.GetString(body)
            );
            lock (Requests)
            {
                Requests.Add(recorded);
                MostAtOnce = Math.Max(MostAtOnce, isPart ? ++_atOnce : 0);
            }
            await Task.Yield();
            lock (Requests)
                _atOnce -= isPart ? 1 : 0;
            var response = Answer?.Invoke(recorded) ?? Default(recorded);
            response.RequestMessage = request;
            return response;
        }

        private static HttpResponseMessage Default(Recorded request)
        {
            if (request.Line.EndsWith("?uploads", StringComparison.Ordinal))
                return Xml(
                    "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
                );
            if (request.Line.StartsWith("POST", StringComparison.Ordinal) && request.Line.Contains("uploadId", StringComparison.Ordinal))
                return Xml("<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>");
            if (request.Line.StartsWith("POST", StringComparison.Ordinal))
                return Xml("<DeleteResult></DeleteResult>");
            if (request.Line.Contains("list-type", StringComparison.Ordinal))
                return Xml("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
            var response = Empty(request.Line.StartsWith("DELETE", StringComparison.Ordinal) ? 204 : 200);
            response.Headers.ETag = new("\"tag\"");
            return response;
        }
    }
}
