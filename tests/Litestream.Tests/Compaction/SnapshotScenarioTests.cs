using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Tests.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Compaction;

/// <summary>Snapshots beside writers and checkpoints: replication-engine §10.1 and §21 G.</summary>
public sealed class SnapshotScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task G1_SnapshotAlone_IsTheWholeDatabase()
    {
        await using var world = new KeeperWorld();
        world.Circle.Write(50, 3000);
        await world.Circle.StartAsync();
        world.Circle.Write(20, 900);
        await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
        foreach (var key in world.Store.Keys.Where(k => !k.StartsWith("ltx/9/", StringComparison.Ordinal)).ToList())
            world.Store.Remove(key);
        Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
        Assert.All((await world.LevelsAsync())[9], f => Assert.Equal(Txid.First, f.MinTxid));
    }

    [Fact]
    [Trait("Scenario", "G3")]
    [Trait("Scenario", "G11")]
    [Trait("Scenario", "C12")]
    public async Task G2_CommitsAndCheckpointsWhileItStreams_AreNotInIt_AndTheWalShowsTheirSize()
    {
        await using var world = new KeeperWorld();
        world.Circle.App.Execute("PRAGMA wal_autocheckpoint=10");
        world.Circle.Write(200, 2000);
        await world.Circle.StartAsync();
        await world.Circle.SyncAsync();
        var states = new Dictionary<ulong, string>();
        for (var round = 0; round < 5; round++)
        {
            world.Circle.Write(5, 2000);
            var before = CanonicalDump.Of(world.Circle.App);
            var written = false;
            world.Store.Fault = call =>
            {
                if (call.Operation == "PUT" && call.Key.StartsWith("ltx/9/", StringComparison.Ordinal) && !written)
                {
                    written = true;
                    world.Circle.App.Execute("UPDATE t SET v = randomblob(1500) WHERE id % 3 = 0");
                    world.Circle.Write(30, 2000);
                    world.Circle.App.Execute("PRAGMA wal_checkpoint(PASSIVE)");
                }
                return null;
            };
            await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
            Assert.True(written);
            world.Store.Fault = null;
            var snapshot = (await world.LevelsAsync())[9].MaxBy(f => f.MaxTxid)!;
            Assert.Equal(before, await world.RestoreAsync(snapshot.MaxTxid));
            await world.Circle.StepAsync();
            await world.Circle.SyncAsync();
            Assert.True(world.Circle.Status.WalBytes > 30 * 2000, $"{world.Circle.Status.WalBytes}");
            Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(null));
            await world.Circle.StepAsync(90);
        }
    }

    [Fact]
    public async Task G4_UploadGivesUpEarly_TheReaderIsGone_AndCheckpointsGoOn()
    {
        await using var world = new KeeperWorld();
        world.Circle.Write(300, 3000);
        await world.Circle.StartAsync();
        await world.Circle.SyncAsync();
        world.Store.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        for (var i = 0; i < 5; i++)
            await Assert.ThrowsAsync<LitestreamException>(() => world.Circle.Store.SnapshotAsync(world.Circle.Path, Token));
        world.Store.Fault = null;
        world.Circle.Write(10);
        await world.Circle.StepAsync();
        await world.Circle.StepAsync(120);
        await world.Circle.StepAsync(1);
        // Everything is in the database file and the WAL is used from its start: no reader of a snapshot holds it.
        world.Circle.Write();
        await world.Circle.SyncAsync();
        Assert.NotNull(world.Circle.Status.LastCheckpoint);
        Assert.True(world.Circle.Status.WalBytes < 60_000, $"{world.Circle.Status.WalBytes}");
    }

    [Fact]
    public async Task G8_SyncInPieces_SnapshotEndsAtACommit()
    {
        await using var world = new KeeperWorld(options: o => o with { MaxSyncWalBytes = 1 });
        await world.Circle.StartAsync();
        for (var i = 0; i < 10; i++)
        {
            world.Circle.Write(7, 3000);
            await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
            var snapshot = (await world.LevelsAsync())[9].MaxBy(f => f.MaxTxid)!;
            Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(snapshot.MaxTxid));
        }
    }

    [Fact]
    public async Task G9_WalRestartedSinceTheLastFile_AfterARestart_SnapshotIsRight()
    {
        await using var world = new KeeperWorld();
        await world.Circle.StartAsync();
        for (var i = 0; i < 6; i++)
        {
            world.Circle.Write(3, 2000);
            await world.Circle.SyncAsync();
            await world.Circle.KillAsync();
            world.Circle.Write(3, 2000);
            world.Circle.App.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
            world.Circle.Write(i, 500);
            await world.Circle.StartAsync();
            await world.Circle.Store.SnapshotAsync(world.Circle.Path, Token);
            var snapshot = (await world.LevelsAsync())[9].MaxBy(f => f.MaxTxid)!;
            Assert.Equal(CanonicalDump.Of(world.Circle.App), await world.RestoreAsync(snapshot.MaxTxid));
        }
    }
}
