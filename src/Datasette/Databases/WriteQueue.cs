using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>The one writer of a database: work comes in turn, each piece in one transaction.</summary>
internal sealed class WriteQueue : IAsyncDisposable
{
    private const int NoCheckpointOnClose = 1006;

    private readonly Channel<Action> _work = Channel.CreateUnbounded<Action>(new() { SingleReader = true });
    private readonly Func<SqliteConnection> _open;
    private readonly Action _committed;
    private readonly Lock _startGate = new();
    private Task? _loop;
    private SqliteConnection? _connection;
    private string? _stamp;

    /// <summary>Creates the queue; nothing is opened before the first write.</summary>
    /// <param name="open">Opens the writing connection.</param>
    /// <param name="committed">Called on the writer after each commit that changed something.</param>
    public WriteQueue(Func<SqliteConnection> open, Action committed)
    {
        _open = open;
        _committed = committed;
    }

    /// <summary>Runs work on the writing connection when its turn comes.</summary>
    /// <param name="write">The work.</param>
    /// <param name="inTransaction">BEGIN IMMEDIATE before, COMMIT after, ROLLBACK on any exception. False for what SQLite refuses inside one.</param>
    /// <param name="ct">Honoured until the work starts; then it runs to its end.</param>
    public Task<T> RunAsync<T>(Func<SqliteConnection, T> write, bool inTransaction, CancellationToken ct)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var accepted = _work.Writer.TryWrite(() =>
        {
            if (ct.IsCancellationRequested)
            {
                result.SetCanceled(ct);
                return;
            }

            try
            {
                result.SetResult(RunNow(write, inTransaction));
            }
            catch (Exception e)
            {
                result.SetException(e);
            }
        });
        ObjectDisposedException.ThrowIf(!accepted, this);
        EnsureStarted();
        return result.Task;
    }

    /// <summary>Applies a setting to the writing connection in turn, if one is open; one that opens later takes it by itself.</summary>
    public void Configure(Action<SqliteConnection> apply)
    {
        _work.Writer.TryWrite(() =>
        {
            if (_connection is not null)
            {
                apply(_connection);
            }
        });
    }

    /// <summary>Closes the writing connection in turn; the next write opens a fresh one.</summary>
    public void Reopen()
    {
        _work.Writer.TryWrite(() =>
        {
            if (_connection is not null)
            {
                // Without this the close would delete the -wal of the file that has taken the old one's name.
                _ = raw.sqlite3_db_config(_connection.Handle!, NoCheckpointOnClose, 1, out _);
                _connection.Dispose();
                _connection = null;
                _stamp = null;
            }
        });
    }

    public async ValueTask DisposeAsync()
    {
        _work.Writer.TryComplete();
        Task? loop;
        lock (_startGate)
        {
            loop = _loop;
        }

        if (loop is not null)
        {
            await loop;
        }

        _connection?.Dispose();
        _connection = null;
    }

    private void EnsureStarted()
    {
        lock (_startGate)
        {
            _loop ??= Task.Run(LoopAsync);
        }
    }

    private async Task LoopAsync()
    {
        await foreach (var work in _work.Reader.ReadAllAsync(CancellationToken.None))
        {
            work();
        }
    }

    private T RunNow<T>(Func<SqliteConnection, T> write, bool inTransaction)
    {
        var connection = _connection ??= _open();
        var db = connection.Handle!;
        var changesBefore = raw.sqlite3_total_changes(db);
        _stamp ??= Stamp(connection);
        T value;
        if (inTransaction)
        {
            SqlStatement.Execute(connection, "BEGIN IMMEDIATE");
        }

        try
        {
            value = write(connection);
            if (raw.sqlite3_get_autocommit(db) == 0)
            {
                SqlStatement.Execute(connection, "COMMIT");
            }
        }
        catch
        {
            RollBack(connection);
            throw;
        }

        var stamp = Stamp(connection);
        if (raw.sqlite3_total_changes(db) != changesBefore || stamp != _stamp)
        {
            _stamp = stamp;
            _committed();
        }

        return value;
    }

    private void RollBack(SqliteConnection connection)
    {
        try
        {
            if (raw.sqlite3_get_autocommit(connection.Handle!) == 0)
            {
                SqlStatement.Execute(connection, "ROLLBACK");
            }
        }
        catch (SqliteException)
        {
            // The connection cannot be trusted any more; the next write opens a fresh one. The caller gets the first failure.
            connection.Dispose();
            _connection = null;
        }
    }

    // What a transaction may change without changing a row: tables themselves, and the two numbers an application may set.
    private static string Stamp(SqliteConnection connection)
    {
        return string.Join(
            '/',
            "schema_version user_version application_id".Split(' ').Select(p => SqlStatement.Scalar(connection, "PRAGMA " + p))
        );
    }
}
