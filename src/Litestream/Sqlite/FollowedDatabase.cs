using System.Buffers.Binary;
using Litestream.IO;

namespace Litestream.Sqlite;

/// <summary>
/// A database whose pages are changed from outside SQLite's own statements, while others read it: with SQLite's locks, through SQLite's file object, and
/// with a rollback journal, so that a reader sees the state before or the state after, also when this process dies in between.
/// </summary>
/// <remarks>
/// One connection that runs no statement but the one that lets SQLite roll back. One change at a time: <see cref="TryBegin"/>,
/// <see cref="JournalAsync"/>, <see cref="TryExclude"/>, <see cref="Write"/>, <see cref="Commit"/>; <see cref="Abandon"/> at any point instead.
/// One thread at a time.
/// </remarks>
internal sealed class FollowedDatabase : IDisposable
{
    /// <summary>Bytes of SQLite's header at the start of page 1.</summary>
    internal const int HeaderSize = 100;

    private readonly EngineConnection _connection;
    private readonly DatabaseFile _file;
    private readonly DurableFiles _files;
    private bool _isJournaled;
    private bool _isChanged;

    private FollowedDatabase(EngineConnection connection, string path, DurableFiles files)
    {
        _connection = connection;
        _files = files;
        Path = path;
        _file = new DatabaseFile(connection, path);
    }

    /// <summary>The file.</summary>
    internal string Path { get; }

    /// <summary>Opens an existing database, and rolls back what a process that died has left half done.</summary>
    /// <exception cref="LitestreamException">It cannot be opened or written, or has a WAL of its own.</exception>
    internal static FollowedDatabase Open(string path, DurableFiles files, TimeSpan busyTimeout)
    {
        if (files.Stat(path + "-wal") is { SizeBytes: > 0 })
            throw new LitestreamException(
                LitestreamError.Conflict,
                $"{path}-wal holds transactions: somebody writes to the database that follows a replica"
            )
            {
                Path = path,
                Hint = "close programs that use it; restore it anew to another path to follow again",
            };
        var connection = EngineConnection.OpenBare(path, busyTimeout);
        try
        {
            if (NativeSqlite.IsReadOnly(connection.Handle))
                throw new LitestreamException(LitestreamError.Database, $"{path} may not be written by this user")
                {
                    Path = path,
                    Hint = "following needs to write the file and its folder",
                };
            var database = new FollowedDatabase(connection, path, files);
            database.RollBack();
            return database;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>True when the path names another file now.</summary>
    internal bool HasMoved => NativeSqlite.HasMoved(_connection.Handle);

    /// <summary>Size of the file.</summary>
    internal long SizeBytes => _file.SizeBytes;

    /// <summary>Bytes in a page; 0 in an empty file.</summary>
    internal int PageSize
    {
        get
        {
            Span<byte> bytes = stackalloc byte[2];
            _file.ReadBytes(16, bytes);
            var size = BinaryPrimitives.ReadUInt16BigEndian(bytes);
            return size == 1 ? 65536 : size;
        }
    }

    /// <summary>The number that SQLite raises with every change; readers look at it.</summary>
    internal uint ChangeCounter
    {
        get
        {
            Span<byte> bytes = stackalloc byte[4];
            _file.ReadBytes(24, bytes);
            return BinaryPrimitives.ReadUInt32BigEndian(bytes);
        }
    }

    /// <summary>True when the header asks for rollback-journal mode, in which alone the file may be changed from outside.</summary>
    internal bool IsInRollbackMode
    {
        get
        {
            Span<byte> bytes = stackalloc byte[2];
            _file.ReadBytes(18, bytes);
            return bytes is [1, 1];
        }
    }

    /// <summary>Reads whole pages; zeros behind the end.</summary>
    internal void Read(uint firstPage, Span<byte> pages, int pageSize) => _file.ReadPages(firstPage, pages, pageSize);

    /// <summary>Becomes the one writer; readers go on. False when another connection writes or is about to.</summary>
    internal bool TryBegin()
    {
        if (!_file.TryLock(NativeSqlite.LockShared))
            return false;
        if (_file.TryLock(NativeSqlite.LockReserved))
            return true;
        _file.Unlock();
        return false;
    }

    /// <summary>Keeps what is about to be changed. <see cref="RollbackJournal"/> says what the pages are.</summary>
    internal async Task JournalAsync(int pageSize, uint pages, IEnumerable<uint> changing, CancellationToken cancellationToken)
    {
        await RollbackJournal.WriteAsync(_files, Path, _file, pageSize, pages, changing, cancellationToken).ConfigureAwait(false);
        _isJournaled = true;
    }

    /// <summary>Shuts readers out; no new ones come in from the first call on. False while old ones still read.</summary>
    internal bool TryExclude() => _file.TryLock(NativeSqlite.LockExclusive);

    /// <summary>Writes bytes; a file object may need to be told of growth in order.</summary>
    internal void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        _isChanged = true;
        _file.WriteBytes(offset, bytes);
    }

    /// <summary>Makes the change final and lets readers in.</summary>
    internal void Commit(long sizeBytes)
    {
        _isChanged = true;
        if (_file.SizeBytes != sizeBytes)
            _file.Truncate(sizeBytes);
        _file.Sync();
        // This is the moment: without its journal the change stands.
        _files.Delete(RollbackJournal.PathOf(Path));
        (_isJournaled, _isChanged) = (false, false);
        _files.FlushDirectory(System.IO.Path.GetDirectoryName(Path)!);
        _file.Unlock();
    }

    /// <summary>Leaves the database as it was before <see cref="TryBegin"/>.</summary>
    internal void Abandon()
    {
        if (_isJournaled && !_isChanged)
            _files.Delete(RollbackJournal.PathOf(Path));
        _file.Unlock();
        if (_isChanged)
            RollBack();
        (_isJournaled, _isChanged) = (false, false);
    }

    /// <summary>Lets SQLite play a journal back that lies there. It takes an exclusive lock for that, and waits for it.</summary>
    private void RollBack()
    {
        if (!_files.FileExists(RollbackJournal.PathOf(Path)))
            return;
        _ = _connection.QueryInt64("SELECT count(*) FROM sqlite_schema");
    }

    public void Dispose() => _connection.Dispose();
}
