using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>The calls of SQLite that the managed wrapper does not offer; they reach the one library that is loaded already.</summary>
internal static partial class NativeSqlite
{
    /// <summary>SQLite's own default.</summary>
    public const int DefaultAutoCheckpointPages = 1000;

    private const int FileControlPersistWal = 10;

    public static void SetAutoCheckpoint(SqliteConnection connection, int pages)
    {
        _ = raw.sqlite3_wal_autocheckpoint(connection.Handle!, pages);
    }

    /// <summary>Keeps the WAL file when the last connection closes, so that a replication engine finds what it has not copied yet.</summary>
    public static void SetPersistentWal(SqliteConnection connection, bool isPersistent)
    {
        var value = isPersistent ? 1 : 0;
        _ = FileControl(connection.Handle!.DangerousGetHandle(), "main", FileControlPersistWal, ref value);
        GC.KeepAlive(connection);
    }

    /// <summary>Whether the WAL file outlives the last connection.</summary>
    public static bool IsPersistentWal(SqliteConnection connection)
    {
        var value = -1;
        _ = FileControl(connection.Handle!.DangerousGetHandle(), "main", FileControlPersistWal, ref value);
        GC.KeepAlive(connection);
        return value == 1;
    }

    /// <summary>Where in the text of a statement the last error is: bytes from its start; -1 when it has no place.</summary>
    public static int ErrorOffset(SQLitePCL.sqlite3 db)
    {
        var offset = ErrorOffsetOf(db.DangerousGetHandle());
        GC.KeepAlive(db);
        return offset;
    }

    [DllImport("e_sqlite3", EntryPoint = "sqlite3_error_offset")]
    private static extern int ErrorOffsetOf(nint db);

    [DllImport(
        "e_sqlite3",
        EntryPoint = "sqlite3_file_control",
        CharSet = CharSet.Ansi,
        BestFitMapping = false,
        ThrowOnUnmappableChar = true
    )]
    private static extern int FileControl(nint db, string schema, int operation, ref int argument);
}
