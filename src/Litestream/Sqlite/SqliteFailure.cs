namespace Litestream.Sqlite;

/// <summary>SQLite's result codes as the engine's failure.</summary>
internal static class SqliteFailure
{
    internal static LitestreamException Create(int rc, string message, string what, string path)
    {
        var (error, transient, hint) = (rc & 0xff) switch
        {
            5 or 6 => (LitestreamError.Busy, true, (string?)null),
            8 => (
                LitestreamError.Database,
                true,
                "the database or its folder is read-only: replication needs to write its -wal and -shm files"
            ),
            10 => (LitestreamError.Database, true, null),
            11 => (LitestreamError.Database, false, "run PRAGMA integrity_check; the replica still holds what was copied before"),
            13 => (LitestreamError.DiskFull, true, "free space on the database's disk"),
            14 => (
                LitestreamError.Database,
                true,
                "check that the path exists and that this user may read and write the file and its folder"
            ),
            26 => (LitestreamError.Database, false, "the file is not a SQLite database (or is encrypted)"),
            _ => (LitestreamError.Database, true, null),
        };
        return new LitestreamException(error, $"{path}: SQLite says \"{message}\" (result {rc}) at: {what}")
        {
            IsTransient = transient,
            Hint = hint,
            Path = path,
        };
    }
}
