using System.Runtime.CompilerServices;
using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>One attached database: many readers with a time limit, one writer in turn.</summary>
/// <remarks>All members are safe on any thread. The file itself is only ever touched by SQLite, save to hash an immutable one.</remarks>
public sealed class Database : IAsyncDisposable
{
    /// <summary>The name of the host's own database; never that of an attached one.</summary>
    internal const string InternalName = "__INTERNAL__";

    private readonly DatabaseOptions _options;
    private readonly DatabaseKind _kind;
    private readonly ConnectionFactory _factory;
    private readonly ReadPool _readers;
    private readonly WriteQueue _writes;
    private readonly SqliteConnection? _keepAlive;
    private readonly Lazy<string> _hash;
    private readonly SchemaCache _schema;
    private FileIdentity? _identity;
    private int? _autoCheckpoint;

    private Database(string name, DatabaseKind kind, string location, string? givenPath, DatabaseOptions options)
    {
        Name = name;
        _kind = kind;
        _options = kind == DatabaseKind.File ? options : options with { IsMutable = true };
        Path = kind == DatabaseKind.File ? location : null;
        GivenPath = givenPath;
        _factory = new ConnectionFactory(name, kind, location, _options);
        _readers = new ReadPool(_factory, _options.ReaderThreads, _options.Time);
        _writes = new WriteQueue(OpenWriter, OnCommitted, _options);
        _schema = new SchemaCache(name, _options, _readers, IsReplaced);
        _hash = new Lazy<string>(() => FileIdentity.HashOfImmutable(Path!));
        // Shared memory lives as long as one connection does.
        _keepAlive = kind == DatabaseKind.SharedMemory ? _factory.OpenWriter(create: true) : null;
    }

    /// <summary>Raised on the writer, after every COMMIT made here that changed something. Handlers must be quick and must not throw.</summary>
    public event Action<Database>? Committed;

    /// <summary>Name inside this instance.</summary>
    public string Name { get; }

    /// <summary>Absolute path of the file; null for memory.</summary>
    public string? Path { get; }

    /// <summary>The path as it was given on the command line; null for memory.</summary>
    public string? GivenPath { get; }

    /// <summary>False when the file is served as immutable.</summary>
    public bool IsMutable => _options.IsMutable;

    /// <summary>True when there is no file.</summary>
    public bool IsMemory => _kind != DatabaseKind.File;

    /// <summary>SHA-256 of an immutable file in lower-case hex, computed at first use; null for others.</summary>
    public string? Hash => IsMutable ? null : _hash.Value;

    /// <summary>Six hex digits of colour: from the hash of an immutable file, else from the name.</summary>
    public string Color => Hash is { } hash ? hash[..6] : TildeEncoding.Md5Prefix(Name);

    /// <summary>The name as a URL segment.</summary>
    public string Route => TildeEncoding.Encode(Name);

    /// <summary>Size of the file in bytes, without WAL; 0 for memory.</summary>
    public long SizeBytes =>
        Path is null ? 0
        : new FileInfo(Path) is { Exists: true } file ? file.Length
        : 0;

    /// <summary>Limit of a query that names none.</summary>
    public TimeSpan TimeLimit => _options.TimeLimit;

    /// <summary>A database in a file. Nothing is opened yet.</summary>
    /// <param name="name">Name inside the instance.</param>
    /// <param name="path">Path of an existing file, relative to the working folder or absolute.</param>
    /// <param name="options">How to open it.</param>
    public static Database File(string name, string path, DatabaseOptions options) =>
        new(name, DatabaseKind.File, System.IO.Path.GetFullPath(path), path, options);

    /// <summary>Memory that every connection has for itself: always empty, a place to run SQL.</summary>
    public static Database PrivateMemory(string name, DatabaseOptions options) => new(name, DatabaseKind.PrivateMemory, "", null, options);

    /// <summary>Memory that readers and the writer share, for as long as this object lives.</summary>
    public static Database SharedMemory(string name, DatabaseOptions options) =>
        new(name, DatabaseKind.SharedMemory, name + "-" + Guid.NewGuid().ToString("N"), null, options);

