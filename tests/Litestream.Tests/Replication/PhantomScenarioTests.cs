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
        Assert.Equal(1UL, circle.Txid);
        circle.Write();
        await circle.RequireRestorableAsync();
        await circle.KillAsync();
        circle.Write();
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal(3UL, circle.Txid);
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
        Assert.Equal((2UL, nameof(FullReason.FirstSync)), (circle.Txid, circle.Status.LastFullReason));
    }
}
