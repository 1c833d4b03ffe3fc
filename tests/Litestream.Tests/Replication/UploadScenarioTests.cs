using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Uploads: order, failures of every kind, waiting and catching up: replication-engine §21 E.</summary>
public sealed class UploadScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "E2")]
    [Trait("Scenario", "E3")]
    [Trait("Scenario", "E19")]
    public async Task E1_E19_AfterAnOutage_EverythingGoesUpInOrder_InOneStep_AndTheWalStayedBounded()
    {
        // E2, E3: there is no limit of files per batch, so no interval between batches to wait for.
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket, o => o with { MinCheckpointPageCount = 50 });
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        await circle.StartAsync();
        await circle.SyncAsync();
        var first = circle.Txid;
        bucket.Fault = _ => StoreFault.Unavailable();
        for (var i = 0; i < 400; i++)
        {
            circle.Write(2, 3000);
            await circle.StepAsync(15);
        }
        Assert.Equal(first + 400, circle.Txid);
        Assert.True(new FileInfo(circle.Path + "-wal").Length < 200 * 4120, "the WAL is not held by an outage");
        bucket.Fault = null;
        await circle.StepAsync(301); // the longest wait
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
        var puts = bucket
            .Calls.Where(c => c.Operation == "PUT" && c.Key.Contains("/0/", StringComparison.Ordinal))
            .Select(c => c.Key)
            .Distinct()
            .ToList();
        Assert.InRange(puts.Count, 400, 402); // and those of the first sync
        Assert.Equal(puts.Order(StringComparer.Ordinal), puts);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task E4_UploadFails_ThePositionIsReadFromTheReplicaAgain()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        var lists = Lists(bucket);
        circle.Write();
        await circle.SyncAsync();
        Assert.Equal(lists, Lists(bucket)); // in steady state nothing is listed
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        circle.Write();
        await Assert.ThrowsAsync<LitestreamException>(circle.SyncAsync);
        bucket.Fault = null;
        await circle.SyncAsync();
        Assert.True(Lists(bucket) > lists);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    [Trait("Scenario", "E5")]
    [Trait("Scenario", "E7")]
    public async Task E5_E7_LocalFileThatIsToBeUploadedIsGone_TheReplicaIsRebased_AndRestoresAreRight()
    {
        // Litestream stops here until a person resets it; with auto-recover it goes on, but what is restored afterwards is not what was written (#1458).
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        for (var i = 0; i < 5; i++)
        {
            circle.Write();
            await circle.StepAsync(5);
        }
        File.Delete(circle.LocalFiles()[2]);
        bucket.Fault = null;
        await circle.StepAsync(301);
        await circle.SyncAsync();
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
        circle.Write();
        await circle.SyncAsync();
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task E6_StoreRefusesThePermission_IsSaidWithItsKind_AndIsTriedAgain()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        bucket.Fault = _ => new StoreFault(
            new LitestreamException(LitestreamError.AccessDenied, "no") { Hint = "give this key the right to write" }
        );
        var failure = await Assert.ThrowsAsync<LitestreamException>(circle.SyncAsync);
        Assert.Equal(LitestreamError.AccessDenied, failure.Error);
        var replica = circle.Status.Replicas[0];
        Assert.Equal(ReplicationState.Failing, replica.State);
        Assert.Contains("give this key the right to write", replica.Cause, StringComparison.Ordinal);
        Assert.Empty(bucket.Keys);
        Assert.NotEmpty(circle.LocalFiles()); // what is local is left alone
        bucket.Fault = null;
        await circle.StepAsync(301);
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
    }

    [Fact]
    public async Task E8_Idle_TheTimeOfTheLastGoodLookAdvances_WithoutARequest()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        var (calls, sync) = (bucket.Calls.Count, circle.Status.LastSync);
        for (var i = 0; i < 30; i++)
            await circle.StepAsync(10);
        Assert.True(circle.Status.LastSync > sync!.Value.AddMinutes(4));
        Assert.Equal((ReplicationState.Current, ReplicationState.Current), (circle.Status.State, circle.Status.Replicas[0].State));
        Assert.Equal(calls, bucket.Calls.Count);
    }

    [Fact]
    public async Task E9_WaitForAnUploadThatHangs_EndsWithItsToken()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        using var entered = new ManualResetEventSlim();
        using var leave = new ManualResetEventSlim();
        bucket.Fault = call =>
        {
            if (call.Operation != "PUT")
                return null;
            entered.Set();
            leave.Wait(Token);
            return null;
        };
        circle.Write();
        var first = Task.Run(() => circle.Store.SyncAsync(circle.Path, upload: true, Token), Token);
        entered.Wait(Token);
        using var patience = new CancellationTokenSource();
        var second = circle.Store.SyncAsync(circle.Path, upload: true, patience.Token);
        Assert.False(second.IsCompleted);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        leave.Set();
        await first;
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task E13_TimesOfFiles_AreThoseOfTheirTransactions_NotOfTheUpload()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.SyncAsync();
        var written = circle.Status.TxidTime;
        circle.Time.Advance(TimeSpan.FromHours(3));
        circle.Write();
        await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        var second = circle.Status.TxidTime;
        circle.Time.Advance(TimeSpan.FromHours(3));
        await circle.SyncAsync();
        Assert.Equal([written, second], (await circle.RemoteAsync()).Select(f => (DateTimeOffset?)f.Timestamp));
        Assert.Equal(TimeSpan.FromHours(3).TotalSeconds, (second!.Value - written!.Value).TotalSeconds, 1);
    }

    [Fact]
    public async Task E15_SyncWithUpload_ReturnsOnlyWhenTheStoreHasIt_AndFailsWhenItHasNot()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        circle.Write();
        await circle.SyncAsync();
        Assert.Equal(circle.Status.Txid, circle.Status.Replicas[0].Txid);
        Assert.NotEmpty(bucket.Keys);
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        circle.Write();
        var failure = await Assert.ThrowsAsync<LitestreamException>(circle.SyncAsync);
        Assert.Equal((LitestreamError.Unavailable, true), (failure.Error, failure.IsTransient));
        Assert.True(circle.Status.Replicas[0].Txid < circle.Status.Txid);
    }

    [Fact]
    public async Task E17_Level0WasEmptiedByABucketRule_ButLevel1Reaches_TransactionsGoOnBehindIt()
    {
        await using var circle = await Circle.RunningAsync(4);
        Assert.True(await circle.StopAsync());
        // A compactor's work, and a life cycle rule's: one file in level 1, none in level 0.
        var replica = System.IO.Path.Combine(circle.Replica, "ltx");
        Directory.CreateDirectory(System.IO.Path.Combine(replica, "1"));
        await MergeAsync(System.IO.Path.Combine(replica, "0"), System.IO.Path.Combine(replica, "1"));
        foreach (var file in Directory.GetFiles(System.IO.Path.Combine(replica, "0")))
            File.Delete(file);
        Directory.Delete(EngineFolder.Of(circle.Options), recursive: true);
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.True(circle.Txid >= 5, $"{circle.Txid}");
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    [InlineData(408)]
    public async Task E18_StoreAnswersThatItIsTooMuch_WaitsGrowUpToFiveMinutes_AndItArrivesInTheEnd(int status)
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        bucket.Fault = _ => new StoreFault(
            new LitestreamException(LitestreamError.Unavailable, $"the store answered {status}") { IsTransient = true }
        );
        circle.Write();
        var calls = bucket.Calls.Count;
        var waits = new List<double>();
        await circle.StepAsync(1.5);
        for (var i = 0; i < 14; i++)
        {
            var replica = circle.Status.Replicas[0];
            Assert.Equal(ReplicationState.Failing, replica.State);
            var wait = replica.NextRetry!.Value - circle.Time.GetUtcNow();
            waits.Add(Math.Round(wait.TotalSeconds));
            await circle.StepAsync(wait.TotalSeconds / 2);
            Assert.Equal(replica.Failures, circle.Status.Replicas[0].Failures); // no sooner than it said
            await circle.StepAsync(wait.TotalSeconds / 2 + 0.001);
        }
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300, 300], waits);
        // Each try asks once or twice, not a store's own ten attempts a second on top.
        Assert.InRange(bucket.Calls.Count - calls, 15, 45);
        bucket.Fault = null;
        await circle.StepAsync(301);
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    private static int Lists(MemoryObjectStore bucket) => bucket.Calls.Count(c => c.Operation == "LIST");

    private static async Task MergeAsync(string level0, string level1)
    {
        var inputs = new List<LtxDecoder>();
        foreach (var name in Directory.GetFiles(level0).Order(StringComparer.Ordinal))
        {
            var stream = new FileStream(name, FileMode.Open, FileAccess.Read);
            inputs.Add(await LtxDecoder.OpenAsync(stream, stream.Length, Token));
        }
        var output = System.IO.Path.Combine(level1, "0000000000000001-0000000000000004.ltx");
        await using (var file = new FileStream(output, FileMode.CreateNew))
            await LtxMerger.MergeAsync(inputs, file, legacyPageFrames: false, Token);
        foreach (var input in inputs)
            await input.DisposeAsync();
    }

    private static Circle Memory(MemoryObjectStore bucket, Func<DatabaseOptions, DatabaseOptions>? change = null) =>
        new(o => (change ?? (c => c))(o with { Replicas = [new ReplicaOptions { Name = "one", Url = ReplicaUrl.Parse("mem://one/") }] }))
        {
            Stores = new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], _ => bucket)),
        };

    private static async Task<string> RestoreAsync(Circle circle, MemoryObjectStore bucket)
    {
        await using var client = new ReplicaClient(bucket.Share(), ReplicaLayout.Folders);
        return await circle.RestoreAsync(client);
    }
}