    /// <summary>Runs one statement on a reader.</summary>
    /// <param name="sql">One statement.</param>
    /// <param name="parameters">Values by name without prefix; null when there are none.</param>
    /// <param name="maxRows">Stop after this many rows and say so in <see cref="QueryResults.Truncated"/>; null reads all.</param>
    /// <param name="timeLimit">Limit; null takes <see cref="TimeLimit"/>.</param>
    /// <param name="ct">Stops it, also in the middle.</param>
    /// <exception cref="SqliteException">SQLite refused; the message is SQLite's.</exception>
    /// <exception cref="QueryInterruptedException">The limit passed.</exception>
    public async Task<QueryResults> ExecuteAsync(
        string sql,
        IReadOnlyDictionary<string, object?>? parameters = null,
        int? maxRows = null,
        TimeSpan? timeLimit = null,
        CancellationToken ct = default
    )
    {
        // The host's own questions hold the names of everything that is closed to somebody.
        var trace = Name == InternalName ? null : SqlTrace.Current;
        var began = trace?.Elapsed ?? TimeSpan.Zero;
        string? error = null;
        EnsureNotTooLarge(sql, VisitorSql.IsCurrent);
        try
        {
            return await _readers.RunAsync(
                reader => ResultReader.ReadAll(reader, sql, parameters, maxRows, MaxResultBytes),
                sql,
                timeLimit ?? _options.TimeLimit,
                ct
            );
        }
        catch (Exception e) when (trace is not null)
        {
            error = e.Message;
            throw;
        }
        finally
        {
            trace?.Add(Name, sql, parameters, began, error);
        }
    }

    /// <exception cref="DatasetteException">400: names in it use one another so often that SQLite could not even read it.</exception>
    private void EnsureNotTooLarge(string sql, bool isVisitor)
    {
        if (isVisitor)
        {
            SqlExpansion.RequireSmall(sql, (_schema.Last?.Views ?? []).Select(v => KeyValuePair.Create(v.Name, v.Sql)));
        }
    }

    private int MaxResultBytes =>
        VisitorSql.IsCurrent ? Math.Min(_options.MaxResultBytes, ReaderLimits.VisitorResultBytes) : _options.MaxResultBytes;

    /// <summary>Runs work on a reader.</summary>
    /// <param name="read">The work; called once, on a pool thread; must not keep the connection.</param>
    /// <param name="timeLimit">Limit for the whole work; null takes <see cref="TimeLimit"/>.</param>
    /// <param name="ct">Stops it, also in the middle of a statement.</param>
    public Task<T> ReadAsync<T>(Func<SqliteConnection, T> read, TimeSpan? timeLimit = null, CancellationToken ct = default) =>
        _readers.RunAsync(reader => read(reader.Connection), "", timeLimit ?? _options.TimeLimit, ct);

    /// <summary>What stays true as long as nobody writes. Ask for the epoch by <see cref="EpochAsync"/>.</summary>
    internal Memory Memory { get; } = new();

    /// <summary>Looks whether anybody has written, this process or another, and tells the epoch of what is known.</summary>
    /// <remarks>As fresh as a query at this moment would be. A reader that never looked before cannot tell, so a new epoch begins with it.</remarks>
    internal async ValueTask<long> EpochAsync(CancellationToken ct)
    {
        if (_kind == DatabaseKind.File && IsMutable)
        {
            // Forgotten before another may use this reader: it will see no changes any more.
            await _readers.RunAsync(reader => reader.SeesChanges() ? Memory.Forget() : 0, "", _options.TimeLimit, ct);
        }

        return Memory.Epoch;
    }

    /// <summary>What is known under a key, or what is found now, kept if it should be.</summary>
    /// <param name="key">See <see cref="Memory.Key"/>.</param>
    /// <param name="find">Must read this database only, and nothing that changes by itself, such as the time.</param>
    /// <param name="ct">Stops it.</param>
    internal async ValueTask<T> RememberAsync<T>(string key, Func<Task<(T Value, bool Keep)>> find, CancellationToken ct)
    {
        var epoch = await EpochAsync(ct);
        if (!Memory.TryGet<T>(key, epoch, out var value))
        {
            (value, var keep) = await find();
            if (keep)
            {
                Memory.Keep(key, epoch, value);
            }
        }

        return value;
    }

