using Litestream.Sqlite;
using Microsoft.Data.Sqlite;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>The engine's hold on a database, against real SQLite.</summary>
public sealed class SourceConnectionTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _path;

    public SourceConnectionTests() => _path = _folder.Combine("app.db");

    [Theory]
    [InlineData(512)]
    [InlineData(1024)]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public void Look_EqualsWhatANoopCheckpointAndTheFileSay(int pageSize)
    {
        using var app = NewApp($"PRAGMA page_size={pageSize}");
        using var source = Open();
        Assert.Equal(pageSize, source.PageSize);
        for (var i = 0; i < 12; i++)
        {
            app.Execute($"INSERT INTO t VALUES(randomblob({i * 700}))");
            if (i % 5 == 4)
            {
                source.MoveReader();
                app.Execute("PRAGMA wal_checkpoint(PASSIVE)");
                source.MoveReader();
            }
            var end = source.Look();
            var noop = source.Checkpoint(CheckpointMode.Noop);
            Assert.Equal((false, (int)end.LastFrame), (noop.IsBusy, noop.Frames));
            Assert.Equal(app.Scalar("PRAGMA page_count"), end.Pages.ToString(System.Globalization.CultureInfo.InvariantCulture));
            var page = new byte[pageSize];
            var frame = source.Wal.ReadFrame(end.LastFrame, pageSize, page)!.Value;
            Assert.Equal((end.Pages, end.Salt, end.LastChecksum), (frame.CommitPages, frame.Salt, frame.Checksum));
            Assert.Equal(end.Salt, source.Wal.ReadHeader()!.Value.Salt);
            // The whole chain is what SQLite says.
            using var reader = new WalReader(source.Wal, end, 0, null);
            while (reader.Read()) { }
            Assert.Equal(end.LastChecksum, reader.Running);
        }
    }

    [Fact]
    public void Look_WalNeverWritten_IsEmpty_AndTheNextCommitIsSeen()
    {
        using (var before = NewApp())
            before.Execute("INSERT INTO t VALUES(1)");
        using var source = Open();
        Assert.Equal(0u, source.Look().LastFrame);
        Assert.False(source.IsEmpty);
        using var app = TestDatabase.Open(_path);
        app.Execute("INSERT INTO t VALUES(2)");
        Assert.NotEqual(0u, source.Look().LastFrame);
    }

    [Fact]
    public void A14_UncommittedAndRolledBack_MovesNoEnd()
    {
        using var app = NewApp();
        using var source = Open();
        app.Execute("PRAGMA cache_size=5");
        var end = source.Look();
        // A cache this small spills the open transaction into the WAL: frames that are no commit.
        app.Execute(
            "BEGIN; INSERT INTO t SELECT randomblob(3000) FROM generate_series(1, 200)".Replace("generate_series(1, 200)", Numbers(200))
        );
        Assert.True(source.Wal.LengthBytes > end.EndOffset + 100_000);
        Assert.Equal(end, source.Look());
        app.Execute("ROLLBACK");
        Assert.Equal(end, source.Look());
    }

    [Fact]
    public void B37_PhantomFramesBehindSqlitesEnd_AreNotTheEnd()
    {
        using var app = NewApp();
        using var source = Open();
        var end = source.Look();
        var phantom = WalBuilder.Behind(end).Frame(2, end.Pages, 0xee).Frame(1, end.Pages, 0xee);
        using (var file = new FileStream(_path + "-wal", FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Position = end.EndOffset;
            file.Write(phantom.ToArray());
        }
        Assert.Equal(end, source.Look());
        app.Execute("INSERT INTO t VALUES('real')");
        var after = source.Look();
        using var reader = new WalReader(source.Wal, after, end.LastFrame, end.LastChecksum);
        while (reader.Read())
            Assert.NotEqual(0xee, reader.Page[100]);
        Assert.Equal(after.LastChecksum, reader.Running);
    }

    [Fact]
    public void MoveReader_AtEveryInstantAReaderStands()
    {
        using var app = NewApp();
        using var source = Open();
        for (var i = 0; i < 20; i++)
        {
            Assert.True(source.HasReader);
            app.Execute("INSERT INTO t VALUES(randomblob(900))");
            var end = source.Look();
            source.MoveReader();
            Assert.Equal(end, source.ReaderMark);
            // Frames behind the mark can neither be moved nor overwritten, whoever asks.
            app.Execute("INSERT INTO t VALUES(randomblob(900))");
            Assert.Equal("1", app.Scalar("PRAGMA wal_checkpoint(TRUNCATE)"));
            Assert.Equal(end.Salt, source.Look().Salt);
        }
    }

    [Fact]
    public void StandingReader_OtherProgramsTruncateIsBusy_UntilItIsGone()
    {
        using var app = NewApp();
        using (Open())
        {
            app.Execute("INSERT INTO t VALUES(1)");
            Assert.Equal("1", app.Scalar("PRAGMA wal_checkpoint(TRUNCATE)"));
        }
        Assert.Equal("0", app.Scalar("PRAGMA wal_checkpoint(TRUNCATE)"));
    }

    [Fact]
    public void C16_Truncate_InSilenceWithOurReaderOnSlotZero_EmptiesTheFile_AndRefusesWhenACommitSlippedIn()
    {
        using var app = NewApp("PRAGMA wal_autocheckpoint=0");
        using var source = Open();
        app.Execute("INSERT INTO t VALUES(randomblob(90000))");
        source.MoveReader();
        Assert.True(source.Checkpoint(CheckpointMode.Passive).IsComplete);
        source.MoveReader();
        app.Execute("INSERT INTO t VALUES('slipped in')");
        Assert.True(source.Checkpoint(CheckpointMode.Truncate).IsBusy);
        Assert.True(source.Wal.LengthBytes > 90_000);
        source.MoveReader();
        Assert.True(source.Checkpoint(CheckpointMode.Passive).IsComplete);
        source.MoveReader();
        var truncated = source.Checkpoint(CheckpointMode.Truncate);
        Assert.False(truncated.IsBusy, $"{truncated}");
        Assert.Equal(0, source.Wal.LengthBytes);
        Assert.Equal("2", app.Scalar("SELECT count(*) - 1 FROM t"));
    }

    [Fact]
    public void CheckpointCallingBack_MeanwhileNobodyElseCanCheckpoint_ButEverybodyCanCommit()
    {
        using var app = NewApp("PRAGMA wal_autocheckpoint=0");
        using var barrier = EngineConnection.Open(_path, TimeSpan.Zero);
        using var checkpoint = EngineConnection.Open(_path, TimeSpan.Zero);
        app.Execute("INSERT INTO t VALUES(randomblob(50000))");
        Assert.True(barrier.TryBeginImmediate());
        var calls = 0;
        var result = checkpoint.CheckpointCallingBack(() =>
        {
            calls++;
            Assert.Equal("1", app.Scalar("PRAGMA wal_checkpoint(PASSIVE)"));
            barrier.End();
            // The door is shut for checkpoints only: the writer's own attempt after this commit fails at once, and it goes on.
            app.Execute("PRAGMA wal_autocheckpoint=1; INSERT INTO t VALUES('meanwhile')");
        });
        Assert.Equal(1, calls);
        Assert.False(result.IsBusy);
        Assert.InRange(result.Backfilled, 12, result.Frames);
        Assert.Equal("0", app.Scalar("PRAGMA wal_checkpoint(PASSIVE)"));
        // What the callback throws is not lost in SQLite's frames, and the connection is as before.
        Assert.True(barrier.TryBeginImmediate());
        Assert.Throws<InvalidTimeZoneException>(() => checkpoint.CheckpointCallingBack(() => throw new InvalidTimeZoneException()));
        barrier.End();
        Assert.False(checkpoint.Checkpoint(CheckpointMode.Passive).IsBusy);
    }

    [Theory]
    [InlineData(3_040_001, false)] // Debian 12
    [InlineData(3_051_002, false)] // what Litestream 0.5.16 came with
    [InlineData(3_051_003, true)]
    [InlineData(3_053_004, true)]
    public void C23_LibraryWithTheRaceOfWalResets_IsRefusedWithAHint(int version, bool isSafe)
    {
        if (isSafe)
        {
            SourceConnection.RequireSafeLibrary(version);
            return;
        }
        var failure = Assert.Throws<LitestreamException>(() => SourceConnection.RequireSafeLibrary(version));
        Assert.Contains("before 3.51.3", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.Hint);
    }

    [Fact]
    public void CheckpointBehindShutDoor_MovesTheMarkAndEverythingUpToIt_AndTheBarrierIsGone()
    {
        using var app = NewApp("PRAGMA wal_autocheckpoint=0");
        using var source = Open();
        app.Execute("INSERT INTO t VALUES(randomblob(50000))");
        var end = source.Look();
        Assert.True(source.TryBarrier());
        var moved = source.CheckpointBehindShutDoor(letWritersIn: true);
        Assert.Equal((false, (int)end.LastFrame, (int)end.LastFrame), (moved.IsBusy, moved.Frames, moved.Backfilled));
        Assert.Equal(end, source.ReaderMark);
        Assert.False(source.HasBarrier);
        app.Execute("INSERT INTO t VALUES('after')");
        // The mark stands in the WAL: it cannot restart, whoever asks.
        Assert.Equal("1", app.Scalar("PRAGMA wal_checkpoint(RESTART)"));
        Assert.Equal(end.Salt, source.Look().Salt);
    }

    [Fact]
    [Trait("Scenario", "C22")]
    public void Barrier_KeepsASecondConnectionFromCommitting_AndIsNotAskedTwice()
    {
        using var app = NewApp();
        using var source = Open();
        Assert.True(source.TryBarrier());
        Assert.True(source.HasBarrier);
        Assert.Equal(5, Assert.Throws<SqliteException>(() => app.Execute("INSERT INTO t VALUES('during')")).SqliteErrorCode);
        source.ReleaseBarrier();
        source.ReleaseBarrier(); // C22: twice is no error
        app.Execute("BEGIN IMMEDIATE; INSERT INTO t VALUES('after')");
        Assert.False(source.TryBarrier());
        app.Execute("COMMIT");
        Assert.True(source.TryBarrier());
        source.ReleaseBarrier();
    }

    [Fact]
    public void Snapshot_IsTheDatabaseAtItsMark_WhileAWriterAndACheckpointerGoOn()
    {
        using var app = NewApp("PRAGMA wal_autocheckpoint=20");
        for (var round = 0; round < 30; round++)
        {
            using var source = Open();
            for (var i = 0; i < round % 7; i++)
                app.Execute("INSERT INTO t VALUES(randomblob(2500))");
            if (round % 3 == 0)
            {
                // Everything moved: this snapshot reads the file alone.
                source.MoveReader();
                app.Execute("PRAGMA wal_checkpoint(PASSIVE)");
                source.MoveReader();
            }
            var expected = CanonicalDump.Of(app);
            using var snapshot = source.OpenSnapshot();
            var copy = Copy(
                snapshot,
                () =>
                {
                    app.Execute($"UPDATE t SET v = randomblob(2000) WHERE rowid % 3 = {round % 3}; INSERT INTO t VALUES(randomblob(2500))");
                    source.MoveReader();
                    app.Execute("PRAGMA wal_checkpoint(RESTART)");
                }
            );
            Assert.Equal(expected, CanonicalDump.Of(copy));
        }
    }

    [Fact]
    public void HasMoved_RenamedOverOrDeleted_IsSeen()
    {
        using var app = NewApp();
        using var source = Open();
        Assert.False(source.HasMoved);
        var other = _folder.Combine("other.db");
        using (var connection = TestDatabase.Open(other))
            connection.Execute("CREATE TABLE u(a)");
        File.Move(other, _path, overwrite: true);
        Assert.True(source.HasMoved);
        File.Delete(_path);
        Assert.True(source.HasMoved);
    }

    [Theory]
    [InlineData("delete")]
    [InlineData("truncate")]
    [InlineData("persist")]
    public void Open_AnotherJournalMode_IsSwitchedToWal(string mode)
    {
        using (var app = TestDatabase.Open(_path))
            app.Execute($"PRAGMA journal_mode={mode}; CREATE TABLE t(v); INSERT INTO t VALUES(1)");
        using (Open()) { }
        using var again = TestDatabase.Open(_path);
        Assert.Equal("wal", again.Scalar("PRAGMA journal_mode"));
        Assert.Equal("1", again.Scalar("SELECT count(*) FROM t"));
    }

    [Fact]
    public void Open_JournalModeHeldByAnother_IsATransientErrorThatSaysSo()
    {
        using var app = TestDatabase.Open(_path);
        app.Execute("CREATE TABLE t(v); BEGIN; SELECT * FROM t");
        var e = Assert.Throws<LitestreamException>(Open);
        Assert.True(e.IsTransient);
        Assert.Contains(_path, e.Message, StringComparison.Ordinal);
        app.Execute("COMMIT");
        Open().Dispose();
    }

    [Fact]
    public void Open_ExclusivelyLocked_IsBusyAndTransient()
    {
        using var app = TestDatabase.Open(_path);
        app.Execute("PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal; CREATE TABLE t(v)");
        var e = Assert.Throws<LitestreamException>(Open);
        Assert.Equal((LitestreamError.Busy, true), (e.Error, e.IsTransient));
    }

    [Fact]
    public void Open_NoDatabase_IsAnErrorThatIsNotRetriedForEver()
    {
        File.WriteAllText(
            _path,
            "This is a text of more than a hundred bytes, long enough to hold what would be the header of a database. "
                + new string('x', 2000)
        );
        var e = Assert.Throws<LitestreamException>(Open);
        Assert.Equal((LitestreamError.Database, false), (e.Error, e.IsTransient));
        Assert.Contains("not a SQLite database", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AddsNothingToTheDatabase_AndALastCloseKeepsTheWal()
    {
        string before;
        using (var app = NewApp())
            before = CanonicalDump.Of(app);
        using (Open()) { }
        Assert.True(File.Exists(_path + "-wal"));
        Assert.Equal(before, CanonicalDump.Of(_path));
    }

    private string Copy(SourceSnapshot snapshot, Action meanwhile)
    {
        var copy = _folder.Combine($"{Guid.NewGuid():n}.db");
        snapshot.Prepare(TestContext.Current.CancellationToken);
        using var output = File.Create(copy);
        var page = new byte[snapshot.At.PageSize];
        for (uint number = 1; number <= snapshot.Commit; number++)
        {
            if (number % (snapshot.Commit / 4 + 1) == 1)
                meanwhile();
            snapshot.ReadPages(number, page);
            output.Write(page);
        }
        return copy;
    }

    private SqliteConnection NewApp(string settings = "")
    {
        var app = TestDatabase.Open(_path);
        app.DefaultTimeout = 1;
        app.Execute(
            $"{settings}; PRAGMA journal_mode=wal; PRAGMA synchronous=off; PRAGMA busy_timeout=0; CREATE TABLE t(v); INSERT INTO t VALUES('first')"
        );
        return app;
    }

    private SourceConnection Open() => SourceConnection.Open(_path, TimeSpan.FromMilliseconds(50));

    private static string Numbers(int count) =>
        $"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)";

    public void Dispose() => _folder.Dispose();
}
