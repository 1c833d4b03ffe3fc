namespace Litestream.Cli.Configuration;

/// <summary>The type of a key's value.</summary>
internal enum ConfigKind
{
    Text,
    Duration,
    PositiveDuration,
    NotNegativeDuration,
    Bool,
    Int,
    PositiveInt,
    Bytes,
    Octal,
    TextList,
    LogLevel,
    LogType,
    HttpUrl,

    /// <summary>A group of keys.</summary>
    Group,

    /// <summary>A list of groups of keys.</summary>
    Groups,

    /// <summary>A replica: a group of keys, or a URL.</summary>
    Replica,

    /// <summary>A list of replicas.</summary>
    Replicas,
}

/// <summary>What a key does in this version.</summary>
internal enum ConfigEffect
{
    /// <summary>What its name says.</summary>
    Now,

    /// <summary>Nothing yet; a warning says so.</summary>
    Later,

    /// <summary>Nothing any more; a warning says why.</summary>
    None,

    /// <summary>Something else than in Litestream 0.3; a warning says what.</summary>
    Mapped,
}

/// <summary>One known key.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">Type of its value.</param>
/// <param name="Effect">What it does here.</param>
/// <param name="Note">Completes the warning; null when there is none.</param>
/// <param name="Section">The keys inside, for groups.</param>
internal sealed record ConfigKey(
    string Name,
    ConfigKind Kind = ConfigKind.Text,
    ConfigEffect Effect = ConfigEffect.Now,
    string? Note = null,
    ConfigSection? Section = null
);

/// <summary>The keys that may stand in one group.</summary>
internal sealed class ConfigSection(string label, params IEnumerable<ConfigKey> keys)
{
    private readonly Dictionary<string, ConfigKey> _keys = keys.ToDictionary(k => k.Name, StringComparer.Ordinal);

    /// <summary>Where it stands, for people.</summary>
    public string Label => label;

    public IEnumerable<string> Names => _keys.Keys;

    public IEnumerable<ConfigKey> Keys => _keys.Values;

    public ConfigKey? Find(string name) => _keys.GetValueOrDefault(name);
}

/// <summary>Every key of Litestream 0.5 and 0.3, and ours.</summary>
internal static class ConfigSchema
{
    private const ConfigEffect Later = ConfigEffect.Later;
    private const ConfigEffect None = ConfigEffect.None;

    private static readonly ConfigSection s_age = new(
        "age",
        new("identities", ConfigKind.TextList),
        new ConfigKey("recipients", ConfigKind.TextList)
    );

    private static readonly ConfigSection s_snapshot = new(
        "snapshot",
        new("interval", ConfigKind.PositiveDuration),
        new ConfigKey("retention", ConfigKind.PositiveDuration)
    );

    // Replica settings that may also stand at the top, as defaults for all replicas.
    private static readonly ConfigKey[] s_replicaSettings =
    [
        new("sync-interval", ConfigKind.PositiveDuration),
        new("validation-interval", ConfigKind.Duration, Later, "replicas are not validated on a schedule"),
        new("max-sync-ltx-files", ConfigKind.Int, None, "uploads are not made in batches of files"),
        new("auto-recover", ConfigKind.Bool, None, "damaged local files are always replaced by a new snapshot"),
        new("access-key-id"),
        new("secret-access-key"),
        new("session-token"),
        new("region"),
        new("bucket"),
        new("endpoint"),
        new("force-path-style", ConfigKind.Bool),
        new("sign-payload", ConfigKind.Bool),
        new("require-content-md5", ConfigKind.Bool),
        new("skip-verify", ConfigKind.Bool),
        new("storage-class"),
        new("part-size", ConfigKind.Bytes),
        new("concurrency", ConfigKind.PositiveInt),
        new("sse-customer-algorithm"),
        new("sse-customer-key"),
        new("sse-customer-key-path"),
        new("sse-customer-key-md5"),
        new("sse-kms-key-id"),
        new("account-name"),
        new("account-key"),
        new("sas-token"),
        new("host"),
        new("user"),
        new("password"),
        new("key-path"),
        new("host-key"),
        new("concurrent-writes", ConfigKind.Bool),
        new("webdav-url"),
        new("webdav-username"),
        new("webdav-password"),
        new("jwt"),
        new("seed"),
        new("creds"),
        new("nkey"),
        new("username"),
        new("token"),
        new("tls", ConfigKind.Bool),
        new("root-cas", ConfigKind.TextList),
        new("client-cert"),
        new("client-key"),
        new("max-reconnects", ConfigKind.Int),
        new("reconnect-wait", ConfigKind.Duration),
        new("timeout", ConfigKind.Duration),
        new("age", ConfigKind.Group, Section: s_age),
    ];

