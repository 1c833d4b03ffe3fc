using System.Collections.Concurrent;
using Litestream.Compaction;
using Litestream.Diagnostics;
using Litestream.IO;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Litestream;

/// <summary>All databases that are replicated, and their schedule: what <c>AddLitestream</c> puts into an app.</summary>
/// <remarks>
/// Safe from any thread. It owns every task it starts; they end with <see cref="StopAsync"/>. The app chooses the SQLite library by referencing a
/// SQLitePCLRaw bundle and initialising it (Microsoft.Data.Sqlite does) before <see cref="StartAsync"/>.
/// </remarks>
public sealed class LitestreamStore : IAsyncDisposable
{
    /// <summary>Merges and snapshots that run at once, of all databases: bounds memory and load.</summary>
    private const int MaintenanceParallelism = 2;

    private readonly LitestreamOptions _options;
    private readonly ObjectStoreFactory _stores;
    private readonly EngineServices _services;
    private readonly StepScheduler _scheduler;
    private readonly ConcurrentDictionary<string, RunningDatabase> _databases = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _maintenanceSlots = new(MaintenanceParallelism);
    private readonly LitestreamMeter _meter;
    private Task? _run;
    private bool _stopped;

    /// <summary>Creates the store; nothing is opened before <see cref="StartAsync"/>.</summary>
    /// <param name="options">Databases and settings.</param>
    /// <param name="stores">The kinds of replica that are known.</param>
    /// <param name="time">Clock; default: the system's.</param>
    /// <param name="loggers">Logs go to category <c>Litestream</c>; default: nowhere.</param>
    /// <param name="files">Disk for the engine's own files; default: the machine's.</param>
    public LitestreamStore(
        LitestreamOptions options,
        ObjectStoreFactory stores,
        TimeProvider? time = null,
        ILoggerFactory? loggers = null,
        DurableFiles? files = null
    )
        : this(options, stores, time, loggers, files, CommitWatcher.Create()) { }

    internal LitestreamStore(
        LitestreamOptions options,
        ObjectStoreFactory stores,
        TimeProvider? time,
        ILoggerFactory? loggers,
        DurableFiles? files,
        CommitWatcher watcher,
        SourceAccess? sources = null
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(stores);
        (_options, _stores) = (options, stores);
        var log = (loggers ?? NullLoggerFactory.Instance).CreateLogger("Litestream");
        var counters = new EngineCounters();
        _services = new EngineServices(files ?? DurableFiles.System, time ?? TimeProvider.System, log, counters, watcher)
        {
            Sources = sources ?? new SourceAccess(),
        };
        _scheduler = new StepScheduler(_services.Time);
        Metrics = new LitestreamMetrics(counters, () => Databases, _services.Time);
        _meter = new LitestreamMeter(Metrics, _services.Time);
    }

    /// <summary>Counters and gauges.</summary>
    public LitestreamMetrics Metrics { get; }

    /// <summary>The present state of every database, in the order they were added.</summary>
    public IReadOnlyList<DatabaseStatus> Databases
    {
        get
        {
            lock (_order)
                return [.. _order.Select(p => _databases.TryGetValue(p, out var e) ? e.Status() : null).OfType<DatabaseStatus>()];
        }
    }

    /// <summary>One database, to have its commits confirmed by its replicas.</summary>
    /// <param name="path">Its path, relative or absolute.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.NotFound"/>: it is not replicated here.</exception>
    public LitestreamDatabase Database(string path)
    {
        var entry = Find(path);
        return new LitestreamDatabase(entry.Database, entry.Status, _services.Time);
    }

    /// <summary>Steps of all loops, for simulations.</summary>
    internal StepScheduler Scheduler => _scheduler;

