namespace Litestream.Sqlite;

/// <summary>Pages of the main database file, read and written through the file object of an open SQLite connection: no descriptor of ours, so none to close (rule 1).</summary>
/// <remarks>Valid while its connection is open. Reads are positional; one thread at a time.</remarks>
internal sealed class DatabaseFile
{
    private readonly IntPtr _file;
    private readonly string _path;

    internal DatabaseFile(EngineConnection connection, string path)
    {
        _file = NativeSqlite.FileObject(connection.Handle);
        _path = path;
    }

    internal long SizeBytes
    {
        get
        {
            var rc = NativeSqlite.FileSize(_file, out var size);
            return rc == NativeSqlite.Ok ? size : throw SqliteFailure.Create(rc, "cannot tell the file's size", "xFileSize", _path);
        }
    }

    /// <summary>Reads whole pages from <paramref name="firstPage"/> on; what lies behind the end of the file is zero, as SQLite itself sees it.</summary>
    internal void ReadPages(uint firstPage, Span<byte> pages, int pageSize)
    {
        var rc = NativeSqlite.Read(_file, pages, (firstPage - 1L) * pageSize);
        if (rc is not (NativeSqlite.Ok or NativeSqlite.IoErrorShortRead))
            throw SqliteFailure.Create(rc, "cannot read the file", $"page {firstPage}", _path);
    }

    /// <summary>Reads bytes; what lies behind the end of the file is zero.</summary>
    internal void ReadBytes(long offset, Span<byte> bytes)
    {
        var rc = NativeSqlite.Read(_file, bytes, offset);
        if (rc is not (NativeSqlite.Ok or NativeSqlite.IoErrorShortRead))
            throw SqliteFailure.Create(rc, "cannot read the file", $"byte {offset}", _path);
    }

    /// <summary>Writes bytes. Only under the exclusive lock and with a rollback journal in place.</summary>
    internal void WriteBytes(long offset, ReadOnlySpan<byte> bytes) =>
        Check(NativeSqlite.Write(_file, bytes, offset), "cannot write the file", $"byte {offset}");

    /// <summary>Gives the file its length.</summary>
    internal void Truncate(long size) => Check(NativeSqlite.Truncate(_file, size), "cannot resize the file", $"{size} bytes");

    /// <summary>Makes what was written durable.</summary>
    internal void Sync() => Check(NativeSqlite.Sync(_file), "cannot sync the file", "xSync");

    /// <summary>Takes SQLite's lock of a level; false when another connection's lock stands against it.</summary>
    internal bool TryLock(int level)
    {
        var rc = NativeSqlite.Lock(_file, level);
        if ((rc & 0xff) == NativeSqlite.Busy)
            return false;
        Check(rc, "cannot lock the file", "xLock");
        return true;
    }

    /// <summary>Gives all locks back.</summary>
    internal void Unlock() => Check(NativeSqlite.Unlock(_file, NativeSqlite.LockNone), "cannot unlock the file", "xUnlock");

    private void Check(int rc, string message, string what)
    {
        if (rc != NativeSqlite.Ok)
            throw SqliteFailure.Create(rc, message, what, _path);
    }
}
