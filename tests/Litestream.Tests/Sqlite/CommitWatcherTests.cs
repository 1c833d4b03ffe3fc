using Litestream.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>Writes of other processes are told once, and again after arming again.</summary>
public sealed class CommitWatcherTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WriteOfAnotherProcess_IsToldOnce_AndAgainAfterArming()
    {
        var shell = Require.Program("sqlite3");
        using var folder = new TempFolder();
        var path = folder.Combine("app.db");
        using var keep = TestDatabase.Open(path);
        keep.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v)");
        using var watcher = CommitWatcher.Create();
        Assert.True(watcher.TellsWrites);
        using var told = new SemaphoreSlim(0);
        var other = 0;
        using (var connection = TestDatabase.Open(folder.Combine("other.db")))
        {
            connection.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v)");
            Assert.True(watcher.Arm(folder.Combine("other.db-wal"), () => Interlocked.Increment(ref other)));
            for (var round = 0; round < 3; round++)
            {
                Assert.True(watcher.Arm(path + "-wal", () => told.Release()));
                await TestProcess.RunAsync(shell, [path, "INSERT INTO t VALUES(1)"], cancellationToken: Token);
                Assert.True(await told.WaitAsync(TimeSpan.FromSeconds(10), Token));
                await TestProcess.RunAsync(shell, [path, "INSERT INTO t VALUES(2)"], cancellationToken: Token);
                Assert.False(await told.WaitAsync(TimeSpan.FromMilliseconds(50), Token));
            }
            Assert.Equal(0, other);
        }
        Assert.Equal("6", keep.Scalar("SELECT count(*) FROM t"));
    }

    [Fact]
    public async Task DisarmedOrDisposed_TellsNothing()
    {
        using var folder = new TempFolder();
        var wal = folder.Combine("x-wal");
        await File.WriteAllTextAsync(wal, "x", Token);
        var watcher = CommitWatcher.Create();
        var count = 0;
        Assert.True(watcher.Arm(wal, () => Interlocked.Increment(ref count)));
        watcher.Disarm(wal);
        watcher.Disarm(wal);
        await File.AppendAllTextAsync(wal, "y", Token);
        Assert.True(watcher.Arm(wal, () => Interlocked.Increment(ref count)));
        watcher.Dispose();
        watcher.Dispose();
        Assert.False(watcher.Arm(wal, () => Interlocked.Increment(ref count)));
        await File.AppendAllTextAsync(wal, "z", Token);
        Assert.Equal(0, count);
    }

    [Fact]
    public void MissingFile_CannotBeWatched()
    {
        using var watcher = CommitWatcher.Create();
        Assert.False(watcher.Arm("/nowhere/at/all-wal", () => { }));
        using var silent = new SilentCommitWatcher();
        Assert.False(silent.TellsWrites || silent.Arm("/dev/null", () => { }));
    }
}
