using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>
/// The one writer of a database. Work comes in turn; what has queued up while a commit ran goes into the next transaction together, so that
/// many small writes share one fsync, and a single one waits for nobody.
/// </summary>
/// <remarks>Safe on any thread. Writes run on a thread of the queue's own, which is there while there is work.</remarks>
internal sealed class WriteQueue : IAsyncDisposable
{
    private const int LargestGroup = 256;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);

    // Monitor, not Lock: the thread waits on it.
    private readonly object _gate = new();
    private readonly Queue<WriteWork> _waiting = new();
    private readonly Writer _writer;
    private readonly int _capacity;
    private bool _isRunning;
    private bool _isClosed;
    private TaskCompletionSource? _ended;

    /// <summary>Creates the queue; nothing is opened before the first write.</summary>
    /// <param name="open">Opens the writing connection.</param>
    /// <param name="committed">Called on the writer after each commit that changed something; true when tables changed.</param>
    /// <param name="options">Limits and the clock.</param>
    public WriteQueue(Func<SqliteConnection> open, Action<bool> committed, DatabaseOptions options)
    {
        _writer = new Writer(open, committed, options);
        _capacity = options.MaxQueuedWrites;
    }

    /// <summary>Runs work on the writing connection when its turn comes.</summary>
    /// <param name="write">The work; may be called again when another one of its group made SQLite undo it.</param>
    /// <param name="options">Its kind of transaction, and its time limit.</param>
    /// <param name="ct">Honoured until the work starts; then it runs to its end.</param>
    /// <exception cref="DatasetteException">503: too many wait, or another program keeps the database locked. 400: the time limit passed.</exception>
    public Task<T> RunAsync<T>(Func<SqliteConnection, T> write, WriteOptions options, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
        {
            return Task.FromCanceled<T>(ct);
        }

        var work = new WriteWork<T>(write, options, ct);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (_waiting.Count >= _capacity)
            {
                var full = new DatasetteException(503, $"{_capacity} writes are waiting already; nothing was stored. Try again.")
                {
                    RetryAfter = WriteFailure.RetryAfter,
                };
                return Task.FromException<T>(full);
            }

            Add(work);
        }

        return work.Task;
    }

    /// <summary>Applies a setting to the writing connection in turn, if one is open; one that opens later takes it by itself.</summary>
    public void Configure(Action<SqliteConnection> apply) => Tell(new WriterOrder(writer => writer.Configure(apply)));

    /// <summary>Closes the writing connection in turn; the next write opens a fresh one.</summary>
    public void Reopen() => Tell(new WriterOrder(writer => writer.Close(withoutCheckpoint: true)));

    /// <summary>What is queued is still done; then the connection is closed.</summary>
    public async ValueTask DisposeAsync()
    {
        Task? ended = null;
        lock (_gate)
        {
            _isClosed = true;
            if (_isRunning)
            {
                _ended ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                ended = _ended.Task;
                Monitor.Pulse(_gate);
            }
        }

        if (ended is not null)
        {
            await ended;
        }

        _writer.Dispose();
    }

    private void Tell(WriterOrder order)
    {
        lock (_gate)
        {
            // Without a thread nothing is under way; but only it may touch the connection.
            if (!_isClosed)
            {
                Add(order);
            }
        }
    }

    private void Add(WriteWork work)
    {
        _waiting.Enqueue(work);
        if (_isRunning)
        {
            Monitor.Pulse(_gate);
            return;
        }

        _isRunning = true;
        // Not a thread of the pool: it would sit in fsync while requests wait for one.
        new Thread(Loop) { IsBackground = true, Name = "writer" }.Start();
    }

    private void Loop()
    {
        var group = new List<WriteWork>(LargestGroup);
        while (Take(group))
        {
            _writer.Run(group);
            group.Clear();
        }
    }

    private bool Take(List<WriteWork> group)
    {
        lock (_gate)
        {
            if (_waiting.Count == 0 && !_isClosed)
            {
                Monitor.Wait(_gate, Rest);
            }

            if (_waiting.Count == 0)
            {
                _isRunning = false;
                _ended?.SetResult();
                return false;
            }

            while (group.Count < LargestGroup && _waiting.TryDequeue(out var work))
            {
                group.Add(work);
            }

            return true;
        }
    }
}
