using Datasette.Litestream.Configuration;
using Litestream.Diagnostics;
using Litestream.Replication;

namespace Datasette.Litestream.Status;

/// <summary>A database of the host, as far as the status page links to it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Href">Its page.</param>
/// <param name="Color">Its colour, <c>#rrggbb</c>.</param>
internal sealed record HostDatabase(string Name, string Href, string? Color);

/// <summary>From what is known to what is shown. Pure.</summary>
internal sealed record StatusPageBuilder
{
    /// <summary>The configuration in force.</summary>
    public required LitestreamPluginConfig Config { get; init; }

    /// <summary>The host's databases, in attach order.</summary>
    public required IReadOnlyList<HostDatabase> Host { get; init; }

    /// <summary>The engine's view.</summary>
    public required IReadOnlyList<DatabaseStatus> Statuses { get; init; }

    /// <summary>What is odd, besides the configuration's own notices.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    /// <summary>The engine's counters.</summary>
    public IReadOnlyList<MetricSample> Metrics { get; init; } = [];

    /// <summary>The engine's log.</summary>
    public required string Log { get; init; }

    /// <summary>The moment.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>The host's process id.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Threads of the process.</summary>
    public int Threads { get; init; }

    /// <summary><c>alive</c>, <c>stopped</c> or <c>failed</c>.</summary>
    public string ProcessState { get; init; } = "alive";

    /// <summary>Puts <c>base_url</c> in front.</summary>
    public Func<string, string> UrlPath { get; init; } = static path => path;

    private const string OlderData =
        "This place also holds a backup made by Litestream 0.3 (generations/). It is left as it is; new data goes beside it in the newer format, and both can be restored.";

    /// <summary>Builds the page.</summary>
    public StatusPage Build()
    {
        var byPath = Statuses.ToDictionary(status => status.Path, StringComparer.Ordinal);
        return new StatusPage
        {
            AsOf = Now,
            ProcessId = ProcessId,
            ProcessState = ProcessState,
            Verdict = VerdictOf(Config, Statuses, Now),
            Loss = VerdictPolicy.Lost(Pairs(Config, Statuses)),
            Databases = [.. Lines(byPath)],
            Notices = [.. Config.Notices.Concat(Notices).Select(Config.Redactor.Text).Distinct()],
            Config = Config.ShownText(),
            Log = Config.Redactor.Text(Log),
            HasMetricsEndpoint = Config.MetricsAddress is not null,
            Metrics = MetricTables.From(Metrics, [.. Config.Databases.Select(Label)]),
            EngineTasks = Statuses.Sum(status => 1 + status.Replicas.Count),
            Threads = Threads,
            Href = UrlPath("/-/litestream-status"),
            JsonHref = UrlPath("/-/litestream-status.json"),
        };
    }

    /// <summary>Whether the data is safe.</summary>
    public static Verdict VerdictOf(LitestreamPluginConfig config, IReadOnlyList<DatabaseStatus> statuses, DateTimeOffset now) =>
        VerdictPolicy.Decide(Pairs(config, statuses), [.. config.Skipped.Select(entry => entry.Name)], now);

    private static List<(string Name, DatabaseStatus? Status)> Pairs(
        LitestreamPluginConfig config,
        IReadOnlyList<DatabaseStatus> statuses
    ) => [.. config.Databases.Select(entry => (entry.Name, statuses.FirstOrDefault(status => status.Path == entry.Options.Path)))];

    private static KeyValuePair<string, string> Label(ReplicatedEntry entry) => new(entry.Options.Path, entry.Name);

    /// <summary>In attach order; what the host no longer has comes last.</summary>
    private IEnumerable<DatabaseLine> Lines(Dictionary<string, DatabaseStatus> byPath)
    {
        var order = Host.Select((database, index) => (database.Name, index))
            .ToDictionary(pair => pair.Name, pair => pair.index, StringComparer.Ordinal);
        return Config
            .Databases.Select(entry => Line(entry, byPath.GetValueOrDefault(entry.Options.Path)))
            .Concat(Config.Skipped.Select(entry => Named(entry.Name) with { NotReplicated = entry.Reason }))
            .OrderBy(line => order.GetValueOrDefault(line.Name, int.MaxValue));
    }

    private DatabaseLine Named(string name)
    {
        var host = Host.FirstOrDefault(database => database.Name == name);
        return new DatabaseLine
        {
            Name = name,
            Href = host?.Href,
            Color = host?.Color,
        };
    }

    private DatabaseLine Line(ReplicatedEntry entry, DatabaseStatus? status)
    {
        var line = Named(entry.Name);
        if (entry.Options.Replicas.Count == 0)
            return line with { NotReplicated = "no replica configured, not replicated" };
        if (status is null)
            return line with { NotReplicated = "not being replicated: see the log" };
        var (word, tone) = StatusWords.Of(status.State);
        return line with
        {
            Word = word,
            Tone = tone,
            Cause = status.State is ReplicationState.Current or ReplicationState.CatchingUp ? null : Redact(status.Cause),
            Since = status.Since,
            DatabaseBytes = status.DatabaseBytes,
            WalBytes = status.WalBytes,
            Txid = status.Txid.Value == 0 ? null : status.Txid.ToString(),
            TxidTime = status.TxidTime,
            LastSync = status.LastSync,
            Replicas = [.. status.Replicas.Select(Line)],
        };
    }

    private ReplicaLine Line(ReplicaStatus replica)
    {
        var (word, tone) = StatusWords.Of(replica.State);
        return new ReplicaLine
        {
            Name = replica.Name,
            Location = Config.Redactor.Text(replica.Location),
            Kind = replica.Kind,
            Word = word,
            Tone = tone,
            Txid = replica.Txid.Value == 0 ? null : replica.Txid.ToString(),
            LastUpload = replica.LastUpload,
            PendingBytes = replica.PendingBytes,
            PendingTransactions = replica.PendingTransactions,
            Lag = replica.OldestPending is { } oldest && oldest < Now ? Now - oldest : TimeSpan.Zero,
            Since = replica.Since,
            Cause = Redact(replica.Cause),
            Failures = replica.Failures,
            NextRetry = replica.NextRetry,
            Remark = replica.HoldsGenerations ? OlderData : null,
        };
    }

    private string? Redact(string? text) => text is null ? null : Config.Redactor.Text(text);
}
