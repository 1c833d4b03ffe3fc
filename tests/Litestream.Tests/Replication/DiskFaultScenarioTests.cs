using Litestream.IO;
using Litestream.Replication;
using Litestream.Restore;
using Testing;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>A disk that refuses, at every step of a copy (replication-engine §21 D).</summary>
public sealed class DiskFaultScenarioTests
{
    /// <summary>
    /// Found by the 28,193rd of a hundred thousand simulated lives: a file got its name, the folder could not be synced, so it did not count; the WAL
    /// was begun anew; and the new run took the number behind the one that it was to leave free. After a restart both were one chain.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Scenario", "D2")]
    public async Task NewRun_BehindAFileWhoseNameWasNotMadeDurable_IsNeverContinuedByIt(bool powerCut)
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write(5, 2000);
        await circle.SyncAsync();
        await circle.KillAsync();
        // Everything is moved into the database, so that whoever writes next begins the WAL anew.
        circle.Write(5, 2000);
        circle.App.Execute("PRAGMA wal_checkpoint(RESTART)");
        disk.Fault = step =>
            step.Name == "sync folder" && step.Path.EndsWith("/ltx/0", StringComparison.Ordinal) ? SimulatedDisk.Failure(step) : null;
        await circle.StartAsync();
        await Record.ExceptionAsync(() => circle.Store.SyncAsync(circle.Path, upload: false, Circle.Token));
        disk.Fault = null;
        var named = disk.Files.Where(file => file.EndsWith(".ltx", StringComparison.Ordinal)).Max();
        circle.Write(3, 3000);
        await circle.Store.SyncAsync(circle.Path, upload: false, Circle.Token);
        Assert.Contains(named, disk.Files);
        await circle.KillAsync();
        if (powerCut)
            disk.Crash();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.Write();
        await circle.RequireRestorableAsync();
        var files = await circle.RemoteAsync();
        foreach (var file in files.Where(file => files.Any(before => before.MaxTxid.Next() == file.MinTxid)))
            await circle.RestoreAsync(new RestoreTarget(file.MaxTxid));
        Assert.Contains(files, file => file.MinTxid.Value > 3 && files.All(before => before.MaxTxid.Next() != file.MinTxid));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("create folder")]
    [InlineData("lock")]
    [InlineData("create")]
    [InlineData("copy access")]
    [InlineData("write")]
    [InlineData("set time")]
    [InlineData("sync")]
    [InlineData("rename")]
    [InlineData("sync folder")]
    [Trait("Scenario", "D3")]
    [Trait("Scenario", "D6")]
    public async Task D2_DiskIsFullAtAStep_TypedErrorWithStageAndPath_NoPartialFile_ThenCatchesUp(string stage)
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        disk.Fault = step => step.Name == stage ? SimulatedDisk.Failure(step, LitestreamError.DiskFull) : null;
        await circle.StartAsync();
        circle.Write(5, 3000);
        var e = await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal(LitestreamError.DiskFull, e.Error);
        Assert.Contains(stage, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("/meta", e.Path, StringComparison.Ordinal);
        Assert.Equal(1, DiskFull(circle));
        Assert.DoesNotContain(disk.Files, f => f.EndsWith(".tmp", StringComparison.Ordinal));
        // Only a name whose folder could not be synced may be there, and then its content is whole.
        Assert.Equal(stage == "sync folder" ? 1 : 0, disk.Files.Count(f => f.EndsWith(".ltx", StringComparison.Ordinal)));
        Assert.Equal(0UL, circle.Txid);
        circle.Write(5, 3000);
        await circle.StepAsync(10);
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        disk.Fault = null;
        await circle.StepAsync(600);
        Assert.Equal((ReplicationState.Current, 0), (circle.Status.State, DiskFull(circle)));
        await circle.RequireRestorableAsync();
        Assert.Equal(nameof(FullReason.FirstSync), circle.Status.LastFullReason);
    }

    [Fact]
    public async Task D4_DiskFull_ThenAnotherError_TheGaugeGoesDown()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write();
        disk.Fault = step => step.Name == "write" ? SimulatedDisk.Failure(step, LitestreamError.DiskFull) : null;
        await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal(1, DiskFull(circle));
        disk.Fault = step => step.Name == "write" ? SimulatedDisk.Failure(step) : null;
        await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal(0, DiskFull(circle));
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        disk.Fault = null;
        await circle.RequireRestorableAsync();
    }

    [Theory]
    [InlineData("rename")]
    [InlineData("sync folder")]
    public async Task D6_NameCannotBeMadeDurable_PositionStays_AndTheRetryHasTheSameTransaction(string stage)
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        var (before, remote) = (circle.Txid, (await circle.RemoteAsync()).Count);
        circle.Write();
        disk.Fault = step => step.Name == stage ? SimulatedDisk.Failure(step) : null;
        await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal((before, remote), (circle.Txid, (await circle.RemoteAsync()).Count));
        circle.Write();
        disk.Fault = null;
        await circle.RequireRestorableAsync();
        Assert.Equal((before + 1, nameof(FullReason.FirstSync)), (circle.Txid, circle.Status.LastFullReason));
        Assert.DoesNotContain(disk.Files, f => f.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task D7_PowerCutBetweenRenameAndFolderSync_GoesOnWithoutAHole(bool nameSurvives)
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        var (before, files) = (circle.Txid, Files(disk));
        circle.Write();
        var armed = true;
        disk.Fault = step =>
        {
            if (armed && step.Name == "rename")
                (armed, disk.CrashAtStep) = (false, step.Number + 1);
            return null;
        };
        await Assert.ThrowsAsync<SimulatedCrashException>(() => circle.SyncAsync());
        await circle.KillAsync();
        disk.Restart(nameSurvives ? new MostSurvives() : null);
        Assert.Equal(nameSurvives ? files + 1 : files, Files(disk));
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(nameSurvives ? before + 2 : before + 1, circle.Txid);
        Assert.Null(circle.Status.LastFullReason);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("open")]
    public async Task TooManyOpenFiles_IsSaidWithWhatToDo_IsNotTakenForDamage_AndHeals(string stage)
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        await circle.StartAsync();
        await circle.SyncAsync();
        await circle.KillAsync();
        circle.Write();
        const int TooMany = 24; // EMFILE
        disk.Fault = step => step.Name == stage ? LocalStorageFailure.FromErrno(stage, step.Path, TooMany) : null;
        disk.ReadFault = path => stage == "open" ? LocalStorageFailure.FromErrno(stage, path, TooMany) : null;
        await circle.StartAsync();
        var e = await Assert.ThrowsAsync<LitestreamException>(() => circle.SyncAsync());
        Assert.Equal((LitestreamError.LocalStorage, true), (e.Error, e.IsTransient));
        Assert.Contains("raise the limit", circle.Status.Cause, StringComparison.Ordinal);
        Assert.Equal(0, DiskFull(circle));
        (disk.Fault, disk.ReadFault) = (null, null);
        await circle.StepAsync(600);
        await circle.RequireRestorableAsync();
        Assert.Null(circle.Status.LastFullReason);
    }

    [Fact]
    public async Task D11_OwnFolderAndFiles_HaveTheModeOfTheDatabase()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var circle = new Circle();
        File.SetUnixFileMode(circle.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        File.SetUnixFileMode(
            Path.GetDirectoryName(circle.Path)!,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        );
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal(File.GetUnixFileMode(circle.Path), File.GetUnixFileMode(circle.LocalFiles()[0]));
        Assert.Equal(File.GetUnixFileMode(Path.GetDirectoryName(circle.Path)!), File.GetUnixFileMode(EngineFolder.Of(circle.Options)));
    }

    private static int Files(SimulatedDisk disk) => disk.Files.Count(f => f.EndsWith(".ltx", StringComparison.Ordinal));

    internal static int DiskFull(Circle circle) => (int)circle.Store.Metrics.Samples().Single(s => s.Name == "litestream_disk_full").Value;

    /// <summary>The whole journal survives, and every content as it was last.</summary>
    private sealed class MostSurvives : Random
    {
        public override int Next(int maxValue) => maxValue - 1;
    }
}
