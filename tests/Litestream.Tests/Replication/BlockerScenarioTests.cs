using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Litestream.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Programs that keep the engine from moving on: they are named, nothing is lost, and work goes on when they are gone.</summary>
public sealed class BlockerScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task C2_LongReaderOfAnotherProcess_IsNamed_AndOnceItIsGoneTheFileShrinksWithoutACommit()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20, TruncatePageN = 100 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        await using var shell = TestProcess.Start(Require.Program("sqlite3"), [circle.Path]);
        await shell.WriteLineAsync("BEGIN; SELECT 'reads', count(*) FROM t;");
        await shell.WaitForLineAsync(new Regex("reads"), cancellationToken: Token);
        for (var i = 0; i < 12; i++)
        {
            circle.Write(20, 2000);
            await circle.StepAsync();
        }
        Assert.Equal(ReplicationState.Blocked, circle.Status.State);
        var blocker = circle.Status.Blocker!;
        Assert.Equal(BlockerKind.Reader, blocker.Kind);
        Assert.InRange(blocker.WalBytes, 200 * 4120, circle.Status.WalBytes);
        Assert.InRange((circle.Time.GetUtcNow() - blocker.Since).TotalSeconds, 10, 30);
        if (RuntimeInformation.IsOSPlatform(OSPlatform.Linux))
        {
            Assert.Equal(shell.Id, Assert.Single(blocker.Processes).ProcessId);
            Assert.Contains($"process {shell.Id} (sqlite3)", circle.Status.Cause, StringComparison.Ordinal);
        }
        Assert.Contains("MB of WAL are held", circle.Status.Cause, StringComparison.Ordinal);
        Assert.True(Sample(circle, "litestream_blocked_seconds_total") >= 10);
        // Copying goes on all the time.
        await circle.RequireRestorableAsync();
        await shell.WriteLineAsync("ROLLBACK; SELECT 'done';");
        await shell.WaitForLineAsync(new Regex("done"), cancellationToken: Token);
        // Nobody commits any more: the space comes back all the same.
        for (var i = 0; i < 15 && new FileInfo(circle.Path + "-wal").Length > 0; i++)
            await circle.StepAsync(10);
        Assert.Equal(0, new FileInfo(circle.Path + "-wal").Length);
        Assert.Equal((ReplicationState.Current, null, null), (circle.Status.State, circle.Status.Cause, circle.Status.Blocker));
        circle.Write();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task ReaderHasGone_AndTheWalWasBegunAnew_NobodyIsCalledInTheWay_ThoughNoCycleIsDue()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20, CheckpointInterval = TimeSpan.Zero });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        using (var reader = circle.Connect())
        {
            reader.Execute("BEGIN; SELECT count(*) FROM t");
            circle.Write(40, 2000);
            await circle.StepAsync();
            await circle.StepAsync(30);
            Assert.Equal(ReplicationState.Blocked, circle.Status.State);
        }
        circle.App.Execute("PRAGMA wal_checkpoint(RESTART)");
        circle.Write();
        await circle.StepAsync(30);
        await circle.StepAsync(30);
        Assert.Equal((ReplicationState.Current, null), (circle.Status.State, circle.Status.Blocker));
        await circle.RequireRestorableAsync();
    }

    [Fact]
    [Trait("Scenario", "C9")]
    public async Task C8_C9_WhatTruncateWouldDo_IsLeftOutWhenTheFileIsSmall_AndIsNotTriedAgainstAReader()
    {
        // C8 and C9 speak of TRUNCATE beside PASSIVE at a threshold. Here the WAL restarts by itself after each complete cycle, so that a file
        // below the threshold is never emptied (C8); and behind a reader no kind of checkpoint gets further, so that the cycle backs off instead
        // of trying a harder one, which would block writers (C9).
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20, TruncatePageN = 1000 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        circle.Write(60, 2000);
        await circle.StepAsync();
        await circle.StepAsync(61);
        Assert.NotNull(circle.Status.LastCheckpoint);
        var length = new FileInfo(circle.Path + "-wal").Length;
        Assert.InRange(length, 1, 1000 * 4096);
        using var reader = circle.Connect();
        circle.Write(30, 2000);
        reader.Execute("BEGIN; SELECT count(*) FROM t");
        circle.Write(30, 2000);
        await circle.StepAsync();
        var cycles = Sample(circle, "litestream_checkpoint_count");
        for (var i = 0; i < 100; i++)
            await circle.StepAsync(0.2);
        Assert.InRange(Sample(circle, "litestream_checkpoint_count") - cycles, 1, 12);
        Assert.True(new FileInfo(circle.Path + "-wal").Length >= length);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C10_LongCatchUpInPieces_IsFollowedByItsCheckpoint()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 100, MaxSyncWalBytes = 100_000 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.SyncAsync();
        await circle.KillAsync();
        circle.Write(400, 3000);
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.StepAsync();
        Assert.NotNull(circle.Status.LastCheckpoint);
        Assert.True(circle.Txid > 10, $"{circle.Txid}");
        circle.Write();
        await circle.StepAsync();
        Assert.InRange(circle.Status.WalBytes, 1, 10 * 4120);
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason ?? nameof(FullReason.FirstSync));
    }

    [Fact]
    public async Task WriterThatNeverCommits_IsNamedWhenItLasts()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        circle.Write(40, 2000);
        await using var shell = TestProcess.Start(Require.Program("sqlite3"), [circle.Path]);
        await shell.WriteLineAsync("BEGIN IMMEDIATE; INSERT INTO t(v) VALUES('open'); SELECT 'writes';");
        await shell.WaitForLineAsync(new Regex("writes"), cancellationToken: Token);
        using (new Timer(_ => circle.Time.Advance(TimeSpan.FromMilliseconds(10)), null, 0, 1)) // the barrier's patience goes by the clock
            await circle.StepAsync();
        for (var i = 0; i < 4; i++)
            await circle.StepAsync(5);
        Assert.Equal((ReplicationState.Blocked, BlockerKind.Writer), (circle.Status.State, circle.Status.Blocker?.Kind));
        await shell.WriteLineAsync("COMMIT; SELECT 'done';");
        await shell.WaitForLineAsync(new Regex("done"), cancellationToken: Token);
        await circle.StepAsync(20);
        await circle.StepAsync(20);
        Assert.Equal(ReplicationState.Current, circle.Status.State);
        Assert.NotNull(circle.Status.LastCheckpoint);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task ExclusiveLocker_BlocksReading_IsNamed_AndTheLagIsShown()
    {
        await using var circle = new Circle(o => o with { BusyTimeout = TimeSpan.FromMilliseconds(20) });
        circle.App.Dispose();
        await using var shell = TestProcess.Start(Require.Program("sqlite3"), [circle.Path]);
        await shell.WriteLineAsync("PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t(v) VALUES('alone'); SELECT 'locked';");
        await shell.WaitForLineAsync(new Regex("locked"), cancellationToken: Token);
        await circle.StartAsync();
        for (var i = 0; i < 4; i++)
            await circle.StepAsync(6);
        Assert.Equal((ReplicationState.Blocked, BlockerKind.Exclusive), (circle.Status.State, circle.Status.Blocker?.Kind));
        Assert.NotNull(circle.Status.NextRetry);
        if (RuntimeInformation.IsOSPlatform(OSPlatform.Linux))
            Assert.Contains($"process {shell.Id} (sqlite3)", circle.Status.Cause, StringComparison.Ordinal);
        shell.Kill();
        await shell.WaitForExitAsync(TimeSpan.FromSeconds(10), Token);
        await circle.StepAsync(400);
        Assert.Equal((ReplicationState.Current, null), (circle.Status.State, circle.Status.Blocker));
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.Path), await circle.RestoreAsync());
    }

    [Fact]
    [Trait("Scenario", "C24")]
    public async Task PageThatACheckpointLost_IsFoundByTheSample_AndAlarmsButTheReplicaIsRight()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 10, CheckpointInterval = TimeSpan.Zero });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0; CREATE TABLE u(v)");
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.App.Execute("INSERT INTO t(v) VALUES(randomblob(12000))");
        var expected = circle.App.Scalar("PRAGMA page_count");
        using (var reader = circle.Connect())
        {
            reader.Execute("BEGIN; SELECT count(*) FROM t");
            for (var i = 0; i < 15; i++)
                circle.App.Execute("INSERT INTO u(v) VALUES(1)");
            await circle.StepAsync();
            Assert.Null(circle.Status.LastCheckpoint); // the first commits are moved, the reader holds the rest
            Assert.Empty(circle.Status.Alarms);
            // What the race of old SQLite libraries does: the page counts as moved, and is not there.
            var page = long.Parse(expected!, System.Globalization.CultureInfo.InvariantCulture);
            await using var spoil = await TestProcess.RunAsync(
                "/bin/dd",
                ["if=/dev/zero", $"of={circle.Path}", "bs=4096", $"seek={page - 1}", "count=1", "conv=notrunc"],
                cancellationToken: Token
            );
            Assert.Equal(0, spoil.ExitCode);
        }
        circle.App.Execute("INSERT INTO u(v) VALUES(2)");
        await circle.StepAsync(20);
        Assert.NotNull(circle.Status.LastCheckpoint);
        var alarm = Assert.Single(circle.Status.Alarms);
        Assert.Contains($"page {expected} ", alarm, StringComparison.Ordinal);
        Assert.Equal(1, Sample(circle, "litestream_checkpoint_page_mismatch_count"));
        await circle.SyncAsync();
        await circle.RestoreAsync(); // with a full integrity check: the replica never saw the damage
    }

    private static double Sample(Circle circle, string name) => circle.Store.Metrics.Samples().Where(s => s.Name == name).Sum(s => s.Value);
}
