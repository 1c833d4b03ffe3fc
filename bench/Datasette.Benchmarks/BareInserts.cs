using System.Diagnostics;
using System.Globalization;
using SQLitePCL;

namespace Datasette.Benchmarks;

/// <summary>The anchor: the same inserts in a loop in one process, a transaction each, with the same <c>synchronous</c>. A program of its own.</summary>
internal static class BareInserts
{
    public const string Verb = "bare-inserts";

    /// <summary>The row that both sides insert.</summary>
    public const string Name = "a name of usual length";

    /// <summary>Its text.</summary>
    public const string Note = "a note of some words, as they stand in a table that people look at";

    /// <summary>Inserts for so long; prints the rows a second.</summary>
    public static int Run(string database, double seconds)
    {
        Batteries_V2.Init();
        Check(raw.sqlite3_open(database, out var db), db);
        // As the host has it: SQLite's defaults, synchronous=FULL and a checkpoint at 1,000 pages.
        Check(raw.sqlite3_prepare_v2(db, "insert into rows (name, amount, note) values (?, ?, ?)", out var insert), db);
        var start = Stopwatch.GetTimestamp();
        var rows = 0L;
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
        {
            raw.sqlite3_bind_text(insert, 1, Name);
            raw.sqlite3_bind_int64(insert, 2, rows);
            raw.sqlite3_bind_text(insert, 3, Note);
            var code = raw.sqlite3_step(insert);
            if (code != raw.SQLITE_DONE)
            {
                Check(code, db);
            }

            raw.sqlite3_reset(insert);
            rows++;
        }

        Console.WriteLine((rows / Stopwatch.GetElapsedTime(start).TotalSeconds).ToString("R", CultureInfo.InvariantCulture));
        raw.sqlite3_finalize(insert);
        raw.sqlite3_close(db);
        return 0;
    }

    private static void Check(int code, sqlite3 db)
    {
        if (code != raw.SQLITE_OK)
        {
            throw new InvalidOperationException($"SQLite answered {code}: {raw.sqlite3_errmsg(db).utf8_to_string()}");
        }
    }
}
