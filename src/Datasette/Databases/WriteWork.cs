using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>How a write shares transactions with others.</summary>
internal enum WriteTurn
{
    /// <summary>In a transaction that it may share with those that waited beside it, behind a savepoint of its own.</summary>
    Grouped,

    /// <summary>In a transaction of its own: SQL that visitors wrote, and changes of the schema.</summary>
    Alone,

    /// <summary>Without a transaction: what SQLite refuses inside one (VACUUM, PRAGMA journal_mode).</summary>
    Bare,

    /// <summary>No write: something that the writing connection is told in turn.</summary>
    Control,
}

/// <summary>How a write runs.</summary>
/// <param name="Turn">Whether it shares a transaction.</param>
/// <param name="TimeLimit">Longest time inside SQLite, from its start; null = none.</param>
internal readonly record struct WriteOptions(WriteTurn Turn, TimeSpan? TimeLimit = null);

/// <summary>One piece of work in the queue. All members but the task are for the writer alone.</summary>
internal abstract class WriteWork(WriteOptions options, CancellationToken ct)
{
    public WriteTurn Turn => options.Turn;

    public TimeSpan? TimeLimit => options.TimeLimit;

    /// <summary>Why it failed, when it ran last; null when it went well.</summary>
    public Exception? Failure { get; set; }

    /// <summary>True, and it has its answer, when who asked for it has gone before it was begun. Once begun it is finished.</summary>
    public bool IsGivenUp()
    {
        if (!ct.IsCancellationRequested)
        {
            return false;
        }

        Cancel(ct);
        return true;
    }

    /// <summary>Does it and keeps its value. May be called again when SQLite has undone it together with others.</summary>
    public abstract void Run(SqliteConnection connection);

    /// <summary>Gives whoever waits the value, or the failure.</summary>
    public abstract void Answer();

    protected abstract void Cancel(CancellationToken ct);
}

/// <summary>A write that gives a value.</summary>
internal sealed class WriteWork<T>(Func<SqliteConnection, T> write, WriteOptions options, CancellationToken ct) : WriteWork(options, ct)
{
    private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? _value;

    public Task<T> Task => _result.Task;

    public override void Run(SqliteConnection connection) => _value = write(connection);

    public override void Answer()
    {
        if (Failure is { } failure)
        {
            _result.SetException(failure);
        }
        else
        {
            _result.SetResult(_value!);
        }
    }

    protected override void Cancel(CancellationToken ct) => _result.SetCanceled(ct);
}
