using Litestream.Ltx;
using Litestream.Replication;
using Litestream.Restore;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>What a sync makes of what applications do: replication-engine §21 B, each judged by a restore.</summary>
public sealed class SyncScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task B1_NoDatabase_NoErrorAndNoFiles_UntilItIsThere()
    {
        await using var circle = new Circle(createDatabase: false);
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        Assert.Equal((ReplicationState.Starting, 0UL), (circle.Status.State, circle.Txid));
        Assert.Equal([], circle.Folder.Contents());
        circle.CreateDatabase();
        await circle.StepAsync();
        Assert.Equal((ReplicationState.Current, 2UL), (circle.Status.State, circle.Txid));
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task B2_B3_FirstSyncIsASnapshot_TheNextHaveOnlyChangedPages()
    {
        await using var circle = new Circle();
        circle.Write(40, 3000);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal((2UL, nameof(FullReason.FirstSync)), (circle.Txid, circle.Status.LastFullReason));
        for (var i = 3UL; i < 7; i++)
        {
            circle.App.Execute($"UPDATE t SET v = randomblob(3000) WHERE id = {i * 5}");
            await circle.RequireRestorableAsync();
            Assert.Equal(i, circle.Txid);
        }
        var files = await circle.RemoteAsync();
        var all = await circle.PagesAsync((await circle.RemoteAsync(LtxFileInfo.SnapshotLevel)).Single());
        Assert.Equal(Enumerable.Range(1, all.Count).Select(p => (uint)p), all); // B18
        Assert.Equal(5, files.Count);
        foreach (var file in files)
            Assert.InRange((await circle.PagesAsync(file)).Count, 1, 4);
    }

    [Fact]
    public async Task B4_WalDeletedWhileClosed_GoesOnWithAFullFile()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.True(await circle.StopAsync());
        circle.Write();
        circle.App.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        circle.App.Dispose();
        File.Delete(circle.Path + "-wal");
        using var again = circle.Connect();
        again.Execute("INSERT INTO t(v) VALUES('after')");
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal(nameof(FullReason.WalRestartedUnwatched), circle.Status.LastFullReason);
        Assert.Equal(CanonicalDump.Of(again), await circle.RestoreAsync());
    }

    [Fact]
    public async Task B5_PositionsFrameOverwrittenWhileClosed_IsFull()
    {
        await using var circle = new Circle();
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        circle.Write(5);
        await circle.RequireRestorableAsync();
        await circle.KillAsync();
        // Everything closed: the next open recovers the WAL from what the file holds, here less than was copied, and writes other frames.
        circle.App.Dispose();
        await TruncateLastFrameAsync(circle.Path + "-wal");
        using var again = circle.Connect();
        again.Execute(
            "PRAGMA wal_autocheckpoint=0; INSERT INTO t(v) VALUES('other'); INSERT INTO t(v) VALUES('other'); INSERT INTO t(v) VALUES('other')"
        );
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(again), await circle.RestoreAsync());
        Assert.Contains(
            circle.Status.LastFullReason,
            new[] { nameof(FullReason.WalOverwritten), nameof(FullReason.WalRestartedUnwatched), nameof(FullReason.WalShrank) }
        );
    }

    [Fact]
    public async Task B6_IdleDatabase_NoNewFiles()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        for (var i = 0; i < 20; i++)
        {
            await circle.SyncAsync();
            await circle.StepAsync(30);
        }
        Assert.Equal(2UL, circle.Txid);
        Assert.Single(await circle.RemoteAsync());
    }

    [Fact]
    public async Task B7_NothingWasInTheWal_SameLife_NextCommitIsIncremental()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.StepAsync(90); // the checkpoint after silence
        Assert.NotNull(circle.Status.LastCheckpoint);
        circle.Write();
        await circle.RequireRestorableAsync();
        await circle.KillAsync();
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Null(circle.Status.LastFullReason);
    }

    [Fact]
    public async Task B9_SyncedToTheEnd_AppTruncates_NextIsIncremental()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            circle.Write(3);
            await circle.StepAsync();
            await circle.StepAsync(90);
            Assert.Equal("0", circle.App.Scalar("PRAGMA wal_checkpoint(TRUNCATE)"));
            await circle.SyncAsync();
        }
        circle.Write();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task B10_B12_TruncatedAndRestartedWhileNobodyHeldIt_IsFull()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.SyncAsync();
        for (var restarts = 1; restarts <= 3; restarts++)
        {
            await circle.KillAsync();
            for (var i = 0; i < restarts; i++)
            {
                circle.Write(restarts * 3);
                circle.App.Execute("PRAGMA wal_checkpoint(RESTART)");
            }
            circle.Write();
            await circle.StartAsync();
            await circle.RequireRestorableAsync();
            Assert.Equal(nameof(FullReason.WalRestartedUnwatched), circle.Status.LastFullReason);
        }
    }

    [Fact]
    public async Task B13_LongWal_BecomesSeveralFiles_EachEndingAtACommit()
    {
        await using var circle = new Circle(o => o with { MaxSyncWalBytes = 50_000 });
        await circle.StartAsync();
        await circle.SyncAsync();
        List<string> states = [];
        for (var i = 0; i < 60; i++)
        {
            circle.Write(1, 6000);
            states.Add(CanonicalDump.Of(circle.App));
        }
        await circle.RequireRestorableAsync();
        Assert.InRange(circle.Txid, 5UL, 20UL);
        var last = -1;
        for (var txid = 3UL; txid <= circle.Txid; txid++)
        {
            var state = states.IndexOf(await circle.RestoreAsync(new RestoreTarget(new Txid(txid))));
            Assert.True(state > last, $"transaction {txid} is no later state");
            last = state;
        }
        Assert.Equal(59, last);
    }

    [Fact]
    public async Task B14_DatabaseGrowsByPagesThatNoFrameHolds_TheyAreFilled()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        var before = int.Parse(circle.App.Scalar("PRAGMA page_count")!, null);
        // Pages that were taken and given back within one transaction lie in the file's length but in no frame.
        circle.App.Execute(
            "BEGIN; INSERT INTO t(v) VALUES(randomblob(400000)); DELETE FROM t WHERE length(v) = 400000; INSERT INTO t(v) VALUES('x'); COMMIT"
        );
        var after = int.Parse(circle.App.Scalar("PRAGMA page_count")!, null);
        Assert.True(after > before + 50);
        await circle.RequireRestorableAsync();
        var pages = await circle.PagesAsync((await circle.RemoteAsync())[^1]);
        Assert.All(Enumerable.Range(before + 1, after - before), p => Assert.Contains((uint)p, pages));
        circle.Write(5, 9000);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task B16_B17_VacuumAndAutoVacuum_Shrink()
    {
        await using var circle = new Circle(createDatabase: false);
        circle.CreateDatabase("PRAGMA auto_vacuum=2");
        circle.Write(200, 2000);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.App.Execute("DELETE FROM t WHERE id % 2 = 0; PRAGMA incremental_vacuum(30)");
        circle.Write();
        await circle.RequireRestorableAsync();
        circle.App.Execute("DELETE FROM t WHERE id % 3 = 0; VACUUM");
        await circle.RequireRestorableAsync();
        circle.App.Execute("DELETE FROM t; VACUUM");
        circle.Write();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Theory]
    [InlineData(512)]
    [InlineData(1024)]
    [InlineData(8192)]
    [InlineData(65536)]
    public async Task B30_EveryPageSize_Works(int pageSize)
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 10 }, createDatabase: false);
        circle.CreateDatabase($"PRAGMA page_size={pageSize}");
        await circle.StartAsync();
        for (var i = 0; i < 8; i++)
        {
            circle.Write(4, pageSize / 2);
            await circle.StepAsync();
        }
        await circle.RequireRestorableAsync();
        Assert.Contains($"page_size {pageSize} ", await circle.RestoreAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task B31_WalIsReusedWithoutGrowing_NothingIsMissed_AndNoFullFile()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 6 });
        await circle.StartAsync();
        var lengths = new HashSet<long>();
        for (var i = 0; i < 60; i++)
        {
            circle.Write(3, 500);
            await circle.StepAsync();
            lengths.Add(new FileInfo(circle.Path + "-wal").Length);
            if (i % 12 == 0)
                await circle.RequireRestorableAsync();
        }
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
        Assert.True(lengths.Max() < 40 * 4120, $"the WAL grew to {lengths.Max()}");
    }

    [Fact]
    [Trait("Scenario", "page-size-changed")]
    public async Task B33_PageSizeChangedWhileStopped_RestoreIsTheNewDatabase()
    {
        await using var circle = new Circle();
        circle.Write(30, 2000);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.True(await circle.StopAsync());
        circle.App.Execute("PRAGMA journal_mode=delete; PRAGMA page_size=8192; VACUUM; PRAGMA journal_mode=wal");
        circle.Write(3);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.PageSizeChanged), circle.Status.LastFullReason);
        circle.Write(3);
        await circle.RequireRestorableAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task B36_EngineKilled_AnotherProcessWritesPastItsCheckpoints_NothingIsLost(bool longer)
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.Write(40, 2000);
        await circle.RequireRestorableAsync();
        await circle.KillAsync();
        // The old tail stays visible when the new life is shorter than the old one; two restarts look like one.
        var sql = string.Concat(Enumerable.Repeat("INSERT INTO t(v) VALUES(randomblob(2000)); ", longer ? 80 : 2));
        await circle.ShellAsync($"{sql} PRAGMA wal_checkpoint(RESTART); {sql}");
        await circle.ShellAsync($"PRAGMA wal_checkpoint(RESTART); {sql}");
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.WalRestartedUnwatched), circle.Status.LastFullReason);
        circle.Write();
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task B24_CancelledWhileWriting_EndsPromptly_AndLeavesNoTemporaryFile()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { Replicas = [], MetaPath = "/meta" }) { Disk = disk };
        circle.Write(300, 3000);
        disk.Fault = step =>
        {
            if (step.Name == "write")
                cancel.Cancel();
            return null;
        };
        await circle.StartAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => circle.Store.SyncAsync(circle.Path, upload: false, cancel.Token));
        Assert.DoesNotContain(disk.Files, f => f.Contains("/ltx/", StringComparison.Ordinal));
        disk.Fault = null;
        await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        Assert.Equal(2UL, circle.Txid);
    }

    [Fact]
    public async Task B19_FailureAfterWriting_TheRetryHasTheSameTransaction_AndIsIncremental()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        foreach (var name in new[] { "create", "write", "sync", "rename", "sync folder", "set time" })
        {
            circle.Write();
            var before = circle.Txid;
            disk.Fault = step =>
                step.Name == name && step.Path.Contains("/ltx", StringComparison.Ordinal) ? SimulatedDisk.Failure(step) : null;
            await Assert.ThrowsAsync<LitestreamException>(circle.SyncAsync);
            Assert.Equal(ReplicationState.Failing, circle.Status.State);
            disk.Fault = null;
            circle.Write();
            await circle.RequireRestorableAsync();
            Assert.Equal(before + 1, circle.Txid);
        }
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    /// <summary>Cuts the WAL behind its last commit but one; nobody has it open.</summary>
    private static async Task TruncateLastFrameAsync(string wal)
    {
        if (!File.Exists(wal))
            return; // the last close has emptied it: as good
        await using var file = new FileStream(wal, FileMode.Open, FileAccess.Write);
        if (file.Length > 5000)
            file.SetLength(file.Length - 4120);
    }
}
