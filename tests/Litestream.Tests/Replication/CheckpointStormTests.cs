using Litestream.Replicas;
using Litestream.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Checkpoints of the running engine while applications really write at the same time: replication-engine §21 C, each judged by a restore.</summary>
public sealed class CheckpointStormTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task C13_CommitsSlipInWhileTheFileIsEmptied_NothingIsLost_AndNoFullFile()
    {
        // Silence begins after a millisecond here, so that the file is emptied all the time, in the middle of the application's work.
        await using var circle = new Circle(o =>
            o with
            {
                CheckpointInterval = TimeSpan.FromMilliseconds(1),
                MinCheckpointPageCount = 5,
                TruncatePageN = 1,
                MonitorInterval = TimeSpan.FromMilliseconds(1),
            }
        );
        await using var store = await RunAsync(circle);
        var emptied = 0;
        for (var burst = 0; burst < 60 || emptied < 5; burst++)
        {
            Assert.True(burst < 2_000, $"the file was emptied {emptied} times only");
            circle.Write(1 + burst % 7, 1500);
            // Every other time the file may come to rest, else the next commit comes right into the work.
            for (var i = 0; burst % 2 == 0 && i < 50; i++)
            {
                await Task.Delay(2, Token);
                if (new FileInfo(circle.Path + "-wal").Length > 0)
                    continue;
                emptied++;
                break;
            }
        }
        await store.SyncAsync(circle.Path, upload: true, Token);
        output.WriteLine($"seen empty {emptied} times");
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync());
        Assert.Equal(1, store.Databases[0].FullFiles);
        Assert.Empty(store.Databases[0].Alarms);
    }

    [Fact]
    public async Task C19_WriterThatNeverPauses_TheWalIsBoundedByWhatIsWrittenBetweenTwoLooks()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 300 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=1000");
        await circle.StartAsync();
        await circle.SyncAsync();
        var longest = 0L;
        for (var i = 0; i < 80; i++)
        {
            circle.Write(150, 200); // a frame each, or two
            longest = Math.Max(longest, new FileInfo(circle.Path + "-wal").Length);
            circle.Store.NotifyCommit(circle.Path); // as the watcher would
            await circle.StepAsync(0.01);
        }
        output.WriteLine($"longest WAL {longest / 4120} frames");
        Assert.True(longest < (300 + 2 * 320) * 4120, $"the WAL grew to {longest / 4120} frames");
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task C24_TwoMoreCheckpointersBesideAWriter_NoPageIsLost()
    {
        await using var circle = new Circle(o =>
            o with
            {
                MinCheckpointPageCount = 20,
                CheckpointInterval = TimeSpan.FromMilliseconds(20),
            }
        );
        await using var store = await RunAsync(circle);
        circle.App.Execute("PRAGMA busy_timeout=10000; PRAGMA wal_autocheckpoint=1");
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var hostile = new[] { "PASSIVE", "RESTART" }
            .Select(mode =>
                Task.Run(
                    () =>
                    {
                        using var connection = circle.Connect();
                        while (!done.IsCancellationRequested)
                            connection.Scalar($"PRAGMA wal_checkpoint({mode})");
                    },
                    Token
                )
            )
            .ToList();
        var random = new Random(24);
        for (var i = 0; i < 1500; i++)
        {
            circle.App.Execute(
                $"INSERT INTO t(v) VALUES(randomblob({random.Next(6000)})); UPDATE t SET v = randomblob(900) WHERE id % 97 = {i % 97}"
            );
            if (i % 40 == 0)
                await Task.Delay(random.Next(30), Token);
        }
        await done.CancelAsync();
        await Task.WhenAll(hostile);
        await store.SyncAsync(circle.Path, upload: true, Token);
        var status = store.Databases[0];
        output.WriteLine(
            $"checkpoints {Sample(store, "litestream_checkpoint_count")}, in vain {Sample(store, "litestream_checkpoint_error_count")}"
        );
        Assert.Empty(status.Alarms);
        Assert.Equal(0, Sample(store, "litestream_checkpoint_page_mismatch_count"));
        Assert.Equal(1, status.FullFiles);
        Assert.Equal("ok", circle.App.Scalar("PRAGMA integrity_check"));
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync());
    }

    [Fact]
    [Trait("Scenario", "C6")]
    public async Task C17_GrowthAroundCheckpoints_EveryNewPageIsInTheFiles_SoThatTheyMerge()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 10, CheckpointInterval = TimeSpan.FromSeconds(5) });
        circle.App.Execute("PRAGMA wal_autocheckpoint=3");
        await circle.StartAsync();
        await circle.SyncAsync();
        var before = uint.Parse(circle.App.Scalar("PRAGMA page_count")!, System.Globalization.CultureInfo.InvariantCulture);
        for (var i = 0; i < 12; i++)
        {
            circle.App.Execute($"BEGIN; INSERT INTO t(v) VALUES(zeroblob({20_000 + 3000 * i})); DELETE FROM t WHERE id % 4 = 3; COMMIT");
            await circle.StepAsync(i % 3 == 2 ? 7 : 2);
        }
        Assert.NotNull(circle.Status.LastCheckpoint);
        await circle.RequireRestorableAsync();
        var after = uint.Parse(circle.App.Scalar("PRAGMA page_count")!, System.Globalization.CultureInfo.InvariantCulture);
        var pages = new SortedSet<uint>();
        foreach (var file in (await circle.RemoteAsync()).Skip(1))
            pages.UnionWith(await circle.PagesAsync(file));
        Assert.Empty(Enumerable.Range((int)before + 1, (int)(after - before)).Select(p => (uint)p).Except(pages));
    }

    [Fact]
    public async Task C21_CyclesInVain_AreCounted_ByMode()
    {
        await using var circle = new Circle(o => o with { MinCheckpointPageCount = 10 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.StepAsync();
        using var reader = circle.Connect();
        circle.Write(5);
        reader.Execute("BEGIN; SELECT count(*) FROM t");
        circle.Write(20, 2000);
        await circle.StepAsync();
        var errors = circle.Store.Metrics.Samples().Single(s => s.Name == "litestream_checkpoint_error_count");
        Assert.Equal(1, errors.Value);
        Assert.Contains(("mode", "PASSIVE"), errors.Labels);
        reader.Execute("ROLLBACK");
        circle.Write();
        await circle.StepAsync(20);
        Assert.Equal(1, circle.Store.Metrics.Samples().Single(s => s.Name == "litestream_checkpoint_error_count").Value);
        Assert.NotNull(circle.Status.LastCheckpoint);
    }

    private static async Task<LitestreamStore> RunAsync(Circle circle)
    {
        var store = new LitestreamStore(new LitestreamOptions { Databases = [circle.Options] }, new ObjectStoreFactory());
        await store.StartAsync(Token);
        await store.SyncAsync(circle.Path, upload: true, Token);
        return store;
    }

    private static double Sample(LitestreamStore store, string name) =>
        store.Metrics.Samples().Where(s => s.Name == name).Sum(s => s.Value);
}
