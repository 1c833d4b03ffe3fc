namespace Datasette.Litestream.Status;

/// <summary>How good a state is. A state is always icon, word and colour.</summary>
internal enum Tone
{
    /// <summary>Neither good nor bad.</summary>
    Neutral,

    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Needs an eye.</summary>
    Warn,

    /// <summary>Data could be lost.</summary>
    Bad,
}

/// <summary>The answer to "is my data safe?". Free of secrets.</summary>
/// <param name="Tone">How good it is.</param>
/// <param name="Word">"Safe", "Safe, but", "Not safe", "Nothing replicated".</param>
/// <param name="Sentence">One sentence on why.</param>
/// <param name="Detail">What else a person should know; may be empty.</param>
internal sealed record Verdict(Tone Tone, string Word, string Sentence, string Detail);

/// <summary>What would be lost if this machine vanished now.</summary>
/// <param name="Text">"nothing", "31 transactions of earthquakes".</param>
/// <param name="Since">Time of the oldest lost transaction; null when nothing is lost or it is unknown.</param>
/// <param name="Bytes">Bytes waiting.</param>
internal sealed record Loss(string Text, DateTimeOffset? Since, long Bytes);

/// <summary>One replica in the table.</summary>
internal sealed record ReplicaLine
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its place, without secrets.</summary>
    public required string Location { get; init; }

    /// <summary>Backend: <c>file</c>, <c>s3</c>, ...</summary>
    public required string Kind { get; init; }

    /// <summary>On a disk of this machine: a copy, not a safe place.</summary>
    public bool IsLocal => Kind == "file";

    /// <summary>"in sync", "catching up", "failing", ...</summary>
    public required string Word { get; init; }

    /// <summary>How good that is.</summary>
    public required Tone Tone { get; init; }

    /// <summary>Last transaction that the store confirmed, 16 hex digits; null before the first.</summary>
    public string? Txid { get; init; }

    /// <summary>When the store confirmed the last file; null before the first since the start.</summary>
    public DateTimeOffset? LastUpload { get; init; }

    /// <summary>Bytes that wait.</summary>
    public long PendingBytes { get; init; }

    /// <summary>Transactions that wait.</summary>
    public long PendingTransactions { get; init; }

    /// <summary>Age of the oldest waiting transaction; zero when none waits.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>Since when the state is as it is.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>The last error; null when none.</summary>
    public string? Cause { get; init; }

    /// <summary>Failed tries since the last success.</summary>
    public int Failures { get; init; }

    /// <summary>When it is tried again; null when not failing.</summary>
    public DateTimeOffset? NextRetry { get; init; }

    /// <summary>What has to be said about this place besides its state, such as data of an older format; null when nothing.</summary>
    public string? Remark { get; init; }
}

/// <summary>One database in the table.</summary>
internal sealed record DatabaseLine
{
    /// <summary>Its name in the host.</summary>
    public required string Name { get; init; }

    /// <summary>Its page; null when the host no longer has it.</summary>
    public string? Href { get; init; }

    /// <summary>Its colour, <c>#rrggbb</c>; null for the page's own.</summary>
    public string? Color { get; init; }

    /// <summary>Why it is not replicated; null when it is.</summary>
    public string? NotReplicated { get; init; }

    /// <summary>How reading the source is doing, in a word; null when not replicated.</summary>
    public string? Word { get; init; }

    /// <summary>How good that is.</summary>
    public Tone Tone { get; init; }

    /// <summary>Why reading is not as it should be; null when it is.</summary>
    public string? Cause { get; init; }

    /// <summary>Since when the state is as it is.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>Bytes of the file when last looked.</summary>
    public long DatabaseBytes { get; init; }

    /// <summary>Bytes in use in the WAL when last looked.</summary>
    public long WalBytes { get; init; }

    /// <summary>Last local transaction, 16 hex digits; null before the first.</summary>
    public string? Txid { get; init; }

    /// <summary>When it was read; null before the first.</summary>
    public DateTimeOffset? TxidTime { get; init; }

    /// <summary>When the WAL was last looked at without an error; null before the first.</summary>
    public DateTimeOffset? LastSync { get; init; }

    /// <summary>Its replicas, in configured order.</summary>
    public IReadOnlyList<ReplicaLine> Replicas { get; init; } = [];
}

/// <summary>Everything that the status page and its JSON twin show. Immutable, without secrets.</summary>
internal sealed record StatusPage
{
    /// <summary>The moment of this answer.</summary>
    public required DateTimeOffset AsOf { get; init; }

    /// <summary>The host's process id.</summary>
    public required int ProcessId { get; init; }

    /// <summary><c>alive</c>, <c>stopped</c> or <c>failed</c>.</summary>
    public required string ProcessState { get; init; }

    /// <summary>Safe or not.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>What would be lost now.</summary>
    public required Loss Loss { get; init; }

    /// <summary>The databases with a file, in attach order.</summary>
    public required IReadOnlyList<DatabaseLine> Databases { get; init; }

    /// <summary>What is odd about the configuration or the destinations.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    /// <summary>The resolved configuration, redacted.</summary>
    public required string Config { get; init; }

    /// <summary>The newest part of the engine's log, redacted.</summary>
    public required string Log { get; init; }

    /// <summary>Whether a metrics endpoint is configured.</summary>
    public bool HasMetricsEndpoint { get; init; }

    /// <summary>The counters.</summary>
    public MetricTables Metrics { get; init; } = MetricTables.Empty;

    /// <summary>Tasks that the engine runs.</summary>
    public int EngineTasks { get; init; }

    /// <summary>Threads of the process.</summary>
    public int Threads { get; init; }

    /// <summary>Address of this page.</summary>
    public string Href { get; init; } = "/-/litestream-status";

    /// <summary>Address of the JSON twin.</summary>
    public string JsonHref { get; init; } = "/-/litestream-status.json";
}
