using Litestream.Replicas;
using Litestream.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>The engine's own folder: who holds it, what a crash or a full disk leaves (replication-engine §21 D).</summary>
public sealed class LocalDiskScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SecondEngine_IsLockedOut_AndTheMessageNamesTheHolder()
    {
        await using var circle = await Circle.RunningAsync(1);
        await using (
            var second = new LitestreamStore(new LitestreamOptions { ShutdownSyncTimeout = TimeSpan.Zero }, new ObjectStoreFactory())
        )
        {
            await second.AddDatabaseAsync(circle.Options, Token);
            var e = await Assert.ThrowsAsync<LitestreamException>(() => second.SyncAsync(circle.Path, upload: false, Token));
            Assert.Equal((LitestreamError.Locked, true), (e.Error, e.IsTransient));
            Assert.Contains($":{Environment.ProcessId}", e.Message, StringComparison.Ordinal);
            Assert.Equal(ReplicationState.Blocked, second.Databases[0].State);
            circle.Write();
            await circle.RequireRestorableAsync();
            Assert.True(await circle.StopAsync());
            circle.Write();
            await second.SyncAsync(circle.Path, upload: true, Token);
            Assert.Equal(ReplicationState.Current, second.Databases[0].State);
        }
        Assert.Equal(CanonicalDump.Of(circle.App), await circle.RestoreAsync());
    }

    [Fact]
    public async Task D1_TemporaryFilesOfACrash_AreRemovedAtTheStart()
    {
        await using var circle = await Circle.RunningAsync(3);
        await circle.KillAsync();
        var left = Path.Combine(circle.LocalFolder, "0000000000000005-0000000000000005.ltx.tmp");
        await File.WriteAllTextAsync(left, "half", Token);
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.False(File.Exists(left));
        Assert.Equal(5UL, circle.Txid);
    }

    [Fact]
    public async Task D3_DiskFull_ThenSpace_CatchesUpWithoutAFullFile()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.StepAsync();
        disk.CapacityBytes = disk.UsedBytes + 500;
        for (var i = 0; i < 5; i++)
        {
            circle.Write(3, 2000);
            await circle.StepAsync(120);
            Assert.Equal(ReplicationState.Failing, circle.Status.State);
            Assert.DoesNotContain(disk.Files, f => f.EndsWith(".tmp", StringComparison.Ordinal));
        }
        disk.CapacityBytes = null;
        await circle.StepAsync(600);
        Assert.Equal(ReplicationState.Current, circle.Status.State);
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task D3_LongSyncInterval_TheRetryTriesWhatFailed_AndCallsNothingMendedBefore()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o =>
            o with
            {
                MetaPath = "/meta",
                Replicas = [o.Replicas[0] with { SyncInterval = TimeSpan.FromMinutes(1) }],
            }
        )
        {
            Disk = disk,
        };
        await circle.StartAsync();
        await circle.StepAsync();
        disk.CapacityBytes = disk.UsedBytes;
        circle.Write(3, 2000);
        await circle.StepAsync(61);
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        await circle.StepAsync(2); // the retry, long before the next copy by the interval
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        disk.CapacityBytes = null;
        await circle.StepAsync(4);
        Assert.Equal(ReplicationState.Current, circle.Status.State);
    }

    [Fact]
    public async Task StopWhileTheDiskRefusesDeletions_StillEnds_AndLetsGoOfTheDatabase()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write();
        await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        circle.Write();
        await circle.Store.SyncAsync(circle.Path, upload: false, Token);
        disk.Fault = step => step.Name == "delete" ? SimulatedDisk.Failure(step) : null;
        Assert.True(await circle.StopAsync());
        disk.Fault = null;
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Null(circle.Status.LastFullReason);
    }
}
