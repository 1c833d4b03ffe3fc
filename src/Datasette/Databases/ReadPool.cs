using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>A few reading connections of one database, opened when needed, lent to one user at a time.</summary>
internal sealed class ReadPool(ConnectionFactory factory, int size, TimeProvider time) : IAsyncDisposable
{
    private readonly SemaphoreSlim _free = new(Math.Max(1, size), Math.Max(1, size));
    private readonly ConcurrentStack<ReadConnection> _idle = new();
    private int _generation;
    private volatile bool _isDisposed;

    /// <summary>Runs work on a reader, off the caller's thread.</summary>
    /// <param name="work">The work; it must not keep the connection.</param>
    /// <param name="sql">Named in the failure when the limit passes.</param>
    /// <param name="limit">Longest time inside SQLite.</param>
    /// <param name="ct">Stops waiting, and stops SQLite in the middle of a statement.</param>
    /// <exception cref="QueryInterruptedException">The limit passed.</exception>
    public async Task<T> RunAsync<T>(Func<ReadConnection, T> work, string sql, TimeSpan limit, CancellationToken ct)
    {
        await _free.WaitAsync(ct);
        try
        {
            return await Task.Run(
                () =>
                {
                    var reader = Take();
                    try
                    {
                        return reader.Run(work, sql, limit, ct);
                    }
                    finally
                    {
                        Return(reader);
                    }
                },
                ct
            );
        }
        finally
        {
            _free.Release();
        }
    }

    /// <summary>Opens a reader outside the pool, for work that may take as long as its receiver likes. The caller disposes it.</summary>
    public ReadConnection OpenOwn() => new(factory.OpenReader(), time) { Generation = _generation };

    /// <summary>Closes idle connections, so that what was set up on them takes effect anew.</summary>
    public void Clear()
    {
        // What is lent out now is not taken back.
        Interlocked.Increment(ref _generation);
        while (_idle.TryPop(out var reader))
        {
            reader.Dispose();
        }
    }

    public ValueTask DisposeAsync()
    {
        _isDisposed = true;
        Clear();
        return ValueTask.CompletedTask;
    }

    private ReadConnection Take()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _idle.TryPop(out var reader) ? reader : OpenOwn();
    }

    private void Return(ReadConnection reader)
    {
        // A transaction left open would hold an old snapshot, and so the WAL, for ever.
        if (reader.Generation != Volatile.Read(ref _generation) || raw.sqlite3_get_autocommit(reader.Connection.Handle!) == 0)
        {
            reader.Dispose();
            return;
        }

        _idle.Push(reader);
        if (_isDisposed)
        {
            Clear();
        }
    }
}

/// <summary>A reading connection and the watch over its time.</summary>
internal sealed class ReadConnection : IDisposable
{
    // Instructions of SQLite's machine between two looks at the clock: below a millisecond of work, above the noise of the call.
    private const int InstructionsPerLook = 1000;
    private static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider _time;
    private readonly StatementCache _statements;
    private readonly delegate_progress _look;
    private readonly strdelegate_authorizer _authorize;
    private readonly ITimer _alarm;
    private readonly Lock _gate = new();
    private long _deadline = long.MaxValue;
    private CancellationToken _ct;
    private bool _isPastDeadline;
    private bool _isVisitor;
    private bool _isRunning;
    private long? _dataVersion;

    public ReadConnection(SqliteConnection connection, TimeProvider time)
    {
        Connection = connection;
        _time = time;
        _statements = new StatementCache(connection);
        _look = Look;
        _authorize = Authorize;
        _alarm = time.CreateTimer(_ => Interrupt(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        raw.sqlite3_progress_handler(connection.Handle!, InstructionsPerLook, _look, null);
        _ = raw.sqlite3_set_authorizer(connection.Handle!, _authorize, null);
    }

    public SqliteConnection Connection { get; }

    /// <summary>Which setting-up of the pool it was opened under.</summary>
    public int Generation { get; init; }

    /// <summary>Whether anybody has written since this was asked last. A connection that was never asked cannot tell, and says yes.</summary>
    public bool SeesChanges()
    {
        var version = Use("PRAGMA data_version", null, statement => statement.Step() ? (long)statement.Value(0)! : 0);
        var isNew = _dataVersion != version;
        _dataVersion = version;
        return isNew;
    }

    /// <summary>Runs one statement, kept prepared for the next time.</summary>
    public T Use<T>(string sql, IReadOnlyDictionary<string, object?>? parameters, Func<SqlStatement, T> use)
    {
        if (_isVisitor)
        {
            // Prepared each time, so that its functions are looked at each time.
            using var own = SqlStatement.Prepare(Connection, sql);
            own.BindAll(parameters);
            return use(own);
        }

        var statement = _statements.Take(sql);
        try
        {
            statement.BindAll(parameters);
            var value = use(statement);
            _statements.Return(statement);
            return value;
        }
        catch
        {
            statement.Dispose();
            throw;
        }
    }

    public T Run<T>(Func<ReadConnection, T> work, string sql, TimeSpan limit, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        _ct = ct;
        _isPastDeadline = false;
        _deadline =
            limit == Timeout.InfiniteTimeSpan
                ? long.MaxValue
                : _time.GetTimestamp() + (long)(limit.TotalSeconds * _time.TimestampFrequency);
        _isVisitor = VisitorSql.IsCurrent;
        var length = _isVisitor ? ReaderLimits.SetLength(Connection.Handle!, ReaderLimits.VisitorValueBytes) : 0;
        Watch(limit);
        try
        {
            return work(this);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == raw.SQLITE_INTERRUPT)
        {
            ct.ThrowIfCancellationRequested();
            throw _isPastDeadline ? new QueryInterruptedException(sql, limit) : e;
        }
        finally
        {
            Watch(Timeout.InfiniteTimeSpan);
            if (_isVisitor)
            {
                _ = ReaderLimits.SetLength(Connection.Handle!, length);
            }

            _deadline = long.MaxValue;
            _ct = default;
        }
    }

    public void Dispose()
    {
        _alarm.Dispose();
        lock (_gate)
        {
            _isRunning = false;
            _statements.Dispose();
            Connection.Dispose();
        }
    }

    // Counting a table is one single step of SQLite's machine, between two looks at the clock; only an interrupt reaches it.
    private void Watch(TimeSpan limit)
    {
        lock (_gate)
        {
            _isRunning = limit != Timeout.InfiniteTimeSpan;
        }

        _alarm.Change(_isRunning ? limit + s_grace : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private void Interrupt()
    {
        lock (_gate)
        {
            if (_isRunning && _time.GetTimestamp() >= _deadline)
            {
                _isPastDeadline = true;
                raw.sqlite3_interrupt(Connection.Handle!);
            }
        }
    }

    private int Authorize(object? state, int action, string? first, string? second, string? database, string? source)
    {
        if (_isVisitor && action == raw.SQLITE_FUNCTION && ReadAuthorizer.IsSquare(second))
        {
            _ = ReaderLimits.SetLength(Connection.Handle!, ReaderLimits.SquareValueBytes);
        }

        return ReadAuthorizer.Decide(state, action, first, second, database, source);
    }

    private int Look(object? state)
    {
        if (_time.GetTimestamp() >= _deadline)
        {
            _isPastDeadline = true;
        }

        return _isPastDeadline || _ct.IsCancellationRequested ? 1 : 0;
    }
}
