using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Replicas;

/// <summary>What is remembered of a replica, when its store lists late.</summary>
public sealed class ReplicaListingTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly MemoryObjectStore _store;
    private readonly ReplicaClient _client;
    private readonly ReplicaListing _listing;

    public ReplicaListingTests()
    {
        _store = new MemoryObjectStore(_time) { ListingDelay = TimeSpan.FromSeconds(5) };
        _client = new ReplicaClient(_store, ReplicaLayout.Folders);
        _listing = new ReplicaListing(_client, _time);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WhatWasJustWritten_IsKnown_ThoughTheStoreDoesNotListItYet()
    {
        await WriteAsync(1);
        _time.Advance(TimeSpan.FromSeconds(10));
        await WriteAsync(2);
        await WriteAsync(3);
        await ReloadAsync();
        Assert.Equal([1, 2, 3], Listed());
        Assert.Equal(new Txid(3), _listing.Reach());
        Assert.Equal(2, _store.Count("HEAD"));
        _time.Advance(TimeSpan.FromSeconds(10));
        await ReloadAsync();
        Assert.Equal([1, 2, 3], Listed());
        Assert.Equal(2, _store.Count("HEAD"));
    }

    [Fact]
    public async Task ReplicaThatWasEmptied_IsSeenAsEmpty_AfterOneQuestion()
    {
        for (ulong txid = 1; txid <= 20; txid++)
            await WriteAsync(txid);
        await _store.DeleteAsync([.. _store.Keys], Cancel);
        _time.Advance(TimeSpan.FromSeconds(10));
        await ReloadAsync();
        Assert.Empty(Listed());
        Assert.Null(_listing.Newest);
        Assert.Equal(1, _store.Count("HEAD"));
    }

    [Fact]
    public async Task WhatThisEngineDeleted_IsNotAskedFor_AndNotKnownThoughTheStoreListsItStill()
    {
        var file = await WriteAsync(1);
        await WriteAsync(2);
        await _client.DeleteAsync([file], Cancel);
        _listing.Remove([file]);
        await ReloadAsync();
        Assert.Equal([2], Listed());
        Assert.Equal(1, _store.Count("HEAD"));
        _time.Advance(TimeSpan.FromSeconds(10));
        await ReloadAsync();
        Assert.Equal([2], Listed());
    }

    [Fact]
    public async Task WhatWasDeletedAndWrittenAgain_IsKnown()
    {
        var file = await WriteAsync(1);
        _time.Advance(TimeSpan.FromSeconds(10));
        await _client.DeleteAsync([file], Cancel);
        _listing.Remove([file]);
        await WriteAsync(1);
        await ReloadAsync();
        Assert.Equal([1], Listed());
        _listing.Remove([file]);
        _time.Advance(TimeSpan.FromMinutes(2));
        await ReloadAsync();
        Assert.Equal([1], Listed()); // by someone, long after: it counts
    }

    [Fact]
    public async Task FileOfAnotherSize_IsNotOurs()
    {
        var file = await WriteAsync(1);
        _store.Write(_store.Keys.Single(), new byte[file.SizeBytes + 1]);
        await ReloadAsync();
        Assert.Empty(Listed());
    }

    private async Task<LtxFileInfo> WriteAsync(ulong txid)
    {
        var file = await _client.WriteAsync(
            0,
            new Txid(txid),
            new Txid(txid),
            new MemoryStream(ReplicaClientTests.Content(txid, txid)),
            Cancel
        );
        _listing.Add(file);
        return file;
    }

    private async Task ReloadAsync()
    {
        _listing.Doubt();
        await _listing.LoadAsync(Cancel);
    }

    private ulong[] Listed() => [.. _listing.Level(0).Select(f => f.MaxTxid.Value)];
}
