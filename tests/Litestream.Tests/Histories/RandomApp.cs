using Microsoft.Data.Sqlite;
using Testing;

namespace Litestream.Tests.Histories;

/// <summary>An application that does what applications do to a database, from a seed.</summary>
internal sealed class RandomApp : IDisposable
{
    private static readonly int[] PageSizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
    private readonly Random _random;
    private readonly string _path;
    private SqliteConnection _connection;
    private int _tables;

    internal RandomApp(string path, Random random)
    {
        (_path, _random) = (path, random);
        PageSize = PageSizes[random.Next(PageSizes.Length)];
        _connection = TestDatabase.Open(path);
        _connection.Execute($"PRAGMA page_size={PageSize}; PRAGMA auto_vacuum={random.Next(3)}; PRAGMA journal_mode=wal");
        Configure();
        _connection.Execute(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); CREATE TABLE k(a TEXT, b INT, c, PRIMARY KEY(a, b)) WITHOUT ROWID; CREATE INDEX i ON t(w)"
        );
    }

    internal int PageSize { get; }

    /// <summary>One random act: a transaction, a checkpoint, a VACUUM, a new connection.</summary>
    internal void Act()
    {
        switch (_random.Next(16))
        {
            case 0:
                TryExecute("VACUUM");
                break;
            case 1:
                TryExecute($"PRAGMA incremental_vacuum({_random.Next(1, 20)})");
                break;
            case 2:
                Checkpoint();
                break;
            case 3:
                _connection.Dispose();
                _connection = TestDatabase.Open(_path);
                Configure();
                break;
            case 4:
                _connection.Execute($"BEGIN; DELETE FROM t; INSERT INTO t(v) VALUES(randomblob({PageSize * 3})); ROLLBACK");
                break;
            default:
                Transaction();
                break;
        }
    }

    private void Checkpoint()
    {
        string[] modes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
        TryExecute($"PRAGMA wal_checkpoint({modes[_random.Next(modes.Length)]})");
    }

    private void Transaction()
    {
        using var transaction = _connection.BeginTransaction();
        for (var n = _random.Next(1, 6); n > 0; n--)
            Statement();
        transaction.Commit();
    }

    private void Statement()
    {
        var at = _random.Next(1, 200);
        switch (_random.Next(9))
        {
            case 0:
                _connection.Execute($"DELETE FROM t WHERE id % {_random.Next(2, 9)} = 0");
                break;
            case 1:
                _connection.Execute($"UPDATE t SET v = randomblob({_random.Next(PageSize)}), w = {at} WHERE id BETWEEN {at} AND {at + 5}");
                break;
            case 2:
                _connection.Execute(
                    $"CREATE TABLE x{++_tables}(a, b); INSERT INTO x{_tables} VALUES(1, zeroblob({_random.Next(2 * PageSize)}))"
                );
                break;
            case 3 when _tables > 0:
                _connection.Execute($"DROP TABLE IF EXISTS x{_random.Next(1, _tables + 1)}");
                break;
            case 4:
                _connection.Execute($"INSERT OR REPLACE INTO k VALUES('{at}', {_random.Next(50)}, {_random.NextDouble():R})");
                break;
            case 5:
                _connection.Execute($"DELETE FROM k WHERE b > {_random.Next(50)}");
                break;
            case 6:
                _connection.Execute($"INSERT INTO t(v, w) VALUES(randomblob({_random.Next(5 * PageSize)}), 'overflow')");
                break;
            default:
                for (var i = _random.Next(1, 12); i > 0; i--)
                    _connection.Execute($"INSERT INTO t(v, w) VALUES('{new string('x', _random.Next(300))}', {_random.Next()})");
                break;
        }
    }

    private void Configure()
    {
        int[] thresholds = [0, 10, 1000];
        _connection.Execute(
            $"PRAGMA busy_timeout=0; PRAGMA synchronous=off; PRAGMA wal_autocheckpoint={thresholds[_random.Next(thresholds.Length)]}"
        );
    }

    private void TryExecute(string sql)
    {
        try
        {
            _connection.Execute(sql);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 5 or 6)
        {
            // Our reader is in the way of a checkpoint: expected, and the application's own affair.
        }
    }

    public void Dispose() => _connection.Dispose();
}