    /// <summary>What a statement would touch; it is prepared, never run.</summary>
    /// <param name="sql">One statement, reading or writing.</param>
    /// <param name="ct">Stops it.</param>
    /// <exception cref="SqliteException">SQLite does not understand it.</exception>
    internal async Task<SqlAnalysis> AnalyzeAsync(string sql, CancellationToken ct)
    {
        EnsureNotTooLarge(sql, isVisitor: true);
        // A connection of its own: it goes without the pool's authorizer, and away with the answer.
        return await Task.Run(
            () =>
            {
                using var reader = _readers.OpenOwn();
                return reader.Run(c => SqlAnalyzer.Analyze(c.Connection, sql), sql, _options.TimeLimit, ct);
            },
            ct
        );
    }

    /// <summary>Rows one after the other in constant memory, on a connection of its own. The first item is the column names.</summary>
    /// <param name="sql">One SELECT.</param>
    /// <param name="parameters">Values by name without prefix.</param>
    /// <param name="timeLimit">Limit for each batch of rows; null takes <see cref="TimeLimit"/>.</param>
    /// <param name="ct">Stops it.</param>
    /// <remarks>A read transaction stays open until the enumerator is disposed, so the WAL cannot be reset meanwhile.</remarks>
    public async IAsyncEnumerable<object?[]> StreamAsync(
        string sql,
        IReadOnlyDictionary<string, object?>? parameters = null,
        TimeSpan? timeLimit = null,
        [EnumeratorCancellation] CancellationToken ct = default
    )
    {
        const int BatchRows = 256;
        var limit = timeLimit ?? _options.TimeLimit;
        EnsureNotTooLarge(sql, VisitorSql.IsCurrent);
        using var reader = await Task.Run(_readers.OpenOwn, ct);
        using var statement = reader.Run(r => SqlStatement.Prepare(r.Connection, sql), sql, limit, ct);
        statement.BindAll(parameters);
        yield return statement.ColumnNames();
        while (true)
        {
            var batch = await Task.Run(
                () => reader.Run(_ => ResultReader.NextRows(statement, BatchRows, long.MaxValue), sql, limit, ct),
                ct
            );
            foreach (var row in batch)
            {
                yield return row;
            }

            if (batch.Count < BatchRows)
            {
                yield break;
            }
        }
    }

    /// <summary>Writes in one transaction, in turn with all other writes of this process. Answers after the COMMIT.</summary>
    /// <param name="write">
    /// The work; any exception undoes it. Writes that wait at the same time share a transaction, each behind a savepoint of its own; a work is
    /// called again when another one made SQLite undo them all. It must not begin or end transactions.
    /// </param>
    /// <param name="ct">Honoured until the work starts.</param>
    /// <exception cref="DatasetteException">403: the database is immutable. 503: too many writes wait, or another program keeps it locked.</exception>
    public Task<T> WriteAsync<T>(Func<SqliteConnection, T> write, CancellationToken ct = default) => WriteAsync(write, true, ct);

    /// <summary>Writes as <see cref="WriteAsync{T}(Func{SqliteConnection, T}, CancellationToken)"/>, on wish without a transaction (VACUUM, PRAGMA journal_mode).</summary>
    public Task<T> WriteAsync<T>(Func<SqliteConnection, T> write, bool inTransaction, CancellationToken ct) =>
        WriteAsync(write, new WriteOptions(inTransaction ? WriteTurn.Grouped : WriteTurn.Bare), ct);

    /// <summary>Writes as <see cref="WriteAsync{T}(Func{SqliteConnection, T}, CancellationToken)"/>, with a choice of its transaction and its limit.</summary>
    internal Task<T> WriteAsync<T>(Func<SqliteConnection, T> write, WriteOptions options, CancellationToken ct)
    {
        if (!IsMutable)
        {
            throw new DatasetteException(403, "Database is immutable");
        }

        return _writes.RunAsync(write, options, ct);
    }

    /// <summary>Limit of a visitor's write.</summary>
    internal TimeSpan WriteTimeLimit => _options.WriteTimeLimit;

    /// <summary>What is in the database, at most one second old as for other processes' changes, at once for our own.</summary>
    public Task<DatabaseSchema> SchemaAsync(CancellationToken ct = default) => _schema.GetAsync(ct);

    /// <summary>As <see cref="SchemaAsync"/>; but where the file cannot be read now, what was known last, or nothing.</summary>
    /// <remarks>For what concerns all databases at once: one that is locked, damaged or gone must not close the others.</remarks>
    public Task<DatabaseSchema> KnownSchemaAsync(CancellationToken ct = default) => _schema.GetKnownAsync(ct);

