using System.Globalization;
using Litestream.Replicas;
using Litestream.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Checkpoints beside applications and other programs: replication-engine §21 C, each judged by a restore.</summary>
public sealed class CheckpointScenarioTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task C1_C15_WalAtTheLimit_IsMovedAndRestartsWithTheNextWrite_WithoutAFullFile()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 50, CheckpointInterval = TimeSpan.Zero });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        circle.Write(20, 1000);
        await circle.StepAsync();
        Assert.Null(circle.Status.LastCheckpoint);
        circle.Write(60, 1000);
        await circle.StepAsync();
        Assert.NotNull(circle.Status.LastCheckpoint);
        circle.Write();
        await circle.StepAsync();
        Assert.InRange(circle.Status.WalBytes, 1, 10 * 4120);
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task C4_C5_C6_AfterSilence_OneCheckpoint_ThenNeitherCheckpointsNorFiles()
    {
        await using var circle = new Circle(o => o with { CheckpointInterval = TimeSpan.FromSeconds(60) });
        await circle.StartAsync();
        await circle.StepAsync();
        circle.Write(5);
        await circle.StepAsync();
        await circle.StepAsync(30);
        Assert.Null(circle.Status.LastCheckpoint);
        await circle.StepAsync(40);
        var checkpoint = circle.Status.LastCheckpoint;
        Assert.NotNull(checkpoint);
        var txid = circle.Txid;
        for (var i = 0; i < 50; i++)
            await circle.StepAsync(90);
        Assert.Equal((checkpoint, txid), (circle.Status.LastCheckpoint, circle.Txid));
        circle.Write();
        await circle.StepAsync();
        await circle.StepAsync(61);
        Assert.True(circle.Status.LastCheckpoint > checkpoint);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C7_StaleFramesMakeTheFileLarge_TheLogicalSizeCounts()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 40, CheckpointInterval = TimeSpan.Zero });
        await circle.StartAsync();
        circle.Write(100, 3000);
        await circle.StepAsync();
        var length = new FileInfo(circle.Path + "-wal").Length;
        Assert.True(length > 40 * 4120);
        var checkpoint = circle.Status.LastCheckpoint;
        Assert.NotNull(checkpoint);
        for (var i = 0; i < 5; i++)
        {
            circle.Write();
            await circle.StepAsync();
        }
        Assert.Equal(checkpoint, circle.Status.LastCheckpoint);
        Assert.True(circle.Status.WalBytes < length / 4);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C12_C16_AfterALongReader_TheCycleCompletes_AndTheFileShrinksInSilence()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        using (var reader = circle.Connect())
        {
            circle.Write(2);
            reader.Execute("BEGIN; SELECT count(*) FROM t");
            var seen = reader.Scalar("SELECT count(*) FROM t");
            for (var i = 0; i < 20; i++)
            {
                circle.Write(20, 2000);
                await circle.StepAsync();
            }
            await circle.StepAsync(15);
            Assert.True(circle.Status.WalBytes > 200 * 4120, $"{circle.Status.WalBytes}");
            Assert.Null(circle.Status.LastCheckpoint);
            Assert.Equal(seen, reader.Scalar("SELECT count(*) FROM t"));
            await circle.RequireRestorableAsync();
        }
        var length = new FileInfo(circle.Path + "-wal").Length;
        circle.Write(); // still behind the long tail
        await circle.StepAsync();
        await circle.StepAsync(70);
        Assert.NotNull(circle.Status.LastCheckpoint);
        // The file, which had grown far beyond the limit, is emptied in silence.
        var left = new FileInfo(circle.Path + "-wal").Length;
        Assert.True(left == 0, $"{left} of {length} bytes are left: {circle.Status}");
        circle.Write(3);
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task C11_C20_WriterHoldsItsLock_TheCycleGivesUpQuietly_AndComesAgain()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        circle.Write(40, 2000);
        using (var writer = circle.Connect())
        {
            writer.Execute("BEGIN IMMEDIATE; INSERT INTO t(v) VALUES('open')");
            // The barrier's patience is measured by the clock, so let it run.
            using var ticking = new Timer(_ => circle.Time.Advance(TimeSpan.FromMilliseconds(10)), null, 0, 1);
            await circle.StepAsync();
            Assert.Equal(ReplicationState.Current, circle.Status.State);
            Assert.Null(circle.Status.LastCheckpoint);
            writer.Execute("COMMIT");
        }
        await circle.StepAsync(20);
        Assert.NotNull(circle.Status.LastCheckpoint);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C11_WriterGoesBackInSilence_TheCycleComesAgain_AndNobodyIsCalledInTheWay()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 20 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        circle.Write(40, 2000);
        using (var writer = circle.Connect())
        {
            writer.Execute("BEGIN IMMEDIATE; INSERT INTO t(v) VALUES('open')");
            using var ticking = new Timer(_ => circle.Time.Advance(TimeSpan.FromMilliseconds(10)), null, 0, 1);
            await circle.StepAsync();
            await circle.StepAsync(30);
            Assert.Equal(ReplicationState.Blocked, circle.Status.State);
            writer.Execute("ROLLBACK");
        }
        await circle.StepAsync(30);
        await circle.StepAsync(30);
        Assert.Equal(ReplicationState.Current, circle.Status.State);
        Assert.NotNull(circle.Status.LastCheckpoint);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C16_WalEmptiedBeforeAnybodyWroteToIt_HasNoPageSizeYet_AndIsRead()
    {
        await using var circle = new Circle();
        circle.App.Dispose(); // the WAL goes with the last connection
        circle.Reconnect();
        circle.App.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.Write();
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C14_ManyCheckpointsOfAllModesByTheApp_WithWrites_NothingIsLost()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 15 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=5");
        await circle.StartAsync();
        var random = new Random(14);
        string[] modes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
        for (var i = 0; i < 120; i++)
        {
            circle.Write(random.Next(1, 5), random.Next(4000));
            circle.App.Scalar($"PRAGMA wal_checkpoint({modes[random.Next(4)]})");
            if (random.Next(3) == 0)
                await circle.StepAsync(random.NextDouble() * 3);
            circle.App.Scalar($"PRAGMA wal_checkpoint({modes[random.Next(4)]})");
        }
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task C26_AppWithAutocheckpointClosesAndReopens_WalStays_AndNoFullFiles()
    {
        await using var circle = new Circle();
        circle.App.Dispose();
        await circle.StartAsync();
        await circle.SyncAsync();
        for (var i = 0; i < 40; i++)
        {
            using (var app = circle.Connect())
                app.Execute($"PRAGMA wal_autocheckpoint={(i % 2 == 0 ? 3 : 1000)}; INSERT INTO t(v) VALUES(randomblob(5000))");
            Assert.True(File.Exists(circle.Path + "-wal"));
            await circle.StepAsync();
        }
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.Path), await circle.RestoreAsync());
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Scenario", "lock-lost-by-sync-request")]
    [Trait("Scenario", "lock-held-by-monitor")]
    public async Task C25_TruncateRightAfterACommit_IsBusy_WhoeverOpenedTheDatabase(bool byRequest)
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            if (byRequest)
            {
                // The request ends, and its token with it: what it opened belongs to the engine.
                using var request = new CancellationTokenSource();
                await circle.Store.SyncAsync(circle.Path, upload: true, request.Token);
                await request.CancelAsync();
            }
            else
            {
                await circle.StepAsync(i * 60);
            }
            circle.Write(3);
            Assert.Equal("1", circle.App.Scalar("PRAGMA wal_checkpoint(TRUNCATE)"));
        }
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task C18_C25_AnotherProcessTruncatesAllTheTime_ItIsBusy_NothingIsLost_AndTheWalIsBounded()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 200 });
        circle.App.Execute("PRAGMA busy_timeout=5000");
        await using var store = new LitestreamStore(new LitestreamOptions { Databases = [circle.Options] }, new ObjectStoreFactory());
        await store.StartAsync(Token);
        await store.SyncAsync(circle.Path, upload: true, Token);
        await using var hostile = TestProcess.Start(
            "/bin/sh",
            ["-c", $"while :; do '{Require.Program("sqlite3")}' '{circle.Path}' 'PRAGMA wal_checkpoint(TRUNCATE)'; done"]
        );
        var longest = 0L;
        for (var i = 0; i < 1500 || hostile.LineCount < 40; i++)
        {
            Assert.True(i < 100_000, "the other process never came");
            circle.App.Execute("INSERT INTO t(v) VALUES(randomblob(1500))");
            longest = Math.Max(longest, new FileInfo(circle.Path + "-wal").Length);
            if (i % 300 == 299)
                await store.SyncAsync(circle.Path, upload: true, Token);
            if (i % 10 == 9)
                await Task.Delay(1, Token);
        }
        hostile.Kill();
        var answers = hostile.Output.Split('\n').GroupBy(l => l[..Math.Min(1, l.Length)]).ToDictionary(g => g.Key, g => g.Count());
        await store.SyncAsync(circle.Path, upload: true, Token);
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"answers {string.Join(' ', answers)}; longest WAL {longest}; {store.Databases[0].LastFullReason}"
            )
        );
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync());
        Assert.True(answers.GetValueOrDefault("1") > 0, "it was never told that the WAL is busy");
        Assert.Equal(nameof(FullReason.FirstSync), store.Databases[0].LastFullReason);
        Assert.True(longest < 40_000_000, $"the WAL grew to {longest}");
    }
}
