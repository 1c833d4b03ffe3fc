using System.Globalization;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>How large things may become on a connection that runs what visitors send.</summary>
internal static class ReaderLimits
{
    /// <summary>Bytes of one text or blob that SQL of a visitor may make or meet. What the host asks by itself has the limit of the options.</summary>
    public const int VisitorValueBytes = 8 << 20;

    /// <summary>Bytes that one answer to SQL of a visitor may have in memory.</summary>
    public const int VisitorResultBytes = 100 << 20;

    /// <summary>Bytes of one value where a function is used whose work grows with the square of its arguments.</summary>
    public const int SquareValueBytes = 128 << 10;

    private const int Length = 0;
    private const int SqlLength = 1;
    private const int MachineSteps = 5;
    private const int Attached = 7;
    private const int LikePattern = 8;
    private const int TriggerDepth = 10;
    private const int WorkerThreads = 11;

    /// <summary>Below this SQLite could not do its own work.</summary>
    private const long SmallestHeap = 512L << 20;

    /// <summary>Sets the limits of a new reader.</summary>
    /// <param name="db">The connection, after what has to be attached is attached.</param>
    /// <param name="valueBytes">Bytes of one text or blob.</param>
    /// <param name="hasAttached">Whether other databases are attached and must stay so.</param>
    public static void Apply(sqlite3 db, int valueBytes, bool hasAttached)
    {
        SetLength(db, valueBytes);
        _ = raw.sqlite3_limit(db, SqlLength, 1_000_000);
        _ = raw.sqlite3_limit(db, MachineSteps, 2_000_000);
        // The work of LIKE is the product of both lengths and cannot be interrupted.
        _ = raw.sqlite3_limit(db, LikePattern, 500);
        _ = raw.sqlite3_limit(db, TriggerDepth, 10);
        _ = raw.sqlite3_limit(db, WorkerThreads, 0);
        if (!hasAttached)
        {
            _ = raw.sqlite3_limit(db, Attached, 0);
        }
    }

    /// <summary>Sets how many bytes one text or blob may have.</summary>
    /// <returns>The limit before.</returns>
    public static int SetLength(sqlite3 db, int bytes) => raw.sqlite3_limit(db, Length, bytes);

    /// <summary>
    /// All of SQLite in this process together takes no more than three quarters of the machine's memory: a statement that wants more fails
    /// with "out of memory", and the process lives.
    /// </summary>
    public static void LimitHeap()
    {
        var bytes = Math.Max(SmallestHeap, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3);
        if (raw.sqlite3_open(":memory:", out var db) != raw.SQLITE_OK)
        {
            return;
        }

        using (db)
        {
            _ = raw.sqlite3_exec(db, string.Create(CultureInfo.InvariantCulture, $"PRAGMA hard_heap_limit={bytes}"));
        }
    }
}
