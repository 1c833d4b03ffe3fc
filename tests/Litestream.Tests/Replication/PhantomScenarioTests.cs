using Litestream.Replication;
using Litestream.Sqlite;
using Litestream.Tests.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>What a writer leaves in the WAL file that dies between writing and publishing (replication-engine §4, B37).</summary>
public sealed class PhantomScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task B37_PhantomCommitInTheFile_IsNeverShipped_AndTheRealOneIs()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        WalIndexHeader end;
        using (var look = SourceConnection.Open(circle.Path, TimeSpan.Zero))
            end = look.Look();
        var phantom = WalBuilder.Behind(end);
        for (var i = 0; i < 6; i++)
            phantom.Frame(2, end.Pages, 0xee);
        await using (var wal = new FileStream(circle.Path + "-wal", FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            wal.Position = end.EndOffset;
            await wal.WriteAsync(phantom.ToArray(), Token);
        }
        await circle.RequireRestorableAsync();
        Assert.Equal(2UL, circle.Txid);
        circle.Write();
        await circle.RequireRestorableAsync();
        await circle.KillAsync();
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(4UL, circle.Txid);
    }

    [Fact]
    public async Task HeaderOfANewLifeInTheFile_WhileSqliteIsInTheOldOne_FullAndIncrementalAreRight()
    {
        await using var circle = new Circle();
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        circle.Write(10, 900);
        var header = new WalBuilder(4096, salt: new WalSalt(0xabc, 0xdef)).ToArray();
        await using (var wal = new FileStream(circle.Path + "-wal", FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            await wal.WriteAsync(header, Token);
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        circle.Write(3, 900);
        await circle.RequireRestorableAsync();
        Assert.Equal((3UL, nameof(FullReason.FirstSync)), (circle.Txid, circle.Status.LastFullReason));
    }

    [Fact]
    public async Task WalRestartsUnderTheFirstCopy_ItsLastFrameIsOfAnotherLife_TheCopyDoesNotTakeIt()
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta" }) { Disk = disk };
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        circle.Write(20);
        circle.App.Execute("PRAGMA wal_checkpoint(FULL)");
        await circle.StartAsync();
        var wrote = false;
        disk.Fault = s =>
        {
            if (s.Name != "create" || wrote)
                return null;
            wrote = true;
            circle.Write(1, 400_000); // from the start of the WAL, with pages that the copy does not have
            return null;
        };
        await circle.SyncAsync();
        Assert.True(wrote);
        await circle.RequireRestorableAsync();
    }

    /// <summary>
    /// Everything in the WAL is in the database file already when the engine comes back: its reader then holds nothing of the WAL, and a
    /// writer may restart it before the engine has copied what it holds.
    /// </summary>
    [Theory]
    [InlineData(1, "rename")] // between two pieces
    [InlineData(1, "create")]
    [InlineData(64 << 20, "write")] // in the middle of the only one
    public async Task WalRestartsWhileTheEngineCatchesUpAfterAStart_NothingIsLost(long pieces, string step)
    {
        var disk = new SimulatedDisk();
        await using var circle = new Circle(o => o with { MetaPath = "/meta", MaxSyncWalBytes = pieces }) { Disk = disk };
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        circle.Write(20, 2000);
        await circle.StartAsync();
        await circle.StepAsync();
        await circle.StepAsync(90); // the checkpoint after silence: the next write begins the WAL anew
        circle.Write();
        await circle.RequireRestorableAsync();
        Assert.NotNull(circle.Status.LastCheckpoint);
        await circle.KillAsync();
        for (var i = 0; i < 8; i++)
            circle.App.Execute($"UPDATE t SET v = randomblob(3000) WHERE id = {i + 2}");
        circle.App.Execute("PRAGMA wal_checkpoint(FULL)");
        await circle.StartAsync();
        var wrote = false;
        disk.Fault = s =>
        {
            if (s.Name != step || !s.Path.Contains("/ltx/0/", StringComparison.Ordinal) || wrote)
                return null;
            wrote = true;
            circle.App.Execute("UPDATE t SET v = randomblob(3000) WHERE id > 10");
            return null;
        };
        await circle.SyncAsync();
        Assert.True(wrote);
        await circle.RequireRestorableAsync(); // what was committed during a sync is in the next one at the latest
        circle.Write();
        await circle.RequireRestorableAsync();
    }
}
