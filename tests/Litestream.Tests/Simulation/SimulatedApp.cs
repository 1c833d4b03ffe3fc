using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;
using Testing;
using Testing.Oracles;

namespace Litestream.Tests.Simulation;

/// <summary>
/// An application on real SQLite whose every act follows from the seed. It never waits for a lock: a simulation has one thread, so a lock that
/// is held now stays held.
/// </summary>
internal sealed class SimulatedApp : IDisposable
{
    private static readonly int[] PageSizes = [512, 1024, 4096, 8192];
    private readonly Random _random;
    private readonly string _path;
    private readonly Action<string> _say;
    private readonly int _pageSize;
    private sqlite3 _db;
    private sqlite3? _longReader;
    private SqliteConnection _dumper;
    private int _tables;

    internal SimulatedApp(string path, Random random, Action<string> say)
    {
        Batteries_V2.Init();
        (_path, _random, _say) = (path, random, say);
        _pageSize = PageSizes[random.Next(PageSizes.Length)];
        (_db, _dumper) = (Connect(), TestDatabase.Open(path));
        Run($"PRAGMA page_size={_pageSize}; PRAGMA auto_vacuum={random.Next(3)}; PRAGMA journal_mode=wal");
        Configure();
        Run("CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); CREATE INDEX i ON t(w)");
        Dumps.Add(CanonicalDump.Of(_dumper));
    }

    /// <summary>The content after each act, in order; the last is the present one.</summary>
    internal List<string> Dumps { get; } = [];

    internal int Now => Dumps.Count - 1;

    /// <summary>One act: a transaction, a checkpoint, a VACUUM, a reader that stays, a new connection.</summary>
    internal void Act()
    {
        switch (_random.Next(24))
        {
            case 0:
                Run("VACUUM");
                break;
            case 1:
                Run($"PRAGMA incremental_vacuum({_random.Next(1, 20)})");
                break;
            case 2 or 3:
                string[] modes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
                Run($"PRAGMA wal_checkpoint({modes[_random.Next(modes.Length)]})");
                break;
            case 4:
                Reopen();
                break;
            case 5:
                Run($"BEGIN IMMEDIATE; DELETE FROM t; INSERT INTO t(v) VALUES({Blob(_pageSize * 6)}); ROLLBACK");
                break;
            case 6:
                ToggleLongReader();
                break;
            default:
                Transaction();
                break;
        }
        Dumps.Add(CanonicalDump.Of(_dumper));
    }

    /// <summary>Closes everything, so that SQLite may checkpoint and remove the WAL, and opens it again.</summary>
    internal void Reopen()
    {
        _longReader?.Dispose();
        _longReader = null;
        _dumper.Dispose();
        _db.Dispose();
        (_db, _dumper) = (Connect(), TestDatabase.Open(_path));
        Configure();
        _say("app: reopened");
    }

    internal string Dump() => CanonicalDump.Of(_dumper);

    private void Transaction()
    {
        var sql = new StringBuilder("BEGIN IMMEDIATE");
        for (var n = _random.Next(1, 5); n > 0; n--)
            sql.Append("; ").Append(Statement());
        Run(sql.Append("; COMMIT").ToString());
    }

    private string Statement()
    {
        var at = _random.Next(1, 60);
        return _random.Next(8) switch
        {
            0 => $"DELETE FROM t WHERE id % {_random.Next(2, 9)} = 0",
            1 or 2 => $"UPDATE t SET v = {Blob(_random.Next(_pageSize))}, w = {at} WHERE id BETWEEN {at} AND {at + 3}",
            3 => $"CREATE TABLE x{++_tables}(a); INSERT INTO x{_tables} VALUES(zeroblob({_random.Next(3 * _pageSize)}))",
            4 => $"DROP TABLE IF EXISTS x{_random.Next(1, _tables + 2)}",
            5 => $"INSERT INTO t(v, w) VALUES({Blob(_random.Next(4 * _pageSize))}, 'overflow')",
            _ => $"INSERT INTO t(v, w) VALUES({Blob(_random.Next(200))}, {_random.Next()})",
        };
    }

    /// <summary>A text rather than <c>randomblob</c>, which would differ when the seed is run again.</summary>
    private string Blob(int length)
    {
        var bytes = new byte[length];
        _random.NextBytes(bytes.AsSpan(0, length / 2));
        return $"x'{Convert.ToHexString(bytes)}'";
    }

    private void ToggleLongReader()
    {
        if (_longReader is null)
        {
            _longReader = Connect();
            raw.sqlite3_exec(_longReader, "BEGIN; SELECT count(*) FROM t");
            _say("app: a reader that stays");
            return;
        }
        _longReader.Dispose();
        _longReader = null;
        _say("app: the reader has gone");
    }

    private sqlite3 Connect()
    {
        var rc = raw.sqlite3_open(_path, out var db);
        return rc == raw.SQLITE_OK ? db : throw new InvalidOperationException($"the application cannot open its database: {rc}");
    }

    private void Configure()
    {
        int[] thresholds = [0, 10, 1000];
        Run(
            $"PRAGMA synchronous=off; PRAGMA cache_size={(_random.Next(2) == 0 ? 5 : 200)}; PRAGMA wal_autocheckpoint={thresholds[_random.Next(thresholds.Length)]}"
        );
    }

    private void Run(string sql)
    {
        var rc = raw.sqlite3_exec(_db, sql);
        if (rc is not (raw.SQLITE_OK or raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_ERROR))
            throw new InvalidOperationException($"the application got {rc} ({raw.sqlite3_errmsg(_db).utf8_to_string()}) from {sql}");
        if (raw.sqlite3_get_autocommit(_db) == 0)
            raw.sqlite3_exec(_db, "ROLLBACK");
        var shown = sql.Length > 60 ? sql[..60] + sql.Length.ToString(CultureInfo.InvariantCulture) : sql;
        _say($"app: {shown} -> {rc}");
    }

    public void Dispose()
    {
        _longReader?.Dispose();
        _dumper.Dispose();
        _db.Dispose();
    }
}
