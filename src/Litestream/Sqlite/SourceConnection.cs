namespace Litestream.Sqlite;

/// <summary>
/// The engine's hold on one source database: the standing reader, the writer's barrier, the checkpoint. It adds no table to the database.
/// </summary>
/// <remarks>
/// At every instant one of two connections holds a read transaction; the next begins before the last one ends. While it stands, no frame
/// can disappear before it was copied (checkpoint.md). One thread at a time: the database's gate. Not sealed, so that a test can do one thing wrong.
/// </remarks>
internal class SourceConnection : IDisposable
{
    private readonly EngineConnection[] _readers;
    private readonly EngineConnection _barrier;
    private readonly EngineConnection _checkpoint;
    private readonly TimeSpan _busyTimeout;
    private int _standing;

    private protected SourceConnection(string path, TimeSpan busyTimeout)
    {
        _busyTimeout = busyTimeout;
        var opened = new List<EngineConnection>();
        try
        {
            for (var i = 0; i < 4; i++)
                opened.Add(EngineConnection.Open(path, i < 2 ? busyTimeout : TimeSpan.Zero));
            _readers = [opened[0], opened[1]];
            (_barrier, _checkpoint) = (opened[2], opened[3]);
            RequireWalMode(path);
            PageSize = (int)_readers[0].QueryInt64("PRAGMA page_size");
            _readers[0].BeginRead();
            ReaderMark = _readers[0].Snapshot(PageSize);
            Path = NativeSqlite.DatabasePath(_readers[0].Handle);
            File = new DatabaseFile(_readers[0], Path);
            Wal = new WalFile(NativeSqlite.WalPath(_readers[0].Handle));
        }
        catch
        {
            foreach (var connection in opened)
                connection.Dispose();
            throw;
        }
    }

    /// <summary>Opens the database, puts it into WAL mode if needed, and begins the standing reader.</summary>
    /// <exception cref="LitestreamException">The file is no database, is locked exclusively, cannot be put into WAL mode, ...</exception>
    internal static SourceConnection Open(string path, TimeSpan busyTimeout)
    {
        RequireSafeLibrary(NativeSqlite.sqlite3_libversion_number());
        return new SourceConnection(path, busyTimeout);
    }

    /// <summary>Refuses a library that can lose pages of the application when we checkpoint beside it (replication-engine §7.3).</summary>
    internal static void RequireSafeLibrary(int version)
    {
        if (version < NativeSqlite.FirstSafeCheckpointVersion)
            throw new LitestreamException(
                LitestreamError.Database,
                $"the SQLite library of this process is version {version}: before 3.51.3 a checkpoint beside another one can lose pages"
            )
            {
                Hint = "use SQLitePCLRaw.bundle_e_sqlite3 3.0.5 or later",
            };
    }

    /// <summary>True when there is a file at the path; only its name is looked up, it is not opened.</summary>
    internal static bool Exists(string path) => System.IO.File.Exists(path);

    /// <summary>The file as SQLite knows it, symbolic links resolved.</summary>
    internal string Path { get; }

    internal int PageSize { get; }

    internal DatabaseFile File { get; }

    internal WalFile Wal { get; private protected init; }

    /// <summary>Where the standing reader stands. Frames behind it cannot be moved into the database file by anybody.</summary>
    internal WalIndexHeader ReaderMark { get; private set; }

    /// <summary>True while the writer lock is ours.</summary>
    internal bool HasBarrier => _barrier.InTransaction;

    /// <summary>True while the standing reader is there. It ends only with this object or with a failure.</summary>
    internal bool HasReader => _readers[_standing].InTransaction;

    /// <summary>True when the path names another file now: the database was replaced or removed under us.</summary>
    internal bool HasMoved => NativeSqlite.HasMoved(_checkpoint.Handle);

    /// <summary>True while the database has no page at all: a file of 0 bytes in which nothing was ever committed.</summary>
    internal bool IsEmpty => Look().LastFrame == 0 && File.SizeBytes == 0;

    /// <summary>SQLite's own present end of the WAL; a few microseconds.</summary>
    internal virtual WalIndexHeader Look() => _checkpoint.Look(PageSize);

    /// <summary>Begins a new standing reader, then ends the old one.</summary>
    internal void MoveReader()
    {
        var next = _readers[1 - _standing];
        next.BeginRead();
        try
        {
            ReaderMark = next.Snapshot(PageSize);
        }
        catch
        {
            next.End();
            throw;
        }
        _standing = 1 - _standing;
        _readers[1 - _standing].End();
    }

    /// <summary>Tries once to take the writer lock, so that nobody can commit until <see cref="ReleaseBarrier"/>.</summary>
    internal virtual bool TryBarrier() => _barrier.TryBeginImmediate();

    internal void ReleaseBarrier() => _barrier.End();

    internal virtual CheckpointResult Checkpoint(CheckpointMode mode) => _checkpoint.Checkpoint(mode);

    /// <summary>
    /// Moves everything up to now into the database file, and nobody else can begin to: an application over its own checkpoint threshold tries
    /// at every commit, and once our mark has moved it would do the bulk itself, waiting for the disk in the middle of a commit. So the mark
    /// moves only when the checkpoint lock is ours already. The barrier must be held.
    /// </summary>
    /// <param name="letWritersIn">End the barrier as soon as the mark has moved: pages are moved while writers go on.</param>
    /// <returns>Busy: somebody else is checkpointing right now; then nothing has happened, and the barrier still stands.</returns>
    internal virtual CheckpointResult CheckpointBehindShutDoor(bool letWritersIn)
    {
        // Without it SQLite would take the writer lock itself, for the whole of the work.
        if (!HasBarrier)
            throw new InvalidOperationException("the barrier must be held");
        return _checkpoint.CheckpointCallingBack(() =>
        {
            MoveReader();
            if (letWritersIn)
                ReleaseBarrier();
        });
    }

    /// <summary>A reader of its own for a copy of the whole database; the standing reader may move on meanwhile.</summary>
    internal SourceSnapshot OpenSnapshot()
    {
        var connection = EngineConnection.Open(Path, _busyTimeout);
        try
        {
            connection.BeginRead();
            var at = connection.Snapshot(PageSize);
            var pages = (uint)connection.QueryInt64("PRAGMA page_count");
            // Did this reader find everything moved already? Then the pages are all in the database file, and the WAL may be restarted under
            // it. Else it holds the WAL still. The order of these two looks matters: SQLite moves frames only forward within one life.
            var moved = Checkpoint(CheckpointMode.Noop).Backfilled;
            var usesWal = Look().Salt == at.Salt && moved < at.LastFrame;
            return new SourceSnapshot(connection, Path, at, pages, usesWal ? new WalFile(Wal.Path) : null);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void RequireWalMode(string path)
    {
        var mode = _readers[0].QueryText("PRAGMA journal_mode");
        if (mode != "wal")
            mode = _readers[0].QueryText("PRAGMA journal_mode=wal");
        if (mode != "wal")
            throw new LitestreamException(
                LitestreamError.Database,
                $"{path}: journal mode is '{mode}' and cannot be changed to WAL, which replication needs"
            )
            {
                IsTransient = true,
                Hint = "close programs that hold the database in another journal mode",
                Path = path,
            };
    }

    public void Dispose()
    {
        Wal.Dispose();
        _barrier.Dispose();
        _checkpoint.Dispose();
        _readers[1 - _standing].Dispose();
        // Last the standing reader, so that the hold ends with everything else.
        _readers[_standing].Dispose();
    }
}
