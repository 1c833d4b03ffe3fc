namespace Litestream.Replicas;

/// <summary>One destination of one database.</summary>
public sealed record ReplicaOptions
{
    /// <summary>Name in messages and on pages; default: the URL's scheme, numbered when several replicas share it.</summary>
    public string? Name { get; init; }

    /// <summary>Where it is. Parse text with <see cref="ReplicaUrl.Parse"/>.</summary>
    public required ReplicaUrl Url { get; init; }

    /// <summary>
    /// Settings of the backend by their name in Litestream's configuration file (<c>access-key-id</c>, <c>endpoint</c>, <c>region</c>,
    /// <c>force-path-style</c>, ...). They win over the URL's query and the environment.
    /// </summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Credentials that may change while the replica is in use; they win over those of <see cref="Settings"/>. Null: <see cref="Settings"/> and the environment.</summary>
    public StoreCredentialSource? Credentials { get; init; }

    /// <summary>Least time between two uploads while commits keep coming. The first commit after silence ships at once. Default 1 s.</summary>
    public TimeSpan SyncInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Intervals of the levels 1, 2, ... (at most 8), each greater than 0: how often their files are merged from the level below.</summary>
    public IReadOnlyList<TimeSpan> CompactionIntervals { get; init; } = DefaultCompactionIntervals;

    /// <summary>30 s, 5 min and 1 h, as Litestream has them.</summary>
    public static IReadOnlyList<TimeSpan> DefaultCompactionIntervals { get; } =
    [TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(5), TimeSpan.FromHours(1)];

    /// <summary>Time between two snapshots of a database that is written. Default 24 h.</summary>
    public TimeSpan SnapshotInterval { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How far back restores are promised: every point of this time stays restorable, what only older ones need is deleted. Default 24 h.</summary>
    public TimeSpan SnapshotRetention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long the single files of level 0 stay after they were merged into level 1. Default 5 min; zero: for ever.</summary>
    public TimeSpan L0Retention { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Least time between two deletions. Default 15 s.</summary>
    public TimeSpan L0RetentionCheckInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>False: nothing is ever deleted from the replica; rules of the bucket do that, and know nothing of what restores need. Default true.</summary>
    public bool DeletesOldFiles { get; init; } = true;

    /// <summary>Check after each merge that the files of the level follow one another. Default false.</summary>
    public bool VerifyCompaction { get; init; }
}
