using System.Globalization;
using System.Text;
using SQLitePCL;

namespace Litestream.Benchmarks;

/// <summary>A database as applications have them: a table of events with words, times and random tokens, with an index. LZ4 makes half of it.</summary>
internal static class SampleDatabase
{
    private const int RowsATransaction = 20_000;

    private static readonly string[] s_words =
    [
        .. "request response database connection timeout user order payment customer invoice created updated deleted failed retry queue worker session account address".Split(
            ' '
        ),
    ];

    /// <summary>Makes it in WAL mode, with an empty WAL, of about <paramref name="bytes"/>.</summary>
    public static void Make(string path, long bytes)
    {
        Batteries_V2.Init();
        Check(raw.sqlite3_open(path, out var db), db);
        Execute(db, "PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -65536");
        Execute(
            db,
            "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, level TEXT, message TEXT, token BLOB); CREATE INDEX events_at ON events (at)"
        );
        Check(raw.sqlite3_prepare_v2(db, "INSERT INTO events (at, level, message, token) VALUES (?, ?, ?, ?)", out var insert), db);
        var random = new Random(1);
        var token = new byte[24];
        var started = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var row = 0;
        do
        {
            Execute(db, "BEGIN");
            for (var i = 0; i < RowsATransaction && i < bytes / 100; i++, row++)
            {
                random.NextBytes(token);
                var at = started.AddMilliseconds(row * 137.0).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
                raw.sqlite3_bind_text(insert, 1, at);
                raw.sqlite3_bind_text(
                    insert,
                    2,
                    (row % 7) switch
                    {
                        0 => "WARN",
                        3 => "ERROR",
                        _ => "INFO",
                    }
                );
                raw.sqlite3_bind_text(insert, 3, Message(random));
                raw.sqlite3_bind_blob(insert, 4, token);
                Check(raw.sqlite3_step(insert), db);
                raw.sqlite3_reset(insert);
            }

            Execute(db, "COMMIT");
        } while (new FileInfo(path).Length < bytes);

        raw.sqlite3_finalize(insert);
        Execute(db, "PRAGMA journal_mode = wal");
        raw.sqlite3_close(db);
        // The anchor and all sides start from the same: nothing of it waits for the disk.
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
    }

    private static string Message(Random random)
    {
        var text = new StringBuilder();
        for (var i = 0; i < 14; i++)
            text.Append(s_words[random.Next(s_words.Length)]).Append(' ');
        return text.ToString();
    }

    private static void Execute(sqlite3 db, string sql) => Check(raw.sqlite3_exec(db, sql), db);

    private static void Check(int code, sqlite3 db)
    {
        if (code is not (raw.SQLITE_OK or raw.SQLITE_DONE))
            throw new InvalidOperationException($"SQLite answered {code}: {raw.sqlite3_errmsg(db).utf8_to_string()}");
    }
}