    /// <summary>Checks the whole configuration, then replicates in the background.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: what can never work. What may heal is retried instead.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await AddConfiguredAsync(cancellationToken).ConfigureAwait(false);
        _run = _scheduler.RunAsync(_stopping.Token);
    }

    /// <summary>The first half of <see cref="StartAsync"/>; a simulation makes the steps itself.</summary>
    internal async Task AddConfiguredAsync(CancellationToken cancellationToken)
    {
        foreach (var database in _options.Databases)
            await AddDatabaseAsync(database, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Replicates one more database.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: settings that can never work, or a path or metadata folder in use already.</exception>
    public async Task AddDatabaseAsync(DatabaseOptions database, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(database);
        ObjectDisposedException.ThrowIf(_stopped, this);
        cancellationToken.ThrowIfCancellationRequested();
        var options = DatabaseOptionsValidator.Validate(database with { Path = Path.GetFullPath(database.Path) });
        if (options.RestoreIfMissing)
            await RestoreIfMissingAsync(options, cancellationToken).ConfigureAwait(false);
        lock (_order)
        {
            foreach (var other in _databases.Values)
                DatabaseOptionsValidator.RequireApart(other.Database.Options, options);
            var entry = CreateDatabase(options);
            _databases[options.Path] = entry;
            _order.Add(options.Path);
            entry.Start(_scheduler);
        }
    }

    /// <summary>
    /// Restores a database whose file does not exist, for a host that opens it before this store starts. <see cref="DatabaseOptions.RestoreIfMissing"/>
    /// does the same at the start.
    /// </summary>
    /// <returns>What was restored; null when the file is there (it is left alone) or no replica has a backup.</returns>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.OutputExists"/>: a <c>-wal</c>, <c>-shm</c> or <c>-journal</c> of another database lies where the file is missing. Or a
    /// replica could not be asked, or its backup is damaged: then it is not known that there is none.
    /// </exception>
    public async Task<RestoreResult?> RestoreIfMissingAsync(DatabaseOptions database, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(database);
        var path = Path.GetFullPath(database.Path);
        if (_services.Files.Stat(path) is not null)
            return null;
        var clients = new List<ReplicaClient>();
        try
        {
            foreach (var replica in database.Replicas)
                clients.Add(_stores.Open(replica, _services.Metrics.Operations, _services.Time));
            if (clients.Count == 0)
                return null;
            return await new DatabaseRestorer(_services.Files, _services.Time, _services.Log)
                .RestoreAsync(clients, new RestoreOptions { OutputPath = path }, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.NotFound)
        {
            return null;
        }
        finally
        {
            foreach (var client in clients)
                await client.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Stops replicating a database after a last sync; its replicas stay as they are. Unknown paths are fine.</summary>
    /// <returns>True when everything arrived on every replica.</returns>
    public async Task<bool> RemoveDatabaseAsync(string path, CancellationToken cancellationToken)
    {
        path = Path.GetFullPath(path);
        if (!_databases.TryRemove(path, out var entry))
            return true;
        lock (_order)
            _order.Remove(path);
        await entry.RemoveAsync(_scheduler).ConfigureAwait(false);
        var complete = await FinishAsync(entry, cancellationToken).ConfigureAwait(false);
        _services.Metrics.Forget(path);
        return complete;
    }

    /// <summary>Tells that this process has just committed to a database; the engine then looks at once. Cheap; any thread; unknown paths are fine.</summary>
    /// <param name="path">Absolute path, as given.</param>
    public void NotifyCommit(string path)
    {
        if (_databases.TryGetValue(path, out var entry) && entry.Database.IsWatched)
            _scheduler.Wake(entry.Source);
    }

    /// <summary>Copies everything that is committed now into local LTX files.</summary>
    /// <param name="path">The database.</param>
    /// <param name="upload">Also wait until every replica has confirmed it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LitestreamException">Unknown database, or the copy or an upload failed.</exception>
    public async Task SyncAsync(string path, bool upload, CancellationToken cancellationToken)
    {
        var entry = Find(path);
        await entry.Database.SyncAsync(cancellationToken).ConfigureAwait(false);
        if (!upload)
            return;
        foreach (var replica in entry.Database.Replicas)
            if (!await replica.UploadAsync(cancellationToken).ConfigureAwait(false))
                throw UploadFailure(path, replica);
    }

    private static LitestreamException UploadFailure(string path, Replica replica)
    {
        var cause = replica.Failure as LitestreamException;
        return new LitestreamException(
            cause?.Error ?? LitestreamError.Unavailable,
            $"{path}: replica {replica.Status.Name}: {replica.Failure?.Message ?? "not everything arrived"}",
            replica.Failure
        )
        {
            IsTransient = cause?.IsTransient ?? true,
            Hint = cause?.Hint,
            Path = path,
        };
    }

    /// <summary>Stops: a last sync and upload within <see cref="LitestreamOptions.ShutdownSyncTimeout"/>, then lets go of the databases.</summary>
    /// <param name="cancellationToken">Cuts the last upload short.</param>
    /// <returns>True when everything that was committed is on every replica.</returns>
    public async Task<bool> StopAsync(CancellationToken cancellationToken)
    {
        if (_stopped)
            return true;
        _stopped = true;
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_run is not null)
            await _run.ConfigureAwait(false);
        var results = await Task.WhenAll(_databases.Values.Select(e => FinishAsync(e, cancellationToken))).ConfigureAwait(false);
        return results.All(complete => complete);
    }

    /// <summary>Ends as a crash would: nothing more is copied or uploaded. For tests.</summary>
    internal async Task AbandonAsync()
    {
        _stopped = true;
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_run is not null)
            await _run.ConfigureAwait(false);
        foreach (var entry in _databases.Values)
            await entry.Database.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<bool> FinishAsync(RunningDatabase entry, CancellationToken cancellationToken)
    {
        var complete = await new FinalSync(entry.Database, _options.ShutdownSyncTimeout, _options.ShutdownSyncInterval, _services)
            .RunAsync(cancellationToken)
            .ConfigureAwait(false);
        await entry.Database.SealAsync().ConfigureAwait(false);
        await entry.Database.DisposeAsync().ConfigureAwait(false);
        _services.Log.Stopped(entry.Database.Options.Path, entry.Database.Status.Txid, complete);
        return complete;
    }

    private RunningDatabase CreateDatabase(DatabaseOptions options)
    {
        var names = ReplicaNames.Assign(options.Replicas);
        var opened = new List<(string, ReplicaOptions, ReplicaClient)>();
        for (var i = 0; i < options.Replicas.Count; i++)
            opened.Add((names[i], options.Replicas[i], _stores.Open(options.Replicas[i], _services.Metrics.Operations, _services.Time)));
        RunningDatabase? entry = null;
        var database = new ReplicatedDatabase(options, opened, _services, () => entry?.Wake(_scheduler));
        entry = new RunningDatabase(database, replica => CreateKeeper(database, replica));
        return entry;
    }

    private ReplicaKeeper CreateKeeper(ReplicatedDatabase database, Replica replica) =>
        new(
            replica.Client,
            replica.Listing,
            replica.Options,
            database.Options.LegacyPageFrames,
            new KeeperFeed(
                database.Options.Path,
                replica.Status.Name,
                () => replica.IsOurs,
                cancellationToken => database.WriteSnapshotAsync(replica.Client, static _ => { }, cancellationToken),
                database.Files.TryOpen,
                replica.Doubt
            ),
            _services.Time,
            _services.Log,
            _services.Metrics.Of(database.Options.Path),
            _maintenanceSlots
        );

    /// <summary>Writes a snapshot of a database to each of its replicas now, also where one exists at the same transaction.</summary>
    /// <exception cref="LitestreamException">Unknown database, or a snapshot failed.</exception>
    public async Task SnapshotAsync(string path, CancellationToken cancellationToken)
    {
        foreach (var keeper in Find(path).Keepers)
            await keeper.SnapshotAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Deletes now what the retention of each replica allows.</summary>
    /// <exception cref="LitestreamException">Unknown database, or a deletion failed.</exception>
    public async Task EnforceRetentionAsync(string path, CancellationToken cancellationToken)
    {
        foreach (var keeper in Find(path).Keepers)
            await keeper.EnforceRetentionAsync(cancellationToken).ConfigureAwait(false);
    }

    private RunningDatabase Find(string path) =>
        _databases.TryGetValue(Path.GetFullPath(path), out var entry)
            ? entry
            : throw new LitestreamException(LitestreamError.NotFound, $"{path} is not replicated here") { Path = path };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            // Also when a disk refused something at the end: the platform holds a meter, and all it knows, until it is told.
            _maintenanceSlots.Dispose();
            _meter.Dispose();
            _services.Watcher.Dispose();
            _stopping.Dispose();
        }
    }
}
