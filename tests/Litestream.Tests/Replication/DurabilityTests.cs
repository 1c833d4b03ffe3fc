using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Data.Sqlite;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>A commit that waits until replicas hold it.</summary>
public sealed class DurabilityTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wait_EndsWhenTheReplicaHoldsTheCommit_NotBefore_AndARestoreHasIt()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        for (var i = 0; i < 5; i++)
        {
            circle.Write();
            var txid = await database.CopyCommittedAsync(Token);
            Assert.Equal(circle.Status.Txid, txid);
            var wait = database.WaitForReplicaAsync(txid, cancellationToken: Token);
            Assert.False(wait.IsCompleted);
            Assert.False(database.IsReplicated(txid));
            // At once: the sync interval of a second is not waited for.
            await circle.StepAsync(0.001);
            await wait.WaitAsync(TimeSpan.FromSeconds(10), Token);
            Assert.True(database.IsReplicated(txid));
            Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
        }
    }

    [Fact]
    public async Task CopyCommitted_ManyAtOnce_ShareCopies_AndEachCommitIsInWhatItNames()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        var first = circle.Txid;
        var named = new List<(long Row, Task<Txid> Txid)>();
        for (var i = 0; i < 200; i++)
        {
            circle.Write();
            named.Add((long.Parse(circle.App.Scalar("select max(id) from t")!, null), database.CopyCommittedAsync(Token)));
        }
        await Task.WhenAll(named.Select(n => n.Txid));
        await circle.SyncAsync();
        Assert.InRange(circle.Txid - first, 1UL, 200UL);
        foreach (var (row, txid) in named.Where((_, i) => i % 20 == 0 || i == 199))
        {
            await using var client = new ReplicaClient(bucket.Share(), ReplicaLayout.Folders);
            var output = circle.Folder.Combine($"at-{row}.db");
            await new Litestream.Restore.DatabaseRestorer(
                Litestream.IO.DurableFiles.System,
                TimeProvider.System,
                Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance
            ).RestoreAsync(client, new() { OutputPath = output, Target = new Litestream.Restore.RestoreTarget(await txid) }, Token);
            using var restored = TestDatabase.Open(output, readOnly: true);
            Assert.Equal("1", restored.Scalar($"select count(*) from t where id = {row}"));
        }
    }

    [Fact]
    public async Task Wait_WhileTheStoreFails_GoesOn_AndATimeoutNamesTheCause()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        circle.Write();
        var txid = await database.CopyCommittedAsync(Token);
        var impatient = database.WaitForReplicaAsync(txid, timeout: TimeSpan.FromSeconds(3), cancellationToken: Token);
        var patient = database.WaitForReplicaAsync(txid, cancellationToken: Token);
        await circle.StepAsync(1);
        Assert.False(impatient.IsCompleted);
        await circle.StepAsync(3);
        var late = await Assert.ThrowsAsync<LitestreamException>(() => impatient);
        Assert.Equal((LitestreamError.TimedOut, true, txid), (late.Error, late.IsTransient, late.MaxTxid));
        Assert.Contains("simulated failure", late.Message, StringComparison.Ordinal);
        Assert.False(patient.IsCompleted);

        bucket.Fault = null;
        await circle.StepAsync(301); // the longest wait
        await patient.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task Wait_AnswerOfTheStoreIsLost_EndsOnceTheReplicaIsKnownToHoldIt()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable(afterEffect: true) : null;
        circle.Write();
        var txid = await database.CopyCommittedAsync(Token);
        var wait = database.WaitForReplicaAsync(txid, cancellationToken: Token);
        await circle.StepAsync(1);
        Assert.False(wait.IsCompleted); // it is there, but nobody knows
        bucket.Fault = null;
        await circle.StepAsync(301);
        await wait.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task Wait_OfTwoReplicas_AnyIsTheFirst_AllIsTheLast()
    {
        var (quick, slow) = (new MemoryObjectStore(), new MemoryObjectStore());
        await using var circle = new Circle(o =>
            o with
            {
                Replicas =
                [
                    new ReplicaOptions { Name = "slow", Url = ReplicaUrl.Parse("mem://slow/") },
                    new ReplicaOptions { Name = "quick", Url = ReplicaUrl.Parse("mem://quick/") },
                ],
            }
        )
        {
            Stores = new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], o => o.Name == "slow" ? slow : quick)),
        };
        await circle.StartAsync();
        await circle.SyncAsync();
        var database = circle.Store.Database(circle.Path);
        slow.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        circle.Write();
        var txid = await database.CopyCommittedAsync(Token);
        var any = database.WaitForReplicaAsync(txid, ReplicaConfirmation.Any, cancellationToken: Token);
        var all = database.WaitForReplicaAsync(txid, ReplicaConfirmation.All, cancellationToken: Token);
        await circle.StepAsync(1);
        await any.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.False(all.IsCompleted);
        Assert.True(database.IsReplicated(txid));
        Assert.False(database.IsReplicated(txid, ReplicaConfirmation.All));
        slow.Fault = null;
        await circle.StepAsync(301);
        await all.WaitAsync(TimeSpan.FromSeconds(10), Token);
    }

    [Fact]
    public async Task Wait_ReplicaIsAheadWithAnotherHistory_IsNotTakenForHoldingIt()
    {
        // The store has more transactions than we have, of a database that was lost: its numbers say nothing about our commit.
        var bucket = new MemoryObjectStore();
        await using (var before = await RunningAsync(bucket.Share()))
        {
            for (var i = 0; i < 20; i++)
            {
                before.Write();
                await before.SyncAsync();
            }
        }
        await using var circle = Memory(bucket);
        circle.Write(3);
        var isDown = true;
        bucket.Fault = _ => isDown ? StoreFault.Unavailable() : null;
        await circle.StartAsync();
        var database = circle.Store.Database(circle.Path);
        var txid = await database.CopyCommittedAsync(Token);
        Assert.True(txid.Value < 20, "the number is below what the store has");
        var wait = database.WaitForReplicaAsync(txid, cancellationToken: Token);
        isDown = false;
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        await circle.StepAsync(301);
        Assert.False(wait.IsCompleted);
        bucket.Fault = null;
        await circle.StepAsync(301);
        await wait.WaitAsync(TimeSpan.FromSeconds(10), Token);
        Assert.Equal(CanonicalDump.Of(circle.App), await RestoreAsync(circle, bucket));
    }

    [Fact]
    public async Task Wait_Fenced_FailsAtOnce()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        circle.Write();
        await circle.SyncAsync();
        // A file of somebody else under the name of our next transaction.
        var theirs = bucket.Read(ReplicaLayout.Folders.Key(0, circle.Status.Txid, circle.Status.Txid));
        var next = circle.Status.Txid.Next();
        (LtxHeader.Read(theirs) with { MinTxid = next, MaxTxid = next, Timestamp = DateTimeOffset.UnixEpoch }).Write(theirs);
        bucket.Write(ReplicaLayout.Folders.Key(0, next, next), theirs);
        circle.Write();
        var txid = await database.CopyCommittedAsync(Token);
        var wait = database.WaitForReplicaAsync(txid, cancellationToken: Token);
        await circle.StepAsync(1);
        Assert.Equal(ReplicationState.Fenced, circle.Status.Replicas[0].State);
        Assert.Equal(LitestreamError.Fenced, (await Assert.ThrowsAsync<LitestreamException>(() => wait)).Error);
        Assert.Equal(LitestreamError.Fenced, database.WhyNotReplicating()?.Error);
    }

    [Fact]
    public async Task Wait_ReplicationEnds_Fails()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        circle.Write();
        var txid = await database.CopyCommittedAsync(Token);
        var wait = database.WaitForReplicaAsync(txid, cancellationToken: Token);
        var removing = circle.Store.RemoveDatabaseAsync(circle.Path, Token);
        while (!removing.IsCompleted)
        {
            circle.Time.Advance(TimeSpan.FromSeconds(1)); // the last sync gives up
            await Task.Yield();
        }
        Assert.Equal(LitestreamError.Unavailable, (await Assert.ThrowsAsync<LitestreamException>(() => wait)).Error);
        Assert.Equal(
            LitestreamError.Unavailable,
            (await Assert.ThrowsAsync<LitestreamException>(() => database.CopyCommittedAsync(Token))).Error
        );
        Assert.Equal(LitestreamError.NotFound, Assert.Throws<LitestreamException>(() => circle.Store.Database(circle.Path)).Error);
    }

    [Fact]
    public async Task Wait_Cancelled_LeavesNobodyBehind()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = await RunningAsync(bucket);
        var database = circle.Store.Database(circle.Path);
        using var stop = new CancellationTokenSource();
        circle.Write();
        var txid = await database.CopyCommittedAsync(Token);
        var wait = database.WaitForReplicaAsync(txid, cancellationToken: stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
        await circle.StepAsync(1);
        Assert.True(database.IsReplicated(txid)); // it went up all the same
    }

    private static async Task<Circle> RunningAsync(MemoryObjectStore bucket)
    {
        var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        return circle;
    }

    private static Circle Memory(MemoryObjectStore bucket) =>
        new(o => o with { Replicas = [new ReplicaOptions { Name = "one", Url = ReplicaUrl.Parse("mem://one/") }] })
        {
            Stores = new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], _ => bucket)),
        };

    private static async Task<string> RestoreAsync(Circle circle, MemoryObjectStore bucket)
    {
        await using var client = new ReplicaClient(bucket.Share(), ReplicaLayout.Folders);
        return await circle.RestoreAsync(client);
    }
}
