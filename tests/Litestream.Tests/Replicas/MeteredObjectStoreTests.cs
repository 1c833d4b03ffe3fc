using Litestream.Diagnostics;
using Litestream.Replicas;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Replicas;

public sealed class MeteredObjectStoreTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryObjectStore _inner;
    private readonly ReplicaOperationMetrics _metrics = new();
    private readonly MeteredObjectStore _store;

    public MeteredObjectStoreTests()
    {
        _inner = new MemoryObjectStore(_time);
        _store = new MeteredObjectStore(_inner, _metrics, _time);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Operations_AreCountedWithBytesAndDurations()
    {
        _inner.Fault = _ =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(200));
            return null;
        };
        await _store.PutAsync("a", new MemoryStream(new byte[300]), PutOptions.None, Cancel);
        await _store.PutAsync("b", new MemoryStream(new byte[700]), PutOptions.None, Cancel);
        await using (var stream = await _store.OpenAsync("a", 100, null, Cancel))
            await stream.CopyToAsync(Stream.Null, Cancel);
        Assert.Equal(2, await _store.ListAsync("", null, Cancel).CountAsync(Cancel));
        await _store.HeadAsync("a", Cancel);
        await _store.DeleteAsync(["a", "b"], Cancel);
        Assert.Equal(
            [("DELETE", 1L, 0L), ("GET", 1, 200), ("HEAD", 1, 0), ("LIST", 1, 0), ("PUT", 2, 1000)],
            _metrics.Snapshot().Select(s => (s.Operation, s.Count, s.Bytes))
        );
        var put = _metrics.Snapshot().Single(s => s.Operation == "PUT");
        Assert.Equal("memory", put.ReplicaType);
        Assert.Equal(TimeSpan.FromMilliseconds(400), put.DurationSum);
        Assert.Equal([0, 0, 0, 2, 0, 0, 0, 0, 0, 0], put.DurationBuckets);
        Assert.Empty(put.Errors);
    }

    [Fact]
    public async Task Failures_AreCountedByCode()
    {
        await Assert.ThrowsAsync<LitestreamException>(() => _store.OpenAsync("missing", 0, null, Cancel));
        await _store.PutAsync("k", new MemoryStream(new byte[100]), PutOptions.None, Cancel);
        await Assert.ThrowsAsync<LitestreamException>(() =>
            _store.PutAsync("k", new MemoryStream(), new PutOptions { IfAbsent = true }, Cancel)
        );
        _inner.Fault = _ => StoreFault.Unavailable();
        await Assert.ThrowsAsync<LitestreamException>(() => _store.ListAsync("", null, Cancel).CountAsync(Cancel).AsTask());
        _inner.Fault = _ => StoreFault.Break(40);
        await using (var stream = await _store.OpenAsync("k", 0, null, Cancel))
            await Assert.ThrowsAsync<LitestreamException>(() => stream.CopyToAsync(Stream.Null, Cancel));
        var errors = _metrics.Snapshot().SelectMany(s => s.Errors.Select(e => (s.Operation, e.Key, e.Value)));
        Assert.Equal([("GET", "NotFound", 1L), ("GET", "Unavailable", 1), ("LIST", "Unavailable", 1), ("PUT", "Conflict", 1)], errors);
        Assert.Equal(40, _metrics.Snapshot().Single(s => s.Operation == "GET").Bytes);
    }

    [Fact]
    public async Task Dispose_DisposesTheInnerStore()
    {
        await _store.DisposeAsync();
        Assert.True(_inner.IsDisposed);
    }
}
