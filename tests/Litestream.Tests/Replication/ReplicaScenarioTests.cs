using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Lost, replaced and damaged things, on both sides: replication-engine §21 B, D and E, each judged by a restore.</summary>
public sealed class ReplicaScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task B27_DatabaseReplacedByRename_TheNewOneIsCopiedWhole(bool bySync)
    {
        await using var circle = new Circle();
        circle.Write(20);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.App.Dispose();
        var other = circle.Folder.Combine("other.db");
        using (var connection = TestDatabase.Open(other))
            connection.Execute("PRAGMA journal_mode=wal; CREATE TABLE u(a); INSERT INTO u VALUES('the new one')");
        File.Delete(circle.Path + "-wal");
        File.Delete(circle.Path + "-shm");
        File.Move(other, circle.Path, overwrite: true);
        if (!bySync)
            await circle.StepAsync(15);
        await circle.SyncAsync();
        var restored = await circle.RestoreAsync();
        Assert.Contains("CREATE TABLE u", restored, StringComparison.Ordinal);
        Assert.Equal(CanonicalDump.Of(circle.Path), restored);
        Assert.Equal((4UL, nameof(FullReason.DatabaseReplaced)), (circle.Txid, circle.Status.LastFullReason));
        using var app = circle.Connect();
        app.Execute("INSERT INTO u VALUES('more')");
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(app), await circle.RestoreAsync());
    }

    [Fact]
    public async Task B27_ReplacedAndThenStopped_TheLastSyncHasTheNewDatabase()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.App.Dispose();
        var other = circle.Folder.Combine("other.db");
        using (var connection = TestDatabase.Open(other))
            connection.Execute("PRAGMA journal_mode=wal; CREATE TABLE u(a)");
        File.Delete(circle.Path + "-wal");
        File.Delete(circle.Path + "-shm");
        File.Move(other, circle.Path, overwrite: true);
        Assert.True(await circle.StopAsync());
        Assert.Contains("CREATE TABLE u", await circle.RestoreAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task DatabaseMissing_ButTheReplicaHasBackups_SyncAndStopAreComplete()
    {
        await using var circle = await Circle.RunningAsync(2);
        Assert.True(await circle.StopAsync());
        circle.App.Dispose();
        Directory.Delete(EngineFolder.Of(circle.Options), recursive: true);
        foreach (var suffix in new[] { "", "-wal", "-shm" })
            File.Delete(circle.Path + suffix);
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.SyncAsync();
        Assert.Equal(ReplicationState.Starting, circle.Status.State);
        Assert.True(await circle.StopAsync());
        Assert.Equal(2, (await circle.RemoteAsync()).Count);
    }

    [Fact]
    public async Task B28_DatabaseDeletedAndRecreated_TransactionsGoOn()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.App.Dispose();
        foreach (var suffix in new[] { "", "-wal", "-shm" })
            File.Delete(circle.Path + suffix);
        await circle.StepAsync(15);
        await circle.StepAsync();
        Assert.Equal(ReplicationState.Starting, circle.Status.State);
        circle.CreateDatabase();
        circle.Write(7);
        await circle.StepAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal((4UL, nameof(FullReason.DatabaseReplaced)), (circle.Txid, circle.Status.LastFullReason));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task B21_NewestLocalFileDeleted_GoesOnBehindTheReplica(bool writes)
    {
        await using var circle = await Circle.RunningAsync(5);
        await circle.KillAsync();
        File.Delete(circle.LocalFiles()[^1]);
        if (writes)
            circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        // The lost transaction was copied again, with another content than the replica has: a new run begins behind both.
        Assert.Equal((9UL, nameof(FullReason.ReplicaAhead)), (circle.Txid, circle.Status.LastFullReason));
    }

    [Fact]
    public async Task B21_TheSame_WithNobodyAskingForASync()
    {
        await using var circle = await Circle.RunningAsync(5);
        await circle.KillAsync();
        File.Delete(circle.LocalFiles()[^1]);
        await circle.StartAsync();
        await circle.StepAsync();
        Assert.Equal(
            (9UL, 9UL, ReplicationState.Current),
            (circle.Txid, circle.Status.Replicas[0].Txid.Value, circle.Status.Replicas[0].State)
        );
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync());
    }

    [Theory]
    [InlineData(0)] // its header
    [InlineData(300)] // a page
    [InlineData(-1)] // cut to nothing
    public async Task B22_NewestLocalFileDamaged_GoesOnBehindItWithEverything(int at)
    {
        await using var circle = await Circle.RunningAsync(5);
        await circle.KillAsync();
        var newest = circle.LocalFiles()[^1];
        var bytes = await File.ReadAllBytesAsync(newest, Token);
        if (at >= 0)
            bytes[at] ^= 0xff;
        await File.WriteAllBytesAsync(newest, at < 0 ? [] : bytes, Token);
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal((8UL, nameof(FullReason.LocalFileDamaged)), (circle.Txid, circle.Status.LastFullReason));
    }

    [Fact]
    public async Task E10_E11_LocalStateLost_GoesOnBehindTheReplica()
    {
        await using var circle = await Circle.RunningAsync(5);
        var before = await circle.RestoreAsync();
        await circle.KillAsync();
        Directory.Delete(EngineFolder.Of(circle.Options), recursive: true);
        circle.Write(3);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal((8UL, nameof(FullReason.ReplicaAhead)), (circle.Txid, circle.Status.LastFullReason));
        Assert.Equal(before, await circle.RestoreAsync(new RestoreTarget(new Txid(6))));
        Assert.Equal([2UL, 8UL], (await circle.RemoteAsync(LtxFileInfo.SnapshotLevel)).Select(f => f.MaxTxid.Value));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(9)]
    public async Task E11_LocalStateLostWhileTheReplicaIsAway_HistoriesAreNeverMixed(int transactionsMeanwhile)
    {
        var bucket = new MemoryObjectStore();
        MemoryObjectStore? door = null;
        var fails = false;
        await using var circle = new Circle(o => o with { Replicas = [Memory("one")] })
        {
            Stores = MemoryStores(_ =>
            {
                door = bucket.Share();
                door.Fault = _ => fails ? StoreFault.Unavailable() : null;
                return door;
            }),
        };
        await circle.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            circle.Write(2, 3000);
            await circle.SyncAsync();
        }
        var old = await RestoreAsync(circle, bucket);
        await circle.KillAsync();
        Directory.Delete(EngineFolder.Of(circle.Options), recursive: true);
        fails = true;
        await circle.StartAsync();
        for (var i = 0; i < transactionsMeanwhile; i++)
        {
            circle.App.Execute("DELETE FROM t WHERE id % 2 = 0");
            circle.Write(2, 3000);
            await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        }
        await circle.KillAsync(); // and what was in memory is forgotten
        fails = false;
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
        Assert.Equal(old, await RestoreAsync(circle, bucket, new RestoreTarget(new Txid(6))));
        circle.Write();
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task E12_ReplicaEmptied_BecomesRestorableAgain()
    {
        await using var circle = await Circle.RunningAsync(5);
        await circle.KillAsync();
        Directory.Delete(circle.Replica, recursive: true);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.Write();
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task Restart_NothingLost_NeitherFullFileNorSnapshot()
    {
        await using var circle = await Circle.RunningAsync(5);
        for (var i = 0; i < 6; i++)
        {
            if (i % 2 == 0)
                await circle.KillAsync();
            else
                Assert.True(await circle.StopAsync());
            circle.Write();
            await circle.StartAsync();
            await circle.RequireRestorableAsync();
        }
        Assert.Null(circle.Status.LastFullReason);
        Assert.Single(await circle.RemoteAsync(LtxFileInfo.SnapshotLevel));
        Assert.Equal(11, (await circle.RemoteAsync()).Count);
    }

    [Fact]
    public async Task LocalFilesAreBounded_TheReplicaThatWasAwayIsRebasedByASnapshot()
    {
        var bucket = new MemoryObjectStore();
        var fails = false;
        await using var circle = new Circle(o => o with { Replicas = [Memory("one")], MaxLocalBytes = 60_000 })
        {
            Stores = MemoryStores(_ =>
            {
                var door = bucket.Share();
                door.Fault = _ => fails ? StoreFault.Unavailable() : null;
                return door;
            }),
        };
        await circle.StartAsync();
        circle.Write();
        await circle.SyncAsync();
        fails = true;
        for (var i = 0; i < 40; i++)
        {
            circle.Write(1, 6000);
            await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        }
        Assert.True(circle.Status.LocalBytes <= 60_000, $"{circle.Status.LocalBytes}");
        await circle.StepAsync(600);
        Assert.Equal(ReplicationState.Failing, circle.Status.Replicas[0].State);
        Assert.Equal(40, circle.Status.Replicas[0].PendingTransactions);
        fails = false;
        await circle.StepAsync(600);
        Assert.Equal((ReplicationState.Current, 42UL), (circle.Status.Replicas[0].State, circle.Status.Replicas[0].Txid.Value));
        Assert.Contains(bucket.Keys, k => k.StartsWith("ltx/9/", StringComparison.Ordinal));
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
        circle.Write();
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task SeveralReplicas_EachAtItsOwnPosition_OneFailsAndCatchesUp()
    {
        var buckets = new Dictionary<string, MemoryObjectStore> { ["one"] = new(), ["two"] = new() };
        var failing = new HashSet<string>();
        await using var circle = new Circle(o => o with { Replicas = [Memory("one"), Memory("two")] })
        {
            Stores = MemoryStores(o =>
            {
                var door = buckets[o.Name!].Share();
                door.Fault = _ => failing.Contains(o.Name!) ? StoreFault.Unavailable() : null;
                return door;
            }),
        };
        await circle.StartAsync();
        await circle.SyncAsync();
        failing.Add("two");
        for (var i = 0; i < 5; i++)
        {
            circle.Write();
            await circle.StepAsync();
        }
        Assert.Equal(
            [(7UL, ReplicationState.Current), (2UL, ReplicationState.Failing)],
            circle.Status.Replicas.Select(r => (r.Txid.Value, r.State))
        );
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, buckets["one"]));
        await Assert.ThrowsAsync<LitestreamException>(circle.SyncAsync);
        failing.Clear();
        await circle.StepAsync(600);
        Assert.All(circle.Status.Replicas, r => Assert.Equal((7UL, ReplicationState.Current), (r.Txid.Value, r.State)));
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, buckets["two"]));
        Assert.Single(buckets["two"].Keys, k => k.StartsWith("ltx/9/", StringComparison.Ordinal)); // the first one; none was needed to catch up
    }

    [Fact]
    public async Task SnapshotForOneReplica_TheFileItMakesReachesTheOther()
    {
        var buckets = new Dictionary<string, MemoryObjectStore> { ["one"] = new(), ["two"] = new() };
        await using var circle = new Circle(o => o with { Replicas = [Memory("one"), Memory("two")] })
        {
            Stores = MemoryStores(o => buckets[o.Name!].Share()),
        };
        await circle.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            circle.Write();
            await circle.StepAsync();
        }
        await circle.KillAsync();
        foreach (var key in buckets["one"].Keys)
            buckets["one"].Remove(key);
        await circle.StartAsync();
        // The upload loop of the first comes after a commit that the database's own loop has not seen yet.
        var uploads = 0;
        buckets["one"].Fault = _ => null;
        await circle.StepAsync(0);
        circle.Write();
        uploads += buckets["one"].Keys.Count;
        await circle.StepAsync(30);
        Assert.True(uploads > 0);
        Assert.All(circle.Status.Replicas, r => Assert.Equal((circle.Txid, ReplicationState.Current), (r.Txid.Value, r.State)));
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, buckets["one"]));
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, buckets["two"]));
    }

    [Fact]
    public async Task E16_AnswerOfAnUploadLost_NeitherHoleNorDouble()
    {
        var bucket = new MemoryObjectStore();
        MemoryObjectStore? door = null;
        await using var circle = new Circle(o => o with { Replicas = [Memory("one")] })
        {
            Stores = MemoryStores(_ => door = bucket.Share()),
        };
        await circle.StartAsync();
        await circle.SyncAsync();
        door!.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable(afterEffect: true) : null;
        circle.Write();
        await Assert.ThrowsAsync<LitestreamException>(circle.SyncAsync);
        door.Fault = null;
        circle.Write();
        await circle.SyncAsync();
        Assert.Equal(4, bucket.Keys.Count);
        Assert.Equal(1, door.Calls.Count(c => c.Operation == "PUT" && c.Key.Contains("0003-", StringComparison.Ordinal)));
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    private static ReplicaOptions Memory(string name) => new() { Name = name, Url = ReplicaUrl.Parse($"mem://{name}/") };

    private static ObjectStoreFactory MemoryStores(Func<ReplicaOptions, ObjectStore> open) =>
        new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], open));

    private static async Task<string> RestoreAsync(Circle circle, MemoryObjectStore bucket, RestoreTarget? target = null)
    {
        await using var client = new ReplicaClient(bucket.Share(), ReplicaLayout.Folders);
        return await circle.RestoreAsync(client, target);
    }
}
