using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Tests.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>A follower that dies at a bad moment knows afterwards what its file holds.</summary>
public class FollowerCrashTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "K3")]
    public async Task K3_SidecarWrite_PowerCutAtAnyStep_LeavesOldOrNew()
    {
        for (var step = 0; ; step++)
        {
            var disk = new SimulatedDisk();
            await new TxidSidecar(disk, "/a.db").WriteAsync(new Txid(1), Cancel);
            disk.CrashAtStep = disk.Steps.Count + step;
            var outcome = await Record.ExceptionAsync(() => new TxidSidecar(disk, "/a.db").WriteAsync(new Txid(2), Cancel));
            disk.Restart(new Random(step));
            var now = new TxidSidecar(disk, "/a.db").Read()!.Value.Value;
            Assert.True(outcome is null ? now == 2 : now is 1 or 2, $"step {step}: {now}");
            if (outcome is null)
                return;
        }
    }

    [Fact]
    public async Task K4_CrashBetweenApplyAndSidecar_ResumesRight()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(3, rows: 30, bytes: 3000);
        following.Circle.App.Execute("DELETE FROM t WHERE id % 2; VACUUM");
        await following.Circle.SyncAsync();
        var before = following.Sidecar();
        await following.StepAsync();
        following.RequireEqual();
        await File.WriteAllTextAsync(following.SidecarPath, before, Cancel);
        await following.RestartAsync();
        Assert.Equal(following.Circle.Txid, following.Status.Txid.Value);
        await following.StepAsync();
        following.RequireEqual();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Scenario", "K4")]
    public async Task K4_CrashAfterTheDatabaseShrank_BeforeTheSidecar_Resumes(bool announced)
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(1, rows: 100, bytes: 3000);
        await following.StepAsync();
        var before = following.Sidecar();
        // The first of these does not hold the pages that the second cuts off: it fits the state before, not the one after.
        await following.WriteAsync();
        following.Circle.App.Execute("DELETE FROM t; VACUUM");
        await following.Circle.SyncAsync();
        await following.StepAsync();
        following.RequireEqual();
        await File.WriteAllTextAsync(following.SidecarPath, before, Cancel);
        if (!announced)
            File.Delete(following.SidecarPath + "-next"); // as another program leaves it
        await following.RestartAsync();
        await following.StepAsync();
        if (!announced)
        {
            Assert.Equal(FollowState.Failing, following.Status.State);
            await following.StepAfterSilenceAsync();
        }
        following.RequireEqual();
    }

    [Fact]
    [Trait("Scenario", "K4")]
    public async Task K4_CrashBeforeTheSidecar_AndALaterFileDamaged_LeavesNoMixture()
    {
        await using var following = await Following.StartedAsync();
        await following.WriteAsync(1, rows: 20, bytes: 3000);
        await following.StepAsync();
        var before = following.Sidecar();
        following.Circle.App.Execute("UPDATE t SET v = 'a'");
        await following.Circle.SyncAsync();
        following.Circle.App.Execute("UPDATE t SET v = v || 'b'");
        await following.Circle.SyncAsync();
        await following.StepAsync();
        following.RequireEqual();
        await File.WriteAllTextAsync(following.SidecarPath, before, Cancel);
        await following.RestartAsync();
        // To apply the first of the two files alone would bring its pages among those of the second.
        var path = following.PathOf(0, following.Circle.Txid, following.Circle.Txid);
        await File.WriteAllBytesAsync(path, [], Cancel);
        await following.StepAsync();
        Assert.Equal(CanonicalDump.Of(following.Circle.App), CanonicalDump.Of(following.Output));
    }

    [Fact]
    [Trait("Scenario", "K4")]
    public async Task K4_Announcement_PowerCutAtAnyStep_TellsNothingWrong()
    {
        for (var step = 0; ; step++)
        {
            var disk = new SimulatedDisk();
            await new TxidSidecar(disk, "/a.db").AnnounceAsync(new Txid(7), 70, Cancel);
            disk.CrashAtStep = disk.Steps.Count + step;
            var outcome = await Record.ExceptionAsync(() => new TxidSidecar(disk, "/a.db").AnnounceAsync(new Txid(8), 80, Cancel));
            disk.Restart(new Random(step));
            var sidecar = new TxidSidecar(disk, "/a.db");
            Assert.True(sidecar.ReadAnnounced(70) is null or { Value: 7 });
            Assert.True(outcome is null ? sidecar.ReadAnnounced(80) is { Value: 8 } : sidecar.ReadAnnounced(80) is null or { Value: 8 });
            Assert.Null(sidecar.ReadAnnounced(75));
            if (outcome is null)
                return;
        }
    }
}
