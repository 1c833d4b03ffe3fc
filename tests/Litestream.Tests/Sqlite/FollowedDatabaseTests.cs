using Litestream.IO;
using Litestream.Sqlite;
using Litestream.Tests.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>Pages changed from outside: SQLite itself is the judge of what a reader sees, before, in the middle, and after a crash.</summary>
public sealed class FollowedDatabaseTests : IDisposable
{
    private const int PageSize = 4096;

    private readonly TempFolder _folder = new();
    private readonly string _path;
    private readonly string _before;

    public FollowedDatabaseTests()
    {
        _path = _folder.Combine("a.db");
        using (var database = TestDatabase.Open(_path))
            database.Execute(
                "PRAGMA page_size=4096; CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<200) INSERT INTO t SELECT n, zeroblob(1000) FROM c"
            );
        _before = CanonicalDump.Of(_path);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Scenario", "K4")]
    public async Task CrashInTheMiddleOfAChange_TheNextReaderRollsItBack()
    {
        for (var step = 0; step < 5; step++)
        {
            var database = Open();
            Assert.True(database.TryBegin());
            var size = database.SizeBytes;
            var pages = (uint)(size / PageSize);
            if (step > 0)
                await database.JournalAsync(PageSize, pages, Enumerable.Range(1, (int)pages).Select(p => (uint)p), Token);
            if (step > 1)
                Assert.True(database.TryExclude());
            if (step > 2)
                Scribble(database, pages + 10);
            if (step > 3)
                Scribble(database, 1);
            // As kill -9: the locks go with the descriptor, everything else stays.
            database.Dispose();
            Assert.Equal(step > 0, File.Exists(_path + "-journal"));
            Assert.Equal(
                "ok|200",
                await Circle
                    .ShellAsync(_path, "PRAGMA integrity_check; SELECT '|' || count(*) FROM t")
                    .ContinueWith(t => t.Result.Replace("\n", "", StringComparison.Ordinal), TaskScheduler.Default)
            );
            Assert.Equal(_before, CanonicalDump.Of(_path));
            Assert.Equal(size, new FileInfo(_path).Length);
        }
    }

    [Fact]
    public async Task FailureInTheMiddleOfAChange_Abandon_RollsItBackAtOnce()
    {
        using var database = Open();
        Assert.True(database.TryBegin());
        var pages = (uint)(database.SizeBytes / PageSize);
        await database.JournalAsync(PageSize, pages, Enumerable.Range(1, (int)pages).Select(p => (uint)p), Token);
        Assert.True(database.TryExclude());
        Scribble(database, pages + 3);
        database.Abandon();
        Assert.Equal(["a.db"], _folder.Contents());
        Assert.Equal(_before, CanonicalDump.Of(_path));
        // And again, before anything was written: the journal only goes.
        Assert.True(database.TryBegin());
        await database.JournalAsync(PageSize, pages, [1], Token);
        database.Abandon();
        Assert.Equal(["a.db"], _folder.Contents());
        Assert.Equal(_before, CanonicalDump.Of(_path));
    }

    [Fact]
    public async Task WhileItChanges_ReadersAreServedUntilTheLastMoment_AndWritersWait()
    {
        using var database = Open();
        using var reader = TestDatabase.Open(_path, readOnly: true);
        using var writer = TestDatabase.Open(_path);
        writer.Execute("PRAGMA busy_timeout=0");
        Assert.True(database.TryBegin());
        await database.JournalAsync(PageSize, (uint)(database.SizeBytes / PageSize), [1], Token);
        Assert.Equal("200", reader.Scalar("SELECT count(*) FROM t"));
        writer.DefaultTimeout = 1;
        Assert.Contains("locked", Assert.ThrowsAny<Exception>(() => writer.Execute("DELETE FROM t")).Message, StringComparison.Ordinal);
        reader.Execute("BEGIN");
        Assert.Equal("200", reader.Scalar("SELECT count(*) FROM t"));
        Assert.False(database.TryExclude());
        reader.Execute("END");
        Assert.True(database.TryExclude());
        database.Commit(database.SizeBytes);
        writer.Execute("DELETE FROM t");
        Assert.Equal("0", reader.Scalar("SELECT count(*) FROM t"));
    }

    [Fact]
    public void OtherWriterActive_IsNotDisturbed()
    {
        using var database = Open();
        using (var writer = TestDatabase.Open(_path))
        {
            writer.Execute("BEGIN IMMEDIATE; DELETE FROM t");
            Assert.False(database.TryBegin());
            writer.Execute("COMMIT");
        }
        Assert.True(database.TryBegin());
        database.Abandon();
    }

    [Fact]
    public async Task WalWithTransactionsBeside_IsRefused()
    {
        await File.WriteAllTextAsync(_path + "-wal", "frames", Token);
        Assert.Equal(LitestreamError.Conflict, Assert.Throws<LitestreamException>(Open).Error);
        Assert.Equal("frames", await File.ReadAllTextAsync(_path + "-wal", Token));
    }

    [Fact]
    public void NoDatabase_SaysSo()
    {
        var exception = Assert.Throws<LitestreamException>(() =>
            FollowedDatabase.Open(_folder.Combine("none.db"), DurableFiles.System, TimeSpan.Zero)
        );
        Assert.Contains("none.db", exception.Message, StringComparison.Ordinal);
    }

    private FollowedDatabase Open() => FollowedDatabase.Open(_path, DurableFiles.System, TimeSpan.FromMilliseconds(100));

    private static void Scribble(FollowedDatabase database, uint page)
    {
        var bytes = new byte[PageSize];
        new Random((int)page).NextBytes(bytes);
        database.Write((long)(page - 1) * PageSize, bytes);
    }
}
