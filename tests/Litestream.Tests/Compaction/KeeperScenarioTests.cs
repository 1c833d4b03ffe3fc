using Litestream.Compaction;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Tests.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Compaction;

/// <summary>Levels, snapshots and retention of a running engine, judged by restores: replication-engine §21 F, G, H.</summary>
public sealed partial class KeeperScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "F3")]
    [Trait("Scenario", "F8")]
    [Trait("Scenario", "F16")]
    [Trait("Scenario", "H5")]
    [Trait("Scenario", "I20")]
    public async Task F17_LevelsFollowTheirIntervals_EveryPromisedPointIsRestorable_AcrossRestarts()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        var states = new SortedDictionary<ulong, string>();
        for (var minute = 0; minute < 75; minute++)
        {
            for (var i = 0; i < 3; i++)
            {
                world.Circle.Write();
                await world.Circle.StepAsync(20);
                states[world.Circle.Txid] = CanonicalDump.Of(world.Circle.App);
            }
            if (minute % 20 == 19)
            {
                await world.Circle.KillAsync();
                await world.Circle.StartAsync();
            }
        }
        await world.Circle.StepAsync(60);
        var levels = await world.LevelsAsync();
        Assert.InRange(levels[1].Count, 70, 155); // one each half minute with news
        Assert.InRange(levels[2].Count, 14, 16); // one each five minutes
        Assert.InRange(levels[3].Count, 1, 2);
        Assert.InRange(levels[0].Count, 10, 20); // five minutes of them
        Assert.Single(levels[9]);
        foreach (var level in levels.Take(9).Skip(1))
            for (var i = 1; i < level.Count; i++)
                Assert.Equal(level[i - 1].MaxTxid.Next(), level[i].MinTxid);
        var points = await world.PointsAsync();
        Assert.True(points.Count > 75);
        foreach (var point in points.Where((_, i) => i % 5 == 0))
            Assert.Equal(states[point.Value], await world.RestoreAsync(point));
    }

    [Fact]
    [Trait("Scenario", "Q4")]
    [Trait("Scenario", "F6")]
    public async Task SteadyState_NeitherListNorHead_AndNothingAtAllWhenIdle()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        world.Circle.Write();
        await world.Circle.StepAsync();
        world.Store.Calls.Clear();
        for (var i = 0; i < 200; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(15);
        }
        Assert.DoesNotContain(world.Store.Calls, c => c.Operation is "LIST" or "HEAD");
        Assert.DoesNotContain(world.Store.Calls, c => c.Operation == "GET" && c.Key.StartsWith("ltx/0/", StringComparison.Ordinal)); // they are at hand
        for (var i = 0; i < 100; i++)
            await world.Circle.StepAsync(60);
        world.Store.Calls.Clear();
        for (var i = 0; i < 100; i++)
            await world.Circle.StepAsync(60);
        Assert.Empty(world.Store.Calls);
    }

    [Fact]
    [Trait("Scenario", "G6")]
    [Trait("Scenario", "G7")]
    [Trait("Scenario", "H1")]
    public async Task G10_SnapshotsOncePerDayOfNews_AndOldOnesGo()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        for (var hour = 0; hour < 24 * 6; hour++)
        {
            if (hour is < 50 or > 100)
                world.Circle.Write();
            await world.Circle.StepAsync(3600);
            await world.Circle.StepAsync(1);
        }
        var snapshots = world.Store.Calls.Where(c => c.Operation == "PUT" && c.Key.StartsWith("ltx/9/", StringComparison.Ordinal)).ToList();
        Assert.InRange(snapshots.Count, 5, 6); // the first, and one for each of four or five days with news
        var levels = await world.LevelsAsync();
        Assert.InRange(levels[9].Count, 2, 3);
        Assert.All(levels[3].SkipLast(1), f => Assert.True(f.MaxTxid > levels[9][0].MaxTxid));
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }

    [Fact]
    public async Task G5_ForcedSnapshotAtTheSamePosition_IsWrittenAgain()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        await world.Circle.SyncAsync();
        await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
        await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
        Assert.Equal(3, world.Store.Calls.Count(c => c.Operation == "PUT" && c.Key.StartsWith("ltx/9/", StringComparison.Ordinal)));
        Assert.Single((await world.LevelsAsync())[9]);
    }

    [Fact]
    [Trait("Scenario", "D9")]
    public async Task H8_RetentionDisabled_TheReplicaKeepsAll_LocalFilesGo()
    {
        await using var world = new KeeperWorld(r => r with { DeletesOldFiles = false });
        await world.Circle.StartAsync();
        for (var hour = 0; hour < 60; hour++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(3600);
            await world.Circle.StepAsync(1);
        }
        Assert.DoesNotContain(world.Store.Calls, c => c.Operation == "DELETE");
        Assert.InRange((await world.LevelsAsync())[0].Count, 50, 62);
        Assert.InRange(world.Circle.LocalFiles().Count, 1, 3);
    }

    [Fact]
    public async Task H10_DeletionFails_IsTriedAgain_AndNothingIsForgotten()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        world.Store.Fault = c => c.Operation == "DELETE" ? StoreFault.Unavailable(afterEffect: true) : null;
        for (var i = 0; i < 30; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(60);
        }
        Assert.Contains(world.Store.Calls, c => c.Operation == "DELETE");
        Assert.Contains("simulated failure", world.Circle.Status.Replicas[0].UpkeepFailure, StringComparison.Ordinal);
        world.Store.Fault = null;
        for (var i = 0; i < 20; i++)
            await world.Circle.StepAsync(60);
        Assert.Single((await world.LevelsAsync())[0]);
        Assert.Null(world.Circle.Status.Replicas[0].UpkeepFailure);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }

    [Fact]
    public async Task H11_FilesOfLevel0_AreCountedByWhatRetentionDoesWithThem()
    {
        await using var world = new KeeperWorld(r => r with { DeletesOldFiles = false });
        await world.Circle.StartAsync();
        for (var i = 0; i < 8; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        var (eligible, waiting, recent) = world.Circle.Status.Replicas[0].Level0;
        Assert.True(eligible == 0 && waiting is 1 or 2 && recent >= 6, $"{eligible} {waiting} {recent}");
        for (var i = 0; i < 10; i++)
            await world.Circle.StepAsync(60);
        Assert.Equal((8, 0, 0), world.Circle.Status.Replicas[0].Level0);
        var samples = world.Circle.Store.Metrics.Samples().Where(s => s.Name == "litestream_l0_retention_files_total").ToList();
        Assert.Equal(3, samples.Count);
        Assert.Equal(8, samples.Single(s => s.Labels.Contains(("status", "eligible"))).Value);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F4_UploadOfAMergeFails_OutcomeUnknown_LevelsStayInOrder(bool afterEffect)
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        var random = new Random(7);
        world.Store.Fault = c =>
            c.Operation == "PUT" && c.Key.StartsWith("ltx/1/", StringComparison.Ordinal) && random.Next(2) == 0
                ? StoreFault.Unavailable(afterEffect)
                : null;
        for (var i = 0; i < 60; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(15);
        }
        world.Store.Fault = null;
        await world.Circle.StepAsync(600);
        var level = (await world.LevelsAsync())[1];
        Assert.True(level.Count > 5);
        for (var i = 1; i < level.Count; i++)
            Assert.Equal(level[i - 1].MaxTxid.Next(), level[i].MinTxid);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }

    [Fact]
    public async Task F7_MergedFile_HasTheTimeOfItsLastTransaction()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        for (var i = 0; i < 9; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        await using var client = new ReplicaClient(world.Store.Share(), ReplicaLayout.Folders);
        var times = new Dictionary<Txid, DateTimeOffset>();
        await foreach (var file in client.ListAsync(0, Txid.None, TimestampAccuracy.Exact, Token))
            times[file.MaxTxid] = file.Timestamp;
        var merged = 0;
        await foreach (var file in client.ListAsync(1, Txid.None, TimestampAccuracy.Exact, Token))
        {
            merged++;
            Assert.Equal(times[file.MaxTxid], file.Timestamp);
        }
        Assert.True(merged > 2);
    }

    [Fact]
    public async Task F12_TenThousandFilesOfOneLevel_AreAllTakenInOneGo()
    {
        var store = new MemoryObjectStore();
        await using var client = new ReplicaClient(store, ReplicaLayout.Folders);
        var page = new byte[512];
        for (ulong txid = 1; txid <= 10_000; txid++)
        {
            var header = new LtxHeader
            {
                PageSize = 512,
                Commit = 1,
                MinTxid = new Txid(txid),
                MaxTxid = new Txid(txid),
                Timestamp = DateTimeOffset.UnixEpoch.AddSeconds(txid),
                NoChecksum = true,
            };
            BitConverter.TryWriteBytes(page, txid);
            using var content = new MemoryStream();
            await using (var encoder = new LtxEncoder(content, header))
            {
                await encoder.WritePageAsync(1, page, Token);
                await encoder.FinishAsync(Token);
            }
            store.Write(ReplicaLayout.Folders.Key(0, header.MinTxid, header.MaxTxid), content.ToArray(), header.Timestamp);
        }
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow.AddHours(2));
        var listing = new ReplicaListing(client, time);
        await listing.LoadAsync(Token);
        using var slots = new SemaphoreSlim(1);
        var options = new ReplicaOptions { Url = ReplicaUrl.Parse("mem://x/"), SnapshotInterval = TimeSpan.FromDays(100_000) };
        var feed = new KeeperFeed(
            "db",
            "one",
            () => true,
            _ => Task.FromResult(new LtxFileInfo(9, Txid.First, Txid.First, 1, DateTimeOffset.UtcNow)),
            _ => null,
            _ => Assert.Fail("doubt")
        );
        var metrics = new Litestream.Diagnostics.DatabaseMetrics();
        var keeper = new ReplicaKeeper(client, listing, options, false, feed, time, NullLogger.Instance, metrics, slots);
        await keeper.StepAsync(Token);
        Assert.Equal(0, metrics.CompactionErrors);
        Assert.Equal(new Txid(10_000), listing.MaxOf(1));
        Assert.Equal(new Txid(10_000), listing.MaxOf(3));
        Assert.Equal(new Txid(10_000), listing.Reach());
    }

    [Fact]
    public async Task F11_Listing_FollowsWhatIsWrittenAndDeleted_AlsoWhileItLoads()
    {
        var store = new MemoryObjectStore();
        await using var client = new ReplicaClient(store, ReplicaLayout.Folders);
        var listing = new ReplicaListing(client, TimeProvider.System);
        Assert.False(listing.IsKnown);
        LtxFileInfo File(ulong txid) => new(0, new Txid(txid), new Txid(txid), 10, DateTimeOffset.UnixEpoch);
        for (ulong txid = 2; txid < 6; txid++)
            store.Write(ReplicaLayout.Folders.Key(0, new Txid(txid), new Txid(txid)), new byte[10]);
        // The store lists level 0; then, before all levels are read, one file is written and another deleted.
        store.Fault = c =>
        {
            if (c.Operation == "LIST" && c.Key == "ltx/5/")
            {
                listing.Add(File(6));
                listing.Remove([File(2)]);
            }
            return null;
        };
        await listing.LoadAsync(Token);
        Assert.Equal([3UL, 4UL, 5UL, 6UL], listing.Level(0).Select(f => f.MaxTxid.Value));
        listing.Remove([File(6)]);
        Assert.Equal(new Txid(5), listing.MaxOf(0));
        listing.Doubt();
        Assert.False(listing.IsKnown);
        await listing.LoadAsync(Token);
        Assert.Equal(4, listing.Level(0).Count);
    }

    [Fact]
    public async Task F9_ReplicaNotReadyWhenALevelIsDue_ItIsMergedAsSoonAsItIs()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        world.Store.Fault = _ => StoreFault.Unavailable();
        for (var i = 0; i < 30; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        Assert.Equal(ReplicationState.Failing, world.Circle.Status.Replicas[0].State);
        world.Store.Fault = null;
        await world.Circle.StepAsync(300);
        world.Circle.Write();
        await world.Circle.StepAsync(1);
        await world.Circle.StepAsync(30);
        Assert.Equal(world.Circle.Txid, (await world.LevelsAsync())[1][^1].MaxTxid.Value);
    }

    [Fact]
    public async Task H3_PlanMadeBeforeANewSnapshot_ItsSnapshotAndMergedFilesStay()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        for (var i = 0; i < 23 * 4; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(900);
            await world.Circle.StepAsync(1);
        }
        RestorePlan plan;
        await using (var client = new ReplicaClient(world.Store.Share(), ReplicaLayout.Folders))
            plan = await RestorePlanner.PlanAsync(client, RestoreTarget.Latest, Token);
        var merged = plan.Files.Where(f => f.Level > 0).ToList();
        Assert.True(merged.Count >= 3);
        for (var hour = 0; hour < 8; hour++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(3600);
            await world.Circle.StepAsync(1);
        }
        Assert.Equal(2, (await world.LevelsAsync())[9].Count);
        foreach (var file in merged)
            Assert.Contains(ReplicaLayout.Folders.Key(file.Level, file.MinTxid, file.MaxTxid), world.Store.Keys);
    }
}
