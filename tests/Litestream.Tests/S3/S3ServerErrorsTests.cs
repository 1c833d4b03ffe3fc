using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Litestream.Replicas;
using Litestream.S3;
using Testing;
using Testing.Servers;
using Xunit;

namespace Litestream.Tests.S3;

/// <summary>What real servers, or their absence, answer: the right failure within a bounded time.</summary>
public sealed class S3ServerErrorsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WrongSecret_IsAccessDenied_AndCanHeal()
    {
        var server = await ServerAsync();
        var settings = server.Settings();
        settings["secret-access-key"] = "wrong-secret-of-some-length";
        await AssertAllAsync(await server.CreateBucketAsync(), settings, LitestreamError.AccessDenied, "SignatureDoesNotMatch");
    }

    [Fact]
    public async Task UnknownKey_IsAccessDenied_AndCanHeal()
    {
        var server = await ServerAsync();
        var settings = server.Settings();
        settings["access-key-id"] = "NOBODY";
        await AssertAllAsync(await server.CreateBucketAsync(), settings, LitestreamError.AccessDenied, "InvalidAccessKeyId");
    }

    [Fact]
    public async Task MissingBucket_IsUnavailable_AndCanHeal()
    {
        var server = await ServerAsync();
        await AssertAllAsync("no-such-bucket", server.Settings(), LitestreamError.Unavailable, "NoSuchBucket");
    }

    [Fact]
    public async Task SmallPutsThatAreRefused_DoNotSpoilTheConnectionForTheNextRequest()
    {
        var server = await ServerAsync();
        await using var store = S3ObjectStore.Backend.Open(server.Options("no-such-bucket"));
        for (var i = 0; i < 30; i++)
        {
            var e = await Assert.ThrowsAsync<LitestreamException>(() =>
                store.PutAsync("k", new MemoryStream(new byte[i * 100]), PutOptions.None, Cancel)
            );
            Assert.Contains("NoSuchBucket", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task BucketAppears_NextTryWorks()
    {
        var server = await ServerAsync();
        var bucket = "late-" + Guid.NewGuid().ToString("n")[..8];
        await using var store = S3ObjectStore.Backend.Open(server.Options(bucket));
        await Assert.ThrowsAsync<LitestreamException>(() => store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel));
        await server.EnsureBucketAsync(bucket);
        await store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel);
    }

    [Fact]
    public async Task NoServer_IsUnavailableSoon()
    {
        var port = UnusedPort();
        var started = Stopwatch.StartNew();
        await AssertAllAsync("bucket", Settings($"http://127.0.0.1:{port}"), LitestreamError.Unavailable, "refused");
        Assert.True(started.Elapsed < TimeSpan.FromSeconds(10), $"took {started.Elapsed}");
    }

    [Fact]
    public async Task ServerThatNeverAnswers_IsGivenUpInTime()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var options = Options($"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}");
        await using var store = new S3ObjectStore(options, time: time);
        var head = store.HeadAsync("k", Cancel);
        using var connection = await silent.AcceptTcpClientAsync(Cancel);
        time.Advance(TimeSpan.FromSeconds(61));
        var e = await Assert.ThrowsAsync<LitestreamException>(() => head);
        Assert.Equal(LitestreamError.Unavailable, e.Error);
        Assert.True(e.IsTransient);
        Assert.Contains("no answer in time", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DownloadThatFallsSilent_IsGivenUpInTime()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var store = new S3ObjectStore(Options($"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}"), time: time);
        var open = store.OpenAsync("k", 0, null, Cancel);
        using var connection = await silent.AcceptTcpClientAsync(Cancel);
        await connection.GetStream().ReadAtLeastAsync(new byte[10_000], 10, false, Cancel);
        await connection.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234"u8.ToArray(), Cancel);
        await using var stream = await open;
        var buffer = new byte[10];
        Assert.Equal(4, await stream.ReadAsync(buffer, Cancel));
        var read = stream.ReadAsync(buffer, Cancel).AsTask();
        time.Advance(TimeSpan.FromSeconds(61));
        var e = await Assert.ThrowsAsync<LitestreamException>(() => read);
        Assert.Equal(LitestreamError.Unavailable, e.Error);
        Assert.True(e.IsTransient);
    }

    [Fact]
    public async Task DownloadThatBreaksOff_IsUnavailable_NotAShortFile()
    {
        using var broken = new TcpListener(IPAddress.Loopback, 0);
        broken.Start();
        await using var store = new S3ObjectStore(Options($"http://127.0.0.1:{((IPEndPoint)broken.LocalEndpoint).Port}"));
        var open = store.OpenAsync("k", 0, null, Cancel);
        using (var connection = await broken.AcceptTcpClientAsync(Cancel))
        {
            await connection.GetStream().ReadAtLeastAsync(new byte[10_000], 10, false, Cancel);
            await connection.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234"u8.ToArray(), Cancel);
            connection.Client.Shutdown(SocketShutdown.Send);
            await using var stream = await open;
            var e = await Assert.ThrowsAsync<LitestreamException>(() => stream.CopyToAsync(Stream.Null, Cancel));
            Assert.Equal(LitestreamError.Unavailable, e.Error);
            Assert.True(e.IsTransient);
        }
    }

    [Fact]
    public async Task Delete_OneKeyIsRefused_FailsTheCall()
    {
        var server = await ServerAsync();
        var bucket = await server.CreateBucketAsync();
        using var admin = server.CreateClient();
        await using var store = S3ObjectStore.Backend.Open(server.Options(bucket));
        await store.PutAsync("free", new MemoryStream([1]), PutOptions.None, Cancel);
        await store.PutAsync("kept/x", new MemoryStream([1]), PutOptions.None, Cancel);
        var policy = $$"""
            {"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::{{bucket}}/kept/*"}]}
            """;
        await admin.PutBucketPolicyAsync(bucket, policy, Cancel);
        var e = await Assert.ThrowsAsync<LitestreamException>(() => store.DeleteAsync(["free", "kept/x"], Cancel));
        Assert.Equal(LitestreamError.AccessDenied, e.Error);
        Assert.Contains("kept/x", e.Message, StringComparison.Ordinal);
        Assert.Equal(["kept/x"], await store.ListAsync("", null, Cancel).Select(o => o.Key).ToListAsync(Cancel));
    }

    internal static S3Options Options(string endpoint, params (string Name, string Value)[] more)
    {
        var settings = Settings(endpoint);
        foreach (var (name, value) in more)
            settings[name] = value;
        return S3Options.Create(new ReplicaOptions { Url = ReplicaUrl.Parse("s3://bucket/p"), Settings = settings }, _ => null);
    }

    private static Dictionary<string, string> Settings(string endpoint) =>
        new()
        {
            ["endpoint"] = endpoint,
            ["access-key-id"] = "key",
            ["secret-access-key"] = "very-secret-secret",
        };

    private static async Task<RadosGateway> ServerAsync()
    {
        foreach (var program in RadosGateway.Programs)
            Require.Program(program, RadosGateway.Packages);
        return await RadosGateway.GetAsync();
    }

    private static int UnusedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task AssertAllAsync(string bucket, Dictionary<string, string> settings, LitestreamError expected, string text)
    {
        await using var store = S3ObjectStore.Backend.Open(
            new ReplicaOptions { Url = ReplicaUrl.Parse($"s3://{bucket}/p"), Settings = settings }
        );
        Func<Task>[] calls =
        [
            () => store.ListAsync("", null, Cancel).CountAsync(Cancel).AsTask(),
            () => store.OpenAsync("k", 0, null, Cancel),
            () => store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel),
            () => store.PutAsync("k", new MemoryStream([1]), new PutOptions { IfAbsent = true }, Cancel),
            () => store.PutAsync("k", new MemoryStream(new byte[6 << 20]), PutOptions.None, Cancel),
            () => store.DeleteAsync(["k"], Cancel),
        ];
        foreach (var call in calls)
        {
            var e = await Assert.ThrowsAsync<LitestreamException>(call);
            Assert.True(expected == e.Error, e.ToString());
            Assert.True(e.IsTransient, e.ToString());
            Assert.NotNull(e.Hint);
            Assert.Contains(text, e.Message, StringComparison.Ordinal);
            Assert.Contains(bucket, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(settings["secret-access-key"], e.ToString(), StringComparison.Ordinal);
        }
    }
}
