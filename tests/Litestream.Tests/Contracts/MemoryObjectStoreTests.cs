using Litestream.Replicas;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Contracts;

/// <summary>The faults that the memory store can be told to have.</summary>
public sealed class MemoryObjectStoreTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ListingDelay_ShowsWritesAndDeletionsLate_ReadsAtOnce()
    {
        await using var store = new MemoryObjectStore(_time) { ListingDelay = TimeSpan.FromSeconds(5) };
        await store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel);
        Assert.Empty(await KeysAsync(store));
        Assert.NotNull(await store.HeadAsync("k", Cancel));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(["k"], await KeysAsync(store));
        await store.DeleteAsync(["k"], Cancel);
        Assert.Equal(["k"], await KeysAsync(store));
        Assert.Null(await store.HeadAsync("k", Cancel));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Empty(await KeysAsync(store));
    }

    [Fact]
    public async Task Fault_BeforeOrAfterTheEffect()
    {
        await using var store = new MemoryObjectStore(_time);
        store.Fault = _ => StoreFault.Unavailable();
        await Assert.ThrowsAsync<LitestreamException>(() => store.PutAsync("before", new MemoryStream([1]), PutOptions.None, Cancel));
        store.Fault = _ => StoreFault.Unavailable(afterEffect: true);
        await Assert.ThrowsAsync<LitestreamException>(() => store.PutAsync("after", new MemoryStream([1]), PutOptions.None, Cancel));
        Assert.Equal(["after"], store.Keys);
    }

    [Fact]
    public async Task Latency_IsWaitedForByTheGivenClock_AndSharedDoorsHaveTheirOwnFaults()
    {
        await using var store = new MemoryObjectStore(_time) { Latency = TimeSpan.FromSeconds(1) };
        var put = store.PutAsync("k", new MemoryStream([1]), PutOptions.None, Cancel);
        Assert.False(put.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        await put;
        await using var other = store.Share();
        other.Fault = _ => StoreFault.Unavailable();
        Assert.Equal(["k"], other.Keys);
        await Assert.ThrowsAsync<LitestreamException>(() => other.HeadAsync("k", Cancel));
        Assert.Equal(1, other.Count("HEAD"));
        Assert.Equal(0, store.Count("HEAD"));
    }

    private static async Task<List<string>> KeysAsync(MemoryObjectStore store) =>
        await store.ListAsync("", null, Cancel).Select(o => o.Key).ToListAsync(Cancel);
}
