using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Sqlite;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>What a sync copies, and who may ask for one at the same time: the rest of replication-engine §21 B.</summary>
public sealed class SourceScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task B8_NothingWasInTheWal_AnotherLifeSince_IsFull()
    {
        await using var circle = new Circle();
        circle.Write(5);
        circle.App.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(0, LtxHeader.Read(await File.ReadAllBytesAsync(circle.LocalFiles()[^1], Token)).WalSize);
        await circle.KillAsync();
        circle.Write(5, 3000);
        circle.App.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.WalRestartedUnwatched), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task B11_WalRestartedOnceUnderOurReader_GoesOnFromItsStart()
    {
        await using var circle = new Circle();
        circle.Write(30, 2000);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        await circle.StepAsync();
        await circle.StepAsync(90); // the checkpoint after silence: the next write begins the WAL anew, the old tail stays in the file
        var length = new FileInfo(circle.Path + "-wal").Length;
        circle.Write();
        await circle.RequireRestorableAsync();
        Assert.Equal(length, new FileInfo(circle.Path + "-wal").Length);
        var newest = (await circle.RemoteAsync())[^1];
        Assert.True((await circle.PagesAsync(newest)).Count < 6);
        var bytes = await File.ReadAllBytesAsync(circle.LocalFiles()[^1], Token);
        Assert.Equal((long)WalHeader.Size, LtxHeader.Read(bytes).WalOffset);
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task B18_EveryPageOfTheWal_IsInTheNewFile()
    {
        await using var circle = new Circle();
        circle.App.Execute("PRAGMA wal_autocheckpoint=0; CREATE INDEX i ON t(v)");
        circle.Write(50, 600);
        await circle.StartAsync();
        await circle.SyncAsync();
        WalIndexHeader before,
            after;
        using (var look = SourceConnection.Open(circle.Path, TimeSpan.Zero))
            before = look.Look();
        circle.App.Execute("UPDATE t SET v = randomblob(900) WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0");
        circle.Write(20, 5000);
        using (var look = SourceConnection.Open(circle.Path, TimeSpan.Zero))
            after = look.Look();
        await circle.SyncAsync();
        var expected = new SortedSet<uint>();
        using (var wal = new WalFile(circle.Path + "-wal"))
        {
            var page = new byte[after.PageSize];
            for (long frame = before.LastFrame + 1; frame <= after.LastFrame; frame++)
                expected.Add(wal.ReadFrame(frame, after.PageSize, page)!.Value.PageNumber);
        }
        Assert.True(expected.Count > 20);
        Assert.Equal(expected, await circle.PagesAsync((await circle.RemoteAsync())[^1]));
    }

    [Fact]
    public async Task B20_ReplicaIsFoundAheadWhileACopyRuns_TheCopyDoesNotForgetIt()
    {
        var bucket = new MemoryObjectStore();
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o =>
            o with
            {
                MetaPath = "/meta",
                Replicas = [new ReplicaOptions { Name = "one", Url = ReplicaUrl.Parse("mem://one/") }],
            }
        )
        {
            Disk = disk,
            Stores = new ObjectStoreFactory(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], _ => bucket.Share())),
        };
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write();
        // Another engine's file, met by an upload that asks again; the upload runs while a copy is half done.
        var first = bucket.Read(bucket.Keys[0]);
        Task? upload = null;
        disk.Fault = step =>
        {
            if (step.Name == "sync" && upload is null)
            {
                bucket.Write("ltx/0/0000000000000032-0000000000000032.ltx", first);
                upload = Task.Run(() => circle.Store.SyncAsync(circle.Path, upload: true, Token));
                Thread.Sleep(50); // it waits for the copy now
            }
            return null;
        };
        await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        disk.Fault = null;
        Assert.NotNull(upload);
        await upload.ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(TimeSpan.FromSeconds(20), Token);
        await circle.KillAsync();
        circle.Write();
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.True(circle.Txid > 0x32, $"{circle.Txid} is taken already");
        Assert.Equal(nameof(FullReason.ReplicaAhead), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task B23_NewestLocalFileCannotBeRead_IsSaid_AndNothingIsThrownAway()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write();
        await circle.SyncAsync();
        await circle.KillAsync();
        circle.Write();
        var files = disk.Files;
        disk.ReadFault = path =>
            path.EndsWith(".ltx", StringComparison.Ordinal)
                ? new LitestreamException(LitestreamError.LocalStorage, $"cannot open {path}: permission denied") { Path = path }
                : null;
        await circle.StartAsync();
        var e = await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal(LitestreamError.LocalStorage, e.Error);
        Assert.EndsWith(".ltx", e.Path, StringComparison.Ordinal);
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        await circle.StepAsync(60);
        Assert.Equal(files, disk.Files);
        disk.ReadFault = null;
        await circle.StepAsync(600);
        await circle.RequireRestorableAsync();
        Assert.Null(circle.Status.LastFullReason);
    }

    [Fact]
    public async Task B25_WaitingForAnotherSync_CanBeCancelled()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write();
        var before = circle.Txid;
        using var holds = new ManualResetEventSlim();
        using var goes = new ManualResetEventSlim();
        disk.Fault = step =>
        {
            if (step.Name == "create")
            {
                holds.Set();
                goes.Wait(TimeSpan.FromSeconds(20), CancellationToken.None);
            }
            return null;
        };
        var first = Task.Run(() => circle.Store.SyncAsync(circle.Path, upload: false, CancellationToken.None), Token);
        Assert.True(holds.Wait(TimeSpan.FromSeconds(20), Token));
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var second = circle.Store.SyncAsync(circle.Path, upload: false, impatient.Token);
        Assert.False(second.IsCompleted);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.WaitAsync(TimeSpan.FromSeconds(20), Token));
        Assert.False(first.IsCompleted);
        goes.Set();
        await first;
        Assert.Equal(before + 1, circle.Txid);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task B26_ManyShortSyncs_DoNotStarveOneThatWaits()
    {
        await using var circle = await Circle.RunningAsync(1);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var rounds = 0;
        var crowd = Enumerable
            .Range(0, 6)
            .Select(_ =>
                Task.Run(
                    async () =>
                    {
                        while (!enough.IsCancellationRequested)
                        {
                            await circle.Store.SyncAsync(circle.Path, upload: false, CancellationToken.None);
                            Interlocked.Increment(ref rounds);
                        }
                    },
                    Token
                )
            )
            .ToList();
        for (var i = 0; i < 50; i++)
        {
            circle.Write();
            var before = Volatile.Read(ref rounds);
            await circle.Store.SyncAsync(circle.Path, upload: false, Token).WaitAsync(TimeSpan.FromSeconds(20), Token);
            // First come, first served: at most those that stood before it and one turn of the others.
            Assert.True(Volatile.Read(ref rounds) - before < 2_000, "it was passed by again and again");
        }
        await enough.CancelAsync();
        await Task.WhenAll(crowd);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task B29_DatabaseIsLockedExclusively_TheErrorCounts_AndItComesBack()
    {
        await using var circle = new Circle(o => o with { BusyTimeout = TimeSpan.Zero });
        circle.App.Execute("PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t(v) VALUES('mine')");
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.StepAsync();
        Assert.Contains(circle.Status.State, new[] { ReplicationState.Blocked, ReplicationState.Failing });
        Assert.NotNull(circle.Status.Cause);
        Assert.True(Sample(circle, "litestream_sync_error_count") > 0);
        circle.App.Dispose();
        circle.Reconnect();
        await circle.StepAsync(600);
        Assert.Equal(ReplicationState.Current, circle.Status.State);
        await circle.RequireRestorableAsync();
    }

    [Fact]
    public async Task B34_StatusMetricsAndSyncsFromManyThreads_WhileItIsWritten()
    {
        await using var circle = await Circle.RunningAsync(1);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task Loop(Func<Task> act) =>
            Task.Run(
                async () =>
                {
                    while (!enough.IsCancellationRequested)
                        await act();
                },
                Token
            );
        var last = 0UL;
        Task[] crowd =
        [
            Loop(() => circle.Store.SyncAsync(circle.Path, upload: true, CancellationToken.None)),
            Loop(() => circle.Store.SyncAsync(circle.Path, upload: false, CancellationToken.None)),
            Loop(() =>
            {
                var status = circle.Store.Databases[0];
                Assert.True(status.Txid.Value >= last, "the position went back");
                last = status.Txid.Value;
                Assert.All(status.Replicas, r => Assert.True(r.Txid <= status.Txid || status.Txid.Value + 50 > r.Txid.Value));
                return Task.CompletedTask;
            }),
            Loop(() =>
            {
                circle.Store.Metrics.WritePrometheus(new StringWriter());
                circle.Store.NotifyCommit(circle.Path);
                return Task.CompletedTask;
            }),
        ];
        for (var i = 0; i < 200; i++)
            circle.Write(1, 500);
        await enough.CancelAsync();
        await Task.WhenAll(crowd);
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    private static double Sample(Circle circle, string name) => circle.Store.Metrics.Samples().Where(s => s.Name == name).Sum(s => s.Value);
}
