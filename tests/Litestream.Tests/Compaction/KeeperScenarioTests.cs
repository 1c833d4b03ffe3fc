using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Tests.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Compaction;

/// <summary>Levels, snapshots and retention of a running engine, judged by restores: replication-engine §21 F, G, H.</summary>
public sealed class KeeperScenarioTests
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
        await using var world = new World();
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
    public async Task SteadyState_NeitherListNorHead_AndNothingAtAllWhenIdle()
    {
        await using var world = new World();
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
        await using var world = new World();
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
        await using var world = new World();
        await world.Circle.StartAsync();
        await world.Circle.SyncAsync();
        await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
        await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
        Assert.Equal(3, world.Store.Calls.Count(c => c.Operation == "PUT" && c.Key.StartsWith("ltx/9/", StringComparison.Ordinal)));
        Assert.Single((await world.LevelsAsync())[9]);
    }

    [Fact]
    public async Task H8_RetentionDisabled_TheReplicaKeepsAll_LocalFilesGo()
    {
        await using var world = new World(r => r with { DeletesOldFiles = false });
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
        await using var world = new World();
        await world.Circle.StartAsync();
        world.Store.Fault = c => c.Operation == "DELETE" ? StoreFault.Unavailable(afterEffect: true) : null;
        for (var i = 0; i < 30; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(60);
        }
        Assert.Contains(world.Store.Calls, c => c.Operation == "DELETE");
        world.Store.Fault = null;
        for (var i = 0; i < 20; i++)
            await world.Circle.StepAsync(60);
        Assert.Single((await world.LevelsAsync())[0]);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F4_UploadOfAMergeFails_OutcomeUnknown_LevelsStayInOrder(bool afterEffect)
    {
        await using var world = new World();
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
    public async Task F28_FileOfTheReplicaDamaged_ASnapshotLeadsOverIt_AndMergingGoesOn()
    {
        await using var world = new World();
        await world.Circle.StartAsync();
        for (var i = 0; i < 12; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        var victim = (await world.LevelsAsync())[1][^1];
        var key = ReplicaLayout.Folders.Key(1, victim.MinTxid, victim.MaxTxid);
        var bytes = world.Store.Read(key);
        bytes[bytes.Length / 2] ^= 0x10;
        world.Store.Write(key, bytes, victim.Timestamp);
        for (var i = 0; i < 120; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        var levels = await world.LevelsAsync();
        Assert.True(levels[9].Count >= 2, "no snapshot leads over the damaged file");
        Assert.True(levels[2].Max(f => f.MaxTxid) > victim.MaxTxid);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }

    [Fact]
    public async Task E12_ReplicaEmptiedWhileRunning_TheDailyLookFindsIt_AndASnapshotMendsIt()
    {
        await using var world = new World();
        await world.Circle.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        foreach (var key in world.Store.Keys.ToList())
            world.Store.Remove(key);
        for (var i = 0; i < 26; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(3600);
        }
        await world.Circle.StepAsync(3600);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }

    [Fact]
    public async Task E20_AnotherWritersFileAtOurNextTransaction_FencedAndNeverOverwritten()
    {
        await using var world = new World();
        await world.Circle.StartAsync();
        await world.Circle.SyncAsync();
        world.Circle.Write();
        await world.Circle.SyncAsync();
        var theirs = world.Store.Read(ReplicaLayout.Folders.Key(0, new Txid(3), new Txid(3)));
        var header = LtxHeader.Read(theirs) with { MinTxid = new Txid(4), MaxTxid = new Txid(4), Timestamp = DateTimeOffset.UnixEpoch };
        header.Write(theirs);
        var key = ReplicaLayout.Folders.Key(0, new Txid(4), new Txid(4));
        world.Store.Write(key, theirs);
        world.Circle.Write();
        await Assert.ThrowsAsync<LitestreamException>(world.Circle.SyncAsync);
        var replica = world.Circle.Status.Replicas[0];
        Assert.Equal(ReplicationState.Fenced, replica.State);
        Assert.Contains("another writer", replica.Cause, StringComparison.Ordinal);
        var before = world.Store.Calls.Count;
        for (var i = 0; i < 10; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(60);
        }
        Assert.Equal(before, world.Store.Calls.Count);
        Assert.Equal(theirs, world.Store.Read(key));
        Assert.False(await world.Circle.StopAsync());
    }

    /// <summary>An engine with one replica in memory.</summary>
    private sealed class World : IAsyncDisposable
    {
        internal World(Func<ReplicaOptions, ReplicaOptions>? change = null)
        {
            var options = new ReplicaOptions { Url = ReplicaUrl.Parse("mem://one/") };
            Circle = new Circle(o => o with { Replicas = [change?.Invoke(options) ?? options] });
            var bucket = new MemoryObjectStore(Circle.Time);
            Store = bucket;
            Circle.Stores = new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], _ => Store = bucket.Share()));
        }

        internal Circle Circle { get; }

        /// <summary>As the engine has it open.</summary>
        internal MemoryObjectStore Store { get; private set; }

        internal async Task<List<LtxFileInfo>[]> LevelsAsync()
        {
            await using var client = new ReplicaClient(Store.Share(), ReplicaLayout.Folders);
            var levels = new List<LtxFileInfo>[10];
            for (var level = 0; level < levels.Length; level++)
            {
                levels[level] = [];
                await foreach (var file in client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, Token))
                    levels[level].Add(file);
            }
            return levels;
        }

        internal async Task<List<Txid>> PointsAsync()
        {
            await using var client = new ReplicaClient(Store.Share(), ReplicaLayout.Folders);
            return [.. (await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Listing, Token)).Select(p => p.Txid)];
        }

        internal async Task<string> RestoreAsync(Txid? txid)
        {
            await using var client = new ReplicaClient(Store.Share(), ReplicaLayout.Folders);
            return await Circle.RestoreAsync(client, new RestoreTarget(txid));
        }

        public async ValueTask DisposeAsync() => await Circle.DisposeAsync();
    }
}
