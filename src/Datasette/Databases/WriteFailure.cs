using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>What a client is told of a write that did not happen.</summary>
internal static class WriteFailure
{
    /// <summary>When a client that was sent away may come again.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>A lock that another program holds is no fault of the request: it may come again. All else is told as it is.</summary>
    public static Exception Told(Exception failure) =>
        failure is SqliteException { SqliteErrorCode: raw.SQLITE_BUSY or raw.SQLITE_LOCKED } e
            ? new DatasetteException(503, "Another program keeps the database locked; nothing was stored. Try again.", e)
            {
                RetryAfter = RetryAfter,
            }
            : failure;
}
