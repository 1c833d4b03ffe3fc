using System.Collections.Concurrent;
using Datasette.Databases;
using Datasette.Litestream.Configuration;
using Datasette.Litestream.Credentials;
using Datasette.Litestream.Status;
using Datasette.Plugins;
using Litestream;
using Litestream.Cli;
using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Extensions.Logging;

namespace Datasette.Litestream;

/// <summary>
/// The replication of one host: the engine, its log, its metrics endpoint, and the wires between host and engine. Made at the host's start when
/// anything is configured, ended at its stop. Methods may be called from any thread; opening and closing databases takes turns.
/// </summary>
internal sealed class HostReplication : IAsyncDisposable
{
    private readonly IDatasette _datasette;
    private readonly ObjectStoreFactory _stores;
    private readonly EngineLog _log;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly ConcurrentDictionary<string, Wire> _wires = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _problems = new(StringComparer.Ordinal);

    // Databases attached while running whose configuration can never work; they must not stop the next one. Guarded by the gate.
    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);
    private LitestreamStore? _store;
    private MetricsServer? _metrics;
    private RefreshingCredentials? _credentials;
    private volatile LitestreamPluginConfig _config;

    // Secrets that were read since the start: old ones may still stand in the log.
    private volatile IReadOnlyList<string> _laterSecrets = [];

    private HostReplication(IDatasette datasette, ObjectStoreFactory stores, LitestreamPluginConfig config)
    {
        _datasette = datasette;
        _stores = stores;
        _config = config;
        _log = new EngineLog(datasette.Loggers, datasette.Time);
        _log.Use(config.Redactor);
        _logger = _log.CreateLogger("Datasette.Litestream");
    }

    /// <summary>The configuration in force.</summary>
    public LitestreamPluginConfig Config => _config;

    /// <summary>The engine; null before the start and when starting it failed.</summary>
    public LitestreamStore? Store => _store;

    /// <summary>The newest part of the log, without secrets.</summary>
    public string LogText => _log.Text();

    /// <summary><c>alive</c>, <c>stopped</c> or <c>failed</c>.</summary>
    public string State { get; private set; } = "failed";

    /// <summary>What went wrong with databases attached while running.</summary>
    public IReadOnlyCollection<string> Problems => _credentials?.Problem() is { } old ? [old, .. _problems.Values] : [.. _problems.Values];

    /// <summary>Whether the data is safe now.</summary>
    public Verdict Verdict() => StatusPageBuilder.VerdictOf(_config, _store?.Databases ?? [], _datasette.Time.GetUtcNow());

    /// <summary>How one database is doing, in a few words; null when there is nothing to say about it.</summary>
    public (string Word, Tone Tone)? StateOf(string name)
    {
        if (_config.Skipped.Any(entry => entry.Name == name))
            return ("not replicated", Tone.Neutral);
        if (_config.Databases.FirstOrDefault(entry => entry.Name == name) is not { } entry)
            return null;
        var status = _store?.Databases.FirstOrDefault(status => status.Path == entry.Options.Path);
        var now = _datasette.Time.GetUtcNow();
        if (VerdictPolicy.Danger(status, name, now) is not null)
            return ("not safe", Tone.Bad);
        if (status!.Replicas.FirstOrDefault(replica => VerdictPolicy.IsBad(replica.State)) is { } fault)
            return ($"stored, but {fault.Name} is {StatusWords.Of(fault.State).Word}", Tone.Warn);
        var newest = status.Replicas.Max(replica => replica.LastUpload);
        return (newest is { } time ? $"in sync, {StatusText.Ago(time, now)}" : "in sync", Tone.Ok);
    }

    /// <summary>What confirms the writes to a database; null when it has no replica.</summary>
    public DurableCopies? CopiesOf(string name)
    {
        if (_store is not { } store || State != "alive" || !_wires.TryGetValue(name, out var wire))
            return null;
        try
        {
            return new ReplicaCopies(store.Database(wire.Path), _config.Redactor);
        }
        catch (LitestreamException)
        {
            return null; // it was detached just now
        }
    }

    /// <summary>Starts replication for a host; null when nothing is configured.</summary>
    /// <param name="datasette">The host.</param>
    /// <param name="stores">The backends that are known.</param>
    /// <param name="options">What the engine is told besides the databases.</param>
    /// <param name="isFirst">Whether the host is starting: then it is told why nothing is replicated.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="StartupException">The configuration can never work, or the metrics address is taken.</exception>
    public static async Task<HostReplication?> StartAsync(
        IDatasette datasette,
        ObjectStoreFactory stores,
        LitestreamOptions options,
        bool isFirst,
        CancellationToken cancellationToken
    )
    {
        var config = HostDatabases.ReadConfig(datasette, stores);
        if (!config.IsConfigured)
        {
            // A block for a database of another name is all there is, perhaps: who thinks that it is replicated must hear it.
            foreach (var notice in isFirst ? config.Notices : [])
                Log.Notice(datasette.Loggers.CreateLogger("Datasette.Litestream"), config.Redactor.Text(notice));
            return null;
        }
        var replication = new HostReplication(datasette, stores, config);
        try
        {
            await replication.RunAsync(options, cancellationToken);
            return replication;
        }
        catch (Exception e) when (e is LitestreamException { Error: LitestreamError.InvalidConfiguration } or StartupException)
        {
            await replication.DisposeAsync();
            throw e as StartupException
                ?? new StartupException($"{LitestreamPluginConfig.PluginName}: {config.Redactor.Text(e.Message)}", innerException: e);
        }
    }

    /// <summary>A database was attached while the host runs: replicates it if the configuration says so. Never throws for bad configuration.</summary>
    public async Task OpenedAsync(Database database, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var config = WithCredentials(HostDatabases.ReadConfig(_datasette, _stores, _refused));
            var entry = config.Databases.FirstOrDefault(entry => entry.Name == database.Name);
            if (entry is { Options.Replicas.Count: > 0 } && State == "alive")
                await AddAsync(entry, database, cancellationToken);
            Use(config);
        }
        catch (Exception e) when (e is StartupException or LitestreamException)
        {
            var text = _config.Redactor.Text(e.Message);
            _refused.Add(database.Name);
            _problems[database.Name] = $"{database.Name} is not replicated: {text}";
            Log.NotReplicated(_logger, database.Name, text);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>A database is about to be detached: ends its replication, after a last sync.</summary>
    public async Task ClosedAsync(Database database, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            _problems.TryRemove(database.Name, out _);
            _refused.Remove(database.Name);
            if (_wires.TryRemove(database.Name, out var wire))
            {
                wire.Dispose();
                if (_store is not null)
                    await _store.RemoveDatabaseAsync(wire.Path, cancellationToken);
                Log.Ended(_logger, database.Name);
            }
            // The others go on as they are, also when what is left could not be started afresh.
            var left = _config with
            {
                Databases = [.. _config.Databases.Where(entry => entry.Name != database.Name)],
                Skipped = [.. _config.Skipped.Where(entry => entry.Name != database.Name)],
            };
            Use(left);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>The host stops: brings the last commits to the replicas within the engine's limit, then closes everything.</summary>
    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (_metrics is not null)
                await _metrics.DisposeAsync();
            _metrics = null;
            if (_store is not null && State == "alive")
                await StopEngineAsync(_store);
            else if (_store is not null)
                await _store.DisposeAsync();
            foreach (var wire in _wires.Values)
                wire.Dispose();
            _wires.Clear();
            if (_credentials is not null)
                await _credentials.DisposeAsync();
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task RunAsync(LitestreamOptions options, CancellationToken cancellationToken)
    {
        if (_config.MetricsAddress is { } address)
        {
            _metrics = Listen(address);
            Log.Metrics(_logger, $"{address} (port {_metrics.Port}), path /metrics");
        }
        if (_config.Credentials is { } changing)
        {
            _credentials = await RefreshingCredentials.StartAsync(
                changing,
                _datasette.Time,
                _logger,
                Hide,
                cancellationToken,
                _datasette.Databases.MayBeLive
            );
            Use(WithCredentials(_config));
        }
        var replicated = _config.Databases.Where(entry => entry.Options.Replicas.Count > 0).ToList();
        _store = new LitestreamStore(
            options with
            {
                Databases = [.. replicated.Select(entry => entry.Options)],
            },
            _stores,
            _datasette.Time,
            _log
        );
        // The host's own connections must stop checkpointing before the engine counts on the WAL.
        foreach (var entry in replicated)
            _wires[entry.Name] = new Wire(_datasette.Databases[entry.Name]!, entry.Options.Path, _store);
        await _store.StartAsync(cancellationToken);
        State = "alive";
        foreach (var entry in replicated)
            Announce(entry);
        foreach (var skipped in _config.Skipped)
            Log.Skipped(_logger, skipped.Name, skipped.Reason);
        foreach (var notice in _config.Notices)
            Log.Notice(_logger, notice);
    }

    private MetricsServer Listen(string address)
    {
        try
        {
            return new MetricsServer(address, writer => _store?.Metrics.WritePrometheus(writer), _datasette.Time);
        }
        catch (LitestreamException e)
        {
            var text = e.Message.StartsWith("addr: ", StringComparison.Ordinal) ? e.Message["addr: ".Length..] : e.Message;
            throw ConfigPath
                .TopLevel.Child("metrics-addr")
                .Error(HostDatabases.Locate(_datasette), $"'metrics-addr': {text}; choose another port, or stop the program that uses it");
        }
    }

    private async Task AddAsync(ReplicatedEntry entry, Database database, CancellationToken cancellationToken)
    {
        if (_wires.ContainsKey(entry.Name))
            return;
        var wire = new Wire(database, entry.Options.Path, _store!);
        try
        {
            await _store!.AddDatabaseAsync(entry.Options, cancellationToken);
        }
        catch
        {
            wire.Dispose();
            throw;
        }
        _wires[entry.Name] = wire;
        _problems.TryRemove(entry.Name, out _);
        Announce(entry);
    }

    private void Announce(ReplicatedEntry entry)
    {
        var replicas = string.Join(
            ", ",
            entry.Options.Replicas.Select(replica => replica.Name is null ? replica.Url.ToString() : $"{replica.Name} {replica.Url}")
        );
        Log.Replicating(_logger, entry.Name, entry.Options.Path, replicas);
        if (DirectoryCheck.WhyNotWritable(entry.Options.Path) is { } problem)
        {
            _problems[entry.Name] = $"{entry.Name}: {problem}";
            Log.Notice(_logger, $"{entry.Name}: {problem}");
        }
    }

    private LitestreamPluginConfig WithCredentials(LitestreamPluginConfig config) =>
        _credentials is null
            ? config
            : config.With(_credentials, _stores).Showing(_credentials.Current, config.Redactor.Plus(_laterSecrets));

    private void Use(LitestreamPluginConfig config)
    {
        _config = config;
        _log.Use(config.Redactor);
    }

    /// <summary>Called before new credentials are used, from the task that reads them.</summary>
    private void Hide(StoreCredentials credentials)
    {
        string?[] secrets = [credentials.AccessKeyId, credentials.SecretAccessKey, credentials.SessionToken];
        _laterSecrets = [.. _laterSecrets.Concat(secrets.OfType<string>()).TakeLast(30)];
        Use(_config.Showing(credentials, _config.Redactor.Plus(_laterSecrets)));
    }

    private async Task StopEngineAsync(LitestreamStore store)
    {
        Log.Stopping(_logger);
        try
        {
            if (await store.StopAsync(CancellationToken.None))
                Log.Stopped(_logger);
            else
                Log.StoppedIncomplete(_logger, Left(store.Databases));
        }
        catch (LitestreamException e)
        {
            Log.StopFailed(_logger, e);
        }
        finally
        {
            State = "stopped";
            await store.DisposeAsync();
        }
    }

    private static string Left(IReadOnlyList<DatabaseStatus> databases) =>
        string.Join(
            ", ",
            databases.SelectMany(database =>
                database
                    .Replicas.Where(replica => replica.Txid < database.Txid || replica.PendingTransactions > 0)
                    .Select(replica =>
                        $"{replica.Name} of {Path.GetFileName(database.Path)} is at {replica.Txid}, the database at {database.Txid}"
                    )
            )
        );

    /// <summary>What connects one database of the host with the engine.</summary>
    private sealed class Wire : IDisposable
    {
        private readonly Database _database;
        private readonly LitestreamStore _store;

        public Wire(Database database, string path, LitestreamStore store)
        {
            _database = database;
            _store = store;
            Path = path;
            database.Committed += Notify;
            database.SetAutoCheckpoint(0);
        }

        public string Path { get; }

        public void Dispose()
        {
            _database.Committed -= Notify;
            _database.SetAutoCheckpoint(null);
        }

        private void Notify(Database database) => _store.NotifyCommit(Path);
    }
}