    /// <summary>True while the last attempt to read the schema has failed, so that nobody waits for the same lock again.</summary>
    internal bool IsUnreadable => _schema.IsUnreadable;

    /// <summary>Rows of a table or a SELECT, counted no further than a limit.</summary>
    /// <param name="fromAndWhere">What stands behind <c>select * </c>: <c>from t where ...</c>.</param>
    /// <param name="parameters">Values by name without prefix.</param>
    /// <param name="limit">Highest number to count to; null counts all.</param>
    /// <param name="timeLimit">Longest time.</param>
    /// <param name="ct">Stops it.</param>
    /// <returns>The count, at most <paramref name="limit"/>; null when the time ran out.</returns>
    public async Task<long?> CountAsync(
        string fromAndWhere,
        IReadOnlyDictionary<string, object?>? parameters,
        long? limit,
        TimeSpan timeLimit,
        CancellationToken ct = default
    )
    {
        var sql = limit is null ? $"select count(*) {fromAndWhere}" : $"select count(*) from (select 1 {fromAndWhere} limit {limit})";
        try
        {
            return (long)(await ExecuteAsync(sql, parameters, 1, timeLimit, ct)).Scalar!;
        }
        catch (QueryInterruptedException)
        {
            return null;
        }
    }

    /// <summary>Sets when this process's own writing connection moves the WAL into the file.</summary>
    /// <param name="pages">
    /// WAL pages before SQLite checkpoints by itself; 0 = never, as a replication engine needs it, and then the WAL file also survives the
    /// last close; null = SQLite's default.
    /// </param>
    /// <remarks>Takes effect in turn with writes; opens no connection.</remarks>
    public void SetAutoCheckpoint(int? pages)
    {
        _autoCheckpoint = pages;
        _writes.Configure(ApplyCheckpointing);
    }

    /// <summary>Statements that every reader runs when it opens, such as ATTACH; replaces earlier ones.</summary>
    internal void SetReaderSetup(IReadOnlyList<string> statements)
    {
        _factory.ReaderSetup = statements;
        _readers.Clear();
    }

    /// <summary>Makes the file as a valid, empty database in WAL mode.</summary>
    internal void Create()
    {
        using var connection = _factory.OpenWriter(create: true);
        SqlStatement.Query(connection, "PRAGMA journal_mode=WAL");
        // Without a page of its own the file would stay empty, and an empty file keeps no journal mode.
        SqlStatement.Execute(connection, "PRAGMA user_version=0");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _writes.DisposeAsync();
        await _readers.DisposeAsync();
        _keepAlive?.Dispose();
    }

    /// <summary>Whether there is another file under the old name; what was open reads, and would write, what nobody can see any more, and is closed.</summary>
    /// <exception cref="SqliteException">The file is gone.</exception>
    private bool IsReplaced()
    {
        if (Path is null)
        {
            return false;
        }

        if (!System.IO.File.Exists(Path))
        {
            throw new SqliteException($"the file {GivenPath} is no longer there", SQLitePCL.raw.SQLITE_CANTOPEN);
        }

        var identity = FileIdentity.Of(Path);
        var isReplaced = _identity is not null && identity is not null && identity != _identity;
        if (isReplaced)
        {
            _readers.Clear();
            _writes.Reopen();
            Memory.Forget();
        }

        _identity = identity;
        return isReplaced;
    }

    private SqliteConnection OpenWriter()
    {
        var connection = _factory.OpenWriter(create: _kind != DatabaseKind.File);
        var patience = _options.WriteLockTimeout < _options.BusyTimeout ? _options.WriteLockTimeout : _options.BusyTimeout;
        _ = SQLitePCL.raw.sqlite3_busy_timeout(connection.Handle!, (int)patience.TotalMilliseconds);
        ApplyCheckpointing(connection);
        return connection;
    }

    private void ApplyCheckpointing(SqliteConnection connection)
    {
        if (_kind == DatabaseKind.File)
        {
            NativeSqlite.SetAutoCheckpoint(connection, _autoCheckpoint ?? NativeSqlite.DefaultAutoCheckpointPages);
            NativeSqlite.SetPersistentWal(connection, _autoCheckpoint == 0);
        }
    }

    private void OnCommitted(bool isSchema)
    {
        Memory.Forget();
        if (isSchema)
        {
            _schema.Doubt();
        }

        Committed?.Invoke(this);
    }
}
