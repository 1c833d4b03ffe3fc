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
    private const int BindAllNow = 2;

    /// <summary>Loads the library with all its symbols bound. To be called before anything else uses SQLite; later it does nothing.</summary>
    /// <remarks>
    /// Left to itself the runtime loads it with lazy binding. An extension such as mod_spatialite then brings SQLite of the system along, and
    /// what was not bound yet is bound to that one: two versions work on one database, which ends in wrong answers or a damaged file.
    /// </remarks>
    public static void BindNow()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var folders = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Append(AppContext.BaseDirectory)
            .Append(Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native"));
        foreach (var file in folders.Select(folder => Path.Combine(folder, "libe_sqlite3.so")).Where(File.Exists))
        {
            try
            {
                if (Open(file, BindAllNow) != 0)
                {
                    return;
                }
            }
            catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
            {
                // A C library of another kind: then extensions have to live with lazy binding.
                return;
            }
        }
    }

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

    [DllImport("libc", EntryPoint = "dlopen", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern nint Open(string file, int mode);

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
