using System.Diagnostics;
using System.Globalization;
using SQLitePCL;

namespace Litestream.Benchmarks;

/// <summary>The application: one 200-byte row a transaction, prepared once, straight through SQLite's own calls; everything else as SQLite comes.</summary>
internal static class WriterChild
{
    public const string Verb = "writer-child";

    /// <summary>Writes for some time and prints <c>transactions seconds worst-commit-ms</c>.</summary>
    /// <param name="database">Made with its table when it is not there.</param>
    /// <param name="work">The application's own work between two transactions, done by spinning; zero: flat out.</param>
    /// <param name="duration">How long; zero: only make the table.</param>
    public static int Run(string database, TimeSpan work, TimeSpan duration)
    {
        Batteries_V2.Init();
        Check(raw.sqlite3_open(database, out var db), db);
        raw.sqlite3_busy_timeout(db, 5000);
        Execute(db, "PRAGMA journal_mode = wal");
        Execute(db, "PRAGMA synchronous = normal");
        Execute(db, "PRAGMA wal_autocheckpoint = 1000");
        Execute(db, "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, content BLOB)");
        Check(raw.sqlite3_prepare_v2(db, "INSERT INTO rows (content) VALUES (?)", out var insert), db);
        var row = new byte[200];
        new Random(7).NextBytes(row);
        Check(raw.sqlite3_bind_blob(insert, 1, row), db);

        long transactions = 0;
        long worst = 0;
        var workTicks = (long)(work.TotalSeconds * Stopwatch.Frequency);
        var start = Stopwatch.GetTimestamp();
        var end = start + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var now = start;
        while (now < end)
        {
            var code = raw.sqlite3_step(insert);
            if (code != raw.SQLITE_DONE)
                Check(code, db);
            raw.sqlite3_reset(insert);
            var committed = Stopwatch.GetTimestamp();
            worst = Math.Max(worst, committed - now);
            transactions++;
            now = committed;
            while (now - committed < workTicks)
                now = Stopwatch.GetTimestamp();
        }

        var seconds = (double)(now - start) / Stopwatch.Frequency;
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{transactions} {seconds:F6} {1000.0 * worst / Stopwatch.Frequency:F3}")
        );
        raw.sqlite3_finalize(insert);
        raw.sqlite3_close(db);
        return 0;
    }

    private static void Execute(sqlite3 db, string sql) => Check(raw.sqlite3_exec(db, sql), db);

    private static void Check(int code, sqlite3 db)
    {
        if (code is not (raw.SQLITE_OK or raw.SQLITE_DONE))
            throw new InvalidOperationException($"SQLite answered {code}: {raw.sqlite3_errmsg(db).utf8_to_string()}");
    }
}
