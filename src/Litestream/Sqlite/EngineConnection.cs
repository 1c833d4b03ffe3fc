using System.Diagnostics;

namespace Litestream.Sqlite;

/// <summary>One connection of the engine's own to the source database. Never pooled. One thread at a time.</summary>
internal sealed class EngineConnection : IDisposable
{
    private readonly Dictionary<string, IntPtr> _statements = new(StringComparer.Ordinal);
    private readonly string _path;
    private IntPtr _db;

    private EngineConnection(IntPtr db, string path)
    {
        _db = db;
        _path = path;
    }

    /// <summary>Opens an existing database. Nothing is read yet.</summary>
    internal static EngineConnection Open(string path, TimeSpan busyTimeout)
    {
        var rc = NativeSqlite.sqlite3_open_v2(
            path,
            out var db,
            NativeSqlite.OpenReadWrite | NativeSqlite.OpenFullMutex | NativeSqlite.OpenExtendedResultCodes,
            null
        );
        var connection = new EngineConnection(db, path);
        try
        {
            connection.Check(rc, "open");
            connection.Check(NativeSqlite.sqlite3_busy_timeout(db, (int)busyTimeout.TotalMilliseconds), "busy_timeout");
            NativeSqlite.DropLookaside(db);
            // Our connections never checkpoint by themselves, never map the file (replication-engine §7.3), and cache next to nothing: with two
            // pages SQLite does not even set twenty aside. An engine has four connections a database, and may have a thousand databases.
            connection.ExecuteOnce("PRAGMA wal_autocheckpoint=0");
            connection.ExecuteOnce("PRAGMA mmap_size=0");
            connection.ExecuteOnce("PRAGMA cache_size=2");
            _ = NativeSqlite.sqlite3_db_release_memory(db);
            connection.Check(NativeSqlite.SetPersistentWal(db), "persistent WAL");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens an existing database and runs nothing, so that not even its header is read: in WAL mode that would make a <c>-wal</c> and a <c>-shm</c>.
    /// </summary>
    internal static EngineConnection OpenBare(string path, TimeSpan busyTimeout)
    {
        var rc = NativeSqlite.sqlite3_open_v2(
            path,
            out var db,
            NativeSqlite.OpenReadWrite | NativeSqlite.OpenFullMutex | NativeSqlite.OpenExtendedResultCodes,
            null
        );
        var connection = new EngineConnection(db, path);
        try
        {
            connection.Check(rc, "open");
            connection.Check(NativeSqlite.sqlite3_busy_timeout(db, (int)busyTimeout.TotalMilliseconds), "busy_timeout");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    internal IntPtr Handle => _db;

    internal bool InTransaction => _db != IntPtr.Zero && NativeSqlite.sqlite3_get_autocommit(_db) == 0;

    /// <summary>Begins a read transaction that stands until <see cref="End"/>.</summary>
    internal void BeginRead()
    {
        Execute("BEGIN");
        try
        {
            // BEGIN alone takes no lock: a reader exists only after it has read.
            Execute("SELECT 1 FROM sqlite_schema LIMIT 1");
        }
        catch
        {
            End();
            throw;
        }
    }

    /// <summary>Takes the writer lock, if it is free now.</summary>
    internal bool TryBeginImmediate()
    {
        var rc = Run("BEGIN IMMEDIATE");
        if ((rc & 0xff) is NativeSqlite.Busy or NativeSqlite.Locked)
            return false;
        Check(rc, "begin immediate");
        return true;
    }

    /// <summary>Ends the transaction without a trace; harmless when none is open.</summary>
    internal void End()
    {
        if (InTransaction)
            Execute("ROLLBACK");
    }

    /// <summary>The wal-index header that this connection's read transaction sees.</summary>
    internal WalIndexHeader Snapshot(int pageSize)
    {
        Debug.Assert(InTransaction, "a snapshot belongs to a transaction");
        Span<byte> header = stackalloc byte[WalIndexHeader.Size];
        var rc = NativeSqlite.SnapshotGet(_db, header);
        if (rc == NativeSqlite.Ok)
        {
            // A WAL that was emptied before anybody wrote to it has salts, but no page size yet.
            var read = WalIndexHeader.Read(header);
            return read.PageSize == 0 ? read with { PageSize = pageSize } : read;
        }
        if ((rc & 0xff) == 1) // SQLITE_ERROR is documented for a WAL that nobody has written yet.
            return WalIndexHeader.Empty(pageSize);
        throw Failure(rc, "snapshot");
    }

    /// <summary>The present end of the WAL, through a reader that lives a few microseconds.</summary>
    internal WalIndexHeader Look(int pageSize)
    {
        Execute("BEGIN");
        try
        {
            return Snapshot(pageSize);
        }
        finally
        {
            End();
        }
    }

    internal CheckpointResult Checkpoint(CheckpointMode mode)
    {
        var rc = NativeSqlite.Checkpoint(_db, (int)mode, out var frames, out var backfilled);
        if ((rc & 0xff) is NativeSqlite.Busy or NativeSqlite.Locked)
            return new CheckpointResult(true, frames, backfilled);
        Check(rc, $"{mode} checkpoint");
        return new CheckpointResult(false, frames, backfilled);
    }

    /// <summary>
    /// A passive checkpoint that first takes the checkpoint lock, then calls <paramref name="whileShut"/>, then moves pages. The writer lock must
    /// be held by another connection of ours when this is called. <paramref name="whileShut"/> is not called when somebody else is checkpointing.
    /// </summary>
    internal CheckpointResult CheckpointCallingBack(Action whileShut)
    {
        var rc = NativeSqlite.CheckpointCallingBack(_db, whileShut, out var frames, out var backfilled);
        // Having gone on as a passive one is told as "busy" too, but with numbers.
        if ((rc & 0xff) is NativeSqlite.Busy or NativeSqlite.Locked)
            return new CheckpointResult(frames < 0, frames, backfilled);
        Check(rc, "checkpoint");
        return new CheckpointResult(false, frames, backfilled);
    }

    internal long QueryInt64(string sql) => Query(sql, static s => NativeSqlite.sqlite3_column_int64(s, 0));

    internal string QueryText(string sql) => Query(sql, static s => NativeSqlite.Text(NativeSqlite.sqlite3_column_text(s, 0)) ?? "");

    private T Query<T>(string sql, Func<IntPtr, T> read)
    {
        var statement = Prepare(sql);
        try
        {
            var rc = NativeSqlite.sqlite3_step(statement);
            if (rc != NativeSqlite.Row)
                throw Failure(rc, sql);
            return read(statement);
        }
        finally
        {
            _ = NativeSqlite.sqlite3_reset(statement);
        }
    }

    /// <summary>As <see cref="Execute"/>, for a statement that does not come again.</summary>
    private void ExecuteOnce(string sql)
    {
        Execute(sql);
        if (_statements.Remove(sql, out var statement))
            _ = NativeSqlite.sqlite3_finalize(statement);
    }

    /// <summary>Runs a statement to its first row or its end.</summary>
    internal void Execute(string sql) => Check(Run(sql), sql);

    private int Run(string sql)
    {
        var statement = Prepare(sql);
        var rc = NativeSqlite.sqlite3_step(statement);
        var reset = NativeSqlite.sqlite3_reset(statement);
        return rc is NativeSqlite.Row or NativeSqlite.Done ? NativeSqlite.Ok
            : reset == NativeSqlite.Ok ? rc
            : reset;
    }

    private IntPtr Prepare(string sql)
    {
        ObjectDisposedException.ThrowIf(_db == IntPtr.Zero, this);
        if (_statements.TryGetValue(sql, out var statement))
            return statement;
        Check(NativeSqlite.sqlite3_prepare_v3(_db, sql, -1, NativeSqlite.PreparePersistent, out statement, IntPtr.Zero), sql);
        _statements.Add(sql, statement);
        return statement;
    }

    private void Check(int rc, string what)
    {
        if (rc != NativeSqlite.Ok)
            throw Failure(rc, what);
    }

    private LitestreamException Failure(int rc, string what) => SqliteFailure.Create(rc, NativeSqlite.Message(_db), what, _path);

    public void Dispose()
    {
        if (_db == IntPtr.Zero)
            return;
        foreach (var statement in _statements.Values)
            _ = NativeSqlite.sqlite3_finalize(statement);
        _statements.Clear();
        _ = NativeSqlite.sqlite3_close_v2(_db);
        _db = IntPtr.Zero;
    }
}
