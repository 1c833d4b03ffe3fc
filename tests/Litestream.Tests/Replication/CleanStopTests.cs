using System.Runtime.InteropServices;
using Litestream.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>
/// A restart after a clean stop: where it is proved that nobody wrote to the database file, the database is not copied again; where anybody did, it is.
/// </summary>
public sealed class CleanStopTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public CleanStopTests() => Assert.SkipUnless(RuntimeInformation.IsOSPlatform(OSPlatform.Linux), "only Linux tells enough of a file");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WalRemovedByTheAppsCleanEnd_NothingIsCopiedAgain_AndTheNextCommitIsIncremental(bool reads)
    {
        await using var circle = await Circle.RunningAsync(3);
        var txid = circle.Txid;
        Assert.True(await circle.StopAsync());
        circle.App.Dispose(); // the last one to close removes the WAL
        if (reads)
            await circle.ShellAsync("SELECT count(*) FROM t"); // so does a reader of another process
        Assert.False(File.Exists(circle.Path + "-wal"));
        for (var i = 0; i < 3; i++)
        {
            await circle.StartAsync();
            await circle.SyncAsync();
            Assert.Equal((txid, 0), (circle.Txid, circle.Status.FullFiles));
            Assert.True(await circle.StopAsync());
        }
        await circle.StartAsync();
        circle.Reconnect();
        circle.Write(3);
        await circle.RequireRestorableAsync();
        Assert.Equal((txid + 1, 0), (circle.Txid, circle.Status.FullFiles));
    }

    [Fact]
    public async Task CommitsInAWalOfTheirOwn_AreTakenFromIt()
    {
        await using var circle = await Circle.RunningAsync(3);
        var txid = circle.Txid;
        Assert.True(await circle.StopAsync());
        circle.App.Execute("PRAGMA wal_autocheckpoint=0");
        circle.Write(30, 2000); // the first restarts the WAL; none is moved
        await circle.StartAsync();
        await circle.RequireRestorableAsync();
        Assert.Equal((txid + 1, 0), (circle.Txid, circle.Status.FullFiles));
    }

    [Theory]
    [InlineData("UPDATE t SET v = 'other' WHERE id = 1")] // not even the change counter need move
    [InlineData("INSERT INTO t(v) VALUES(randomblob(90000))")]
    [InlineData("PRAGMA journal_mode=delete; DELETE FROM t WHERE id = 2; PRAGMA journal_mode=wal")]
    [InlineData("VACUUM")]
    public async Task SomebodyWroteAndClosed_EverythingIsCopied(string sql)
    {
        await using var circle = await Circle.RunningAsync(3);
        circle.Write(3);
        Assert.True(await circle.StopAsync());
        circle.App.Dispose();
        await circle.ShellAsync(sql);
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal((1, nameof(FullReason.WalRestartedUnwatched)), (circle.Status.FullFiles, circle.Status.LastFullReason));
        Assert.Equal(CanonicalDump.Of(circle.Path), await circle.RestoreAsync());
    }

    [Fact]
    public async Task WrittenInTheVeryMomentOfTheStop_IsSeen()
    {
        for (var i = 0; i < 15; i++)
        {
            await using var circle = await Circle.RunningAsync(2);
            circle.App.Execute("PRAGMA wal_autocheckpoint=1");
            using var stop = new CancellationTokenSource();
            var app = Task.Run(
                () =>
                {
                    while (!stop.IsCancellationRequested)
                        circle.App.Execute("UPDATE t SET v = v + 1 WHERE id = 1");
                },
                Token
            );
            await circle.StopAsync();
            await stop.CancelAsync();
            await app;
            circle.App.Dispose();
            await circle.StartAsync();
            await circle.SyncAsync();
            Assert.Equal(CanonicalDump.Of(circle.Path), await circle.RestoreAsync());
        }
    }

    [Fact]
    public async Task ProofIsUsedOnce_AndACrashLeavesNone()
    {
        await using var circle = await Circle.RunningAsync(2);
        var proof = Path.Combine(EngineFolder.Of(circle.Options), "clean-stop");
        Assert.True(await circle.StopAsync());
        Assert.True(File.Exists(proof));
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.False(File.Exists(proof));
        await circle.KillAsync();
        Assert.False(File.Exists(proof));
        circle.App.Dispose();
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal(1, circle.Status.FullFiles); // nobody can say what happened meanwhile
        Assert.Equal(CanonicalDump.Of(circle.Path), await circle.RestoreAsync());
    }

    [Theory]
    [InlineData("1 ", "2 ")] // another form
    [InlineData(":", ";")]
    public async Task ProofOfAnotherBootFileOrTransaction_IsNone(string from, string to)
    {
        await using var circle = await Circle.RunningAsync(2);
        var proof = Path.Combine(EngineFolder.Of(circle.Options), "clean-stop");
        Assert.True(await circle.StopAsync());
        circle.App.Dispose();
        var text = await File.ReadAllTextAsync(proof, Token);
        await File.WriteAllTextAsync(proof, text.Replace(from, to, StringComparison.Ordinal), Token);
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal(1, circle.Status.FullFiles);
    }
}
