using Litestream.IO;
using Litestream.Ltx;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>One restore, several replicas.</summary>
public class ReplicaChoiceTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, 2)] // the newest
    [InlineData(4, 1)] // of those that have it, the first named
    public async Task Restore_SeveralReplicas_TakesTheOneThatReachesFurthest(int? txid, int expected)
    {
        await using var short3 = await SampleReplica.CreateAsync(3);
        await using var long5 = await SampleReplica.CreateAsync(5);
        await using var long9 = await SampleReplica.CreateAsync(9);
        using var folder = new TempFolder();
        var target = txid is { } wanted ? new RestoreTarget(new Txid((ulong)wanted)) : RestoreTarget.Latest;
        var result = await RestoreAsync(folder, target, short3, long5, long9);
        Assert.Equal(expected, result.ReplicaIndex);
        Assert.Equal(long9.State((ulong)(txid ?? 9)), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
    }

    [Fact]
    public async Task Restore_BestReplicaIsDamaged_TakesTheNext()
    {
        await using var good = await SampleReplica.CreateAsync(5);
        await using var damaged = await SampleReplica.CreateAsync(9);
        var key = SampleReplica.Key(0, 2, 2);
        var bytes = damaged.Store.Read(key);
        bytes[^3] ^= 1;
        damaged.Store.Write(key, bytes);
        using var folder = new TempFolder();
        var result = await RestoreAsync(folder, RestoreTarget.Latest, damaged, good);
        Assert.Equal((1, new Txid(5)), (result.ReplicaIndex, result.Txid));
        Assert.Equal(["out.db"], folder.Contents());
    }

    [Fact]
    public async Task Restore_OneUnreachable_TheOtherServes()
    {
        await using var good = await SampleReplica.CreateAsync(5);
        await using var dead = await SampleReplica.CreateAsync(9);
        dead.Store.Fault = _ => StoreFault.Unavailable();
        using var folder = new TempFolder();
        Assert.Equal(1, (await RestoreAsync(folder, RestoreTarget.Latest, dead, good)).ReplicaIndex);
    }

    [Fact]
    public async Task Restore_OneEmptyOneUnreachable_IsNotNoBackup()
    {
        await using var empty = await SampleReplica.CreateAsync(0);
        await using var dead = await SampleReplica.CreateAsync(9);
        dead.Store.Fault = _ => StoreFault.Unavailable();
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => RestoreAsync(folder, RestoreTarget.Latest, empty, dead));
        Assert.Equal(LitestreamError.Unavailable, exception.Error);
        dead.Store.Fault = null;
        exception = await Assert.ThrowsAsync<LitestreamException>(() => RestoreAsync(folder, RestoreTarget.Latest, empty, empty));
        Assert.Equal(LitestreamError.NotFound, exception.Error);
    }

    [Fact]
    public async Task Restore_FullDisk_IsNotTriedWithTheNextReplica()
    {
        await using var one = await SampleReplica.CreateAsync(5);
        await using var two = await SampleReplica.CreateAsync(4);
        var disk = new SimulatedDisk { Fault = step => step.Number > 2 ? new LitestreamException(LitestreamError.DiskFull, "full") : null };
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => RestoreAsync(folder, RestoreTarget.Latest, disk, one, two));
        Assert.Equal(LitestreamError.DiskFull, exception.Error);
        Assert.Equal(0, two.Store.Count("GET"));
    }

    private static Task<RestoreResult> RestoreAsync(TempFolder folder, RestoreTarget target, params SampleReplica[] replicas) =>
        RestoreAsync(folder, target, DurableFiles.System, replicas);

    private static async Task<RestoreResult> RestoreAsync(
        TempFolder folder,
        RestoreTarget target,
        DurableFiles files,
        params SampleReplica[] replicas
    )
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var restore = new DatabaseRestorer(files, time, NullLogger.Instance).RestoreAsync(
            [.. replicas.Select(r => r.Client)],
            new RestoreOptions { OutputPath = folder.Combine("out.db"), Target = target },
            Cancel
        );
        while (!restore.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(restore, Task.Delay(1, Cancel));
        }
        return await restore;
    }
}
