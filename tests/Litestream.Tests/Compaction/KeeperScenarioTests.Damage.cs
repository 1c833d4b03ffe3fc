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

/// <summary>Replicas that are damaged, emptied, fenced or slow.</summary>
public sealed partial class KeeperScenarioTests
{
    [Fact]
    public async Task F28_FileOfTheReplicaDamaged_ASnapshotLeadsOverIt_AndMergingGoesOn()
    {
        await using var world = new KeeperWorld();
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FileOfTheReplicaGone_OnlyOneThatIsNeeded_CostsASnapshot(bool isNeeded)
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        for (var i = 0; i < 12; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        var levels = await world.LevelsAsync();
        // Of level 1 one that no snapshot covers; or a snapshot's own first transactions, which it covers.
        var victim = isNeeded ? levels[1][^1] : levels[1][0];
        if (!isNeeded)
            await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
        var snapshots = (await world.LevelsAsync())[9].Count;
        foreach (var file in levels[0].Where(f => isNeeded && f.MinTxid >= victim.MinTxid && f.MaxTxid <= victim.MaxTxid))
            world.Store.Remove(ReplicaLayout.Folders.Key(0, file.MinTxid, file.MaxTxid));
        world.Store.Remove(ReplicaLayout.Folders.Key(1, victim.MinTxid, victim.MaxTxid));
        for (var i = 0; i < 60; i++)
        {
            world.Circle.Write();
            await world.Circle.StepAsync(20);
        }
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
        Assert.Equal(isNeeded, (await world.LevelsAsync())[9].Count > snapshots);
    }

    [Fact]
    public async Task E12_ReplicaEmptiedWhileRunning_TheDailyLookFindsIt_AndASnapshotMendsIt()
    {
        await using var world = new KeeperWorld();
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
        await using var world = new KeeperWorld();
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

    [Fact]
    public async Task F5_SourceConnectionDrops_TheMergeGoesOnWhereItBroke()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            world.Circle.Write(3, 4000);
            await world.Circle.StepAsync(20);
        }
        var drops = 0;
        world.Store.Fault = c =>
            c.Operation == "GET" && c.Key.StartsWith("ltx/1/", StringComparison.Ordinal) && drops++ % 2 == 0
                ? StoreFault.Break(2000)
                : null;
        var step = world.Circle.StepAsync(400);
        while (!step.IsCompleted)
        {
            await Task.Delay(2, Token);
            world.Circle.Time.Advance(TimeSpan.FromMilliseconds(100));
        }
        await step;
        Assert.True(drops >= 4, $"{drops} downloads");
        var levels = await world.LevelsAsync();
        Assert.Equal(levels[1][^1].MaxTxid, levels[2][^1].MaxTxid);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
    }
}