    /// <summary>A replica.</summary>
    public static ConfigSection Replica { get; } =
        new(
            "dbs[].replica",
            [
                new("type"),
                new("name"),
                new("path"),
                new("url"),
                new("retention", ConfigKind.Duration),
                new("retention-check-interval", ConfigKind.Duration, None, "what is too old is deleted when it becomes so"),
                new("snapshot-interval", ConfigKind.Duration),
                .. s_replicaSettings,
            ]
        );

    /// <summary>A database.</summary>
    public static ConfigSection Database { get; } =
        new(
            "dbs[]",
            new("path"),
            new("dir", ConfigKind.Text, Later, "no database found in a folder is replicated; name each by 'path'"),
            new("pattern"),
            new("recursive", ConfigKind.Bool),
            new("watch", ConfigKind.Bool),
            new("meta-path"),
            new("meta-dir"),
            new("snapshot", ConfigKind.Group, Section: s_snapshot),
            new("monitor-interval", ConfigKind.PositiveDuration),
            new("checkpoint-interval", ConfigKind.NotNegativeDuration),
            new("busy-timeout", ConfigKind.NotNegativeDuration),
            new("min-checkpoint-page-count", ConfigKind.PositiveInt),
            new(
                "max-checkpoint-page-count",
                ConfigKind.Int,
                ConfigEffect.Mapped,
                "no checkpoint waits for readers while nobody can write; it is one more upper limit for min-checkpoint-page-count"
            ),
            new("truncate-page-n", ConfigKind.Int),
            new("max-sync-wal-bytes", ConfigKind.Bytes),
            new("max-local-bytes", ConfigKind.Bytes),
            new("legacy-page-frames", ConfigKind.Bool),
            new("restore-if-db-not-exists", ConfigKind.Bool),
            new("replica", ConfigKind.Replica),
            new ConfigKey("replicas", ConfigKind.Replicas)
        );

    /// <summary>The top of the file.</summary>
    public static ConfigSection Top { get; } =
        new(
            "the top",
            [
                new("strict", ConfigKind.Bool),
                new("addr"),
                new("exec"),
                new("dbs", ConfigKind.Groups, Section: Database),
                new("shutdown-sync-timeout", ConfigKind.NotNegativeDuration),
                new("shutdown-sync-interval", ConfigKind.PositiveDuration),
                new(
                    "logging",
                    ConfigKind.Group,
                    Section: new(
                        "logging",
                        new("level", ConfigKind.LogLevel),
                        new("type", ConfigKind.LogType),
                        new("stderr", ConfigKind.Bool),
                        new ConfigKey("source", ConfigKind.Bool, None, "log lines name no source files")
                    )
                ),
                new("mcp-addr", ConfigKind.Text, Later, "no MCP server is started"),
                new(
                    "socket",
                    ConfigKind.Group,
                    Later,
                    "no control socket is opened",
                    new("socket", new("enabled", ConfigKind.Bool), new("path"), new ConfigKey("permissions", ConfigKind.Octal))
                ),
                new("levels", ConfigKind.Groups, Section: new("levels[]", new ConfigKey("interval", ConfigKind.PositiveDuration))),
                new("snapshot", ConfigKind.Group, Section: s_snapshot),
                new("l0-retention", ConfigKind.NotNegativeDuration),
                new("l0-retention-check-interval", ConfigKind.PositiveDuration),
                new("verify-compaction", ConfigKind.Bool),
                new("retention", ConfigKind.Group, Section: new("retention", new ConfigKey("enabled", ConfigKind.Bool))),
                new(
                    "validation",
                    ConfigKind.Group,
                    Later,
                    "replicas are not validated on a schedule",
                    new("validation", new ConfigKey("interval", ConfigKind.NotNegativeDuration))
                ),
                new("heartbeat-url", ConfigKind.HttpUrl, Later, "no heartbeat is sent"),
                new("heartbeat-interval", ConfigKind.Duration, Later, "no heartbeat is sent"),
                .. s_replicaSettings,
            ]
        );

    /// <summary>Every section in which this key is known, but for one.</summary>
    public static IEnumerable<string> Elsewhere(string key, ConfigSection except) =>
        new[] { Top, Database, Replica }.Where(s => s != except && s.Find(key) is not null).Select(s => s.Label);
}
