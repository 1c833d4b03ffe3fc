using Litestream.Compaction;
using Litestream.Diagnostics;
using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Compaction;

/// <summary>A keeper whose clock jumps: deletions wait for time that has passed, and nobody waits for them at a core's cost.</summary>
public sealed class KeeperClockTests
{
    private static readonly DateTimeOffset Begin = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ClockJumpsAhead_NothingGoesBeforeItsTime_AndTheNextLookIsThen()
    {
        var time = new JumpingClock();
        var store = new MemoryObjectStore(time);
        await using var client = new ReplicaClient(store, ReplicaLayout.Folders);
        var listing = new ReplicaListing(client, time);
        await listing.LoadAsync(Token);
        listing.Add(new LtxFileInfo(9, Txid.First, new Txid(4), 100, Begin));
        listing.Add(new LtxFileInfo(1, new Txid(2), new Txid(4), 100, Begin));
        for (ulong txid = 2; txid <= 4; txid++)
            listing.Add(new LtxFileInfo(0, new Txid(txid), new Txid(txid), 100, Begin));
        using var slots = new SemaphoreSlim(1);
        var options = new ReplicaOptions
        {
            Url = ReplicaUrl.Parse("mem://x/"),
            SnapshotInterval = TimeSpan.FromDays(100),
            CompactionIntervals = [TimeSpan.FromSeconds(30)],
            L0Retention = TimeSpan.FromMinutes(5),
        };
        var feed = new KeeperFeed(
            "db",
            "one",
            () => true,
            _ => throw new InvalidOperationException(),
            _ => null,
            _ => Assert.Fail("doubt")
        );
        var keeper = new ReplicaKeeper(client, listing, options, false, feed, time, NullLogger.Instance, new DatabaseMetrics(), slots);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(Begin + TimeSpan.FromMinutes(5), await keeper.StepAsync(Token));
        time.Ahead = TimeSpan.FromHours(7);
        Assert.Equal(Begin + TimeSpan.FromHours(7) + TimeSpan.FromMinutes(5), await keeper.StepAsync(Token));
        Assert.Equal(3, listing.Level(0).Count);
        time.Advance(TimeSpan.FromMinutes(4));
        await keeper.StepAsync(Token);
        Assert.Equal([4UL], listing.Level(0).Select(f => f.MaxTxid.Value));
    }

    /// <summary>Its wall clock can be set; the time that passes does not notice.</summary>
    private sealed class JumpingClock() : FakeTimeProvider(Begin)
    {
        internal TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }
}
