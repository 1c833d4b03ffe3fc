namespace Litestream.Sqlite;

/// <summary>Pages of the main database file, read through the file object of an open SQLite connection: no descriptor of ours, so none to close (rule 1).</summary>
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
}
