using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>What has become of the transaction that a group shares.</summary>
internal enum TransactionFate
{
    /// <summary>It is still open.</summary>
    Open,

    /// <summary>Everything in it is stored.</summary>
    Committed,

    /// <summary>Nothing in it is stored.</summary>
    RolledBack,

    /// <summary>It was ended more than once; what holds for its beginning cannot be told.</summary>
    Unknown,
}

/// <summary>What a transaction has changed.</summary>
internal enum WriterNews
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Rows, or one of the two numbers that an application may set.</summary>
    Content,

    /// <summary>Tables, views, indexes or triggers too.</summary>
    Schema,
}

/// <summary>The writing connection: its kept statements, its time limit, and how its transactions end.</summary>
internal sealed class WriterConnection : IDisposable
{
    private const int NoCheckpointOnClose = 1006;

    // Instructions of SQLite's machine between two looks at the clock.
    private const int InstructionsPerLook = 1000;

    private readonly sqlite3 _db;
    private readonly TimeProvider _time;
    private readonly StatementCache _statements;
    private readonly delegate_progress _look;
    private readonly delegate_commit _onCommit;
    private readonly delegate_rollback _onRollback;
    private readonly ManualResetEventSlim _never = new();
    private long _deadline = long.MaxValue;
    private (long Rows, long Schema, long User, long Application) _before;

    public WriterConnection(SqliteConnection connection, TimeProvider time)
    {
        Sqlite = connection;
        _db = connection.Handle!;
        _time = time;
        _statements = StatementCache.Keep(connection);
        (_look, _onCommit, _onRollback) = (Look, OnCommit, OnRollback);
        raw.sqlite3_progress_handler(_db, InstructionsPerLook, _look, null);
        Watch();
    }

    public SqliteConnection Sqlite { get; }

    public bool IsOpenTransaction => raw.sqlite3_get_autocommit(_db) == 0;

    /// <summary>How the transaction that was last begun here has ended.</summary>
    public TransactionFate Fate { get; private set; }

    /// <summary>True when the last work was stopped by its limit.</summary>
    public bool IsPastLimit { get; private set; }

    /// <summary>Notices how transactions end. Again after foreign code has had the connection to itself: ADO.NET's transactions take the place.</summary>
    public void Watch()
    {
        raw.sqlite3_commit_hook(_db, _onCommit, null);
        raw.sqlite3_rollback_hook(_db, _onRollback, null);
    }

    /// <summary>Runs one of the writer's own statements.</summary>
    public void Execute(string sql) => SqlStatement.Execute(Sqlite, sql);

    /// <summary>Stops a work after this time; null = never.</summary>
    public void Limit(TimeSpan? limit)
    {
        if (limit is { } time)
        {
            IsPastLimit = false;
            _deadline = _time.GetTimestamp() + (long)(time.TotalSeconds * _time.TimestampFrequency);
        }
        else
        {
            _deadline = long.MaxValue;
        }
    }

    /// <summary>A transaction begins here: what it changes is compared with this.</summary>
    public void Remember()
    {
        Fate = TransactionFate.Open;
        _before = Stamp();
    }

    /// <summary>What has changed since.</summary>
    public WriterNews News()
    {
        var now = Stamp();
        return now.Schema != _before.Schema ? WriterNews.Schema
            : now != _before ? WriterNews.Content
            : WriterNews.None;
    }

    /// <summary>Waits, on the writer's own thread.</summary>
    public void Wait(TimeSpan time) => _never.Wait(time);

    /// <summary>Leaves the WAL file alone at the end.</summary>
    public void ForgetWal() => _ = raw.sqlite3_db_config(_db, NoCheckpointOnClose, 1, out _);

    public void Dispose()
    {
        _statements.Dispose();
        Sqlite.Dispose();
        _never.Dispose();
    }

    private (long Rows, long Schema, long User, long Application) Stamp() =>
        (raw.sqlite3_total_changes(_db), Number("PRAGMA schema_version"), Number("PRAGMA user_version"), Number("PRAGMA application_id"));

    private long Number(string pragma)
    {
        using var statement = SqlStatement.Kept(Sqlite, pragma);
        return statement.Step() ? statement.Integer(0) : 0;
    }

    private int Look(object? state)
    {
        if (_deadline == long.MaxValue || _time.GetTimestamp() < _deadline)
        {
            return 0;
        }

        IsPastLimit = true;
        return 1;
    }

    private int OnCommit(object? state)
    {
        Fate = Fate is TransactionFate.Open or TransactionFate.Committed ? TransactionFate.Committed : Fate;
        return 0;
    }

    private void OnRollback(object? state)
    {
        Fate =
            Fate == TransactionFate.Committed ? TransactionFate.Unknown
            : Fate == TransactionFate.Open ? TransactionFate.RolledBack
            : Fate;
    }
}
