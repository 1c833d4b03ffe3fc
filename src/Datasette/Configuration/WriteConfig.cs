using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>
/// How writes are limited and confirmed: the block <c>writes</c> at the top of the configuration, and the key <c>durability</c> of a database.
/// </summary>
/// <remarks>Keys of this host alone; they are no settings, whose list is that of the original. Immutable.</remarks>
public sealed record WriteConfig
{
    private static readonly string[] Keys = ["time_limit_ms", "lock_timeout_ms", "max_queued", "replication_timeout_ms"];

    private IReadOnlySet<string> _demanding = new HashSet<string>();

    /// <summary>Key <c>time_limit_ms</c>: longest time that one write may spend inside SQLite. Default 10,000.</summary>
    public TimeSpan TimeLimit { get; private init; } = TimeSpan.FromSeconds(10);

    /// <summary>Key <c>lock_timeout_ms</c>: how long a write waits for a lock that another program holds, before 503. Default 10,000.</summary>
    public TimeSpan LockTimeout { get; private init; } = TimeSpan.FromSeconds(10);

    /// <summary>Key <c>max_queued</c>: writes of one database that may wait for their turn, before 503. Default 1,000.</summary>
    public int MaxQueued { get; private init; } = 1000;

    /// <summary>Key <c>replication_timeout_ms</c>: how long an answer waits at most for a replica, before 202. Default 10,000.</summary>
    public TimeSpan ReplicationTimeout { get; private init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether every write to a database must be confirmed by a replica: key <c>durability</c> of its block is <c>replicated</c>.</summary>
    public bool IsReplicationDemanded(string database) => _demanding.Contains(database);

    /// <summary>Reads both.</summary>
    /// <exception cref="StartupException">A key or value is not known; names it and where it stands.</exception>
    public static WriteConfig Parse(DatasetteConfig config)
    {
        var block = config.Root["writes"] switch
        {
            null => [],
            JsonObject map => map,
            _ => throw Wrong(config, ["writes"], "'writes' must be a block of keys"),
        };
        foreach (var (key, _) in block)
        {
            if (!Keys.Contains(key))
            {
                throw Wrong(config, ["writes", key], $"'{key}' is no key of 'writes'; there are {string.Join(", ", Keys)}");
            }
        }

        var defaults = new WriteConfig();
        int Number(string key, int standard) =>
            block[key] is not { } node ? standard
            : node is JsonValue value && value.TryGetValue<int>(out var number) && number > 0 ? number
            : throw Wrong(config, ["writes", key], $"'{key}' must be a whole number above 0");
        TimeSpan Time(string key, TimeSpan standard) => TimeSpan.FromMilliseconds(Number(key, (int)standard.TotalMilliseconds));
        return new WriteConfig
        {
            TimeLimit = Time("time_limit_ms", defaults.TimeLimit),
            LockTimeout = Time("lock_timeout_ms", defaults.LockTimeout),
            MaxQueued = Number("max_queued", defaults.MaxQueued),
            ReplicationTimeout = Time("replication_timeout_ms", defaults.ReplicationTimeout),
            _demanding = Demanding(config),
        };
    }

    private static HashSet<string> Demanding(DatasetteConfig config)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, block) in config.Root["databases"] as JsonObject ?? [])
        {
            if ((block as JsonObject)?["durability"] is not { } durability)
            {
                continue;
            }

            var word = durability is JsonValue value && value.TryGetValue<string>(out var text) ? text : "";
            if (word is not ("committed" or "replicated"))
            {
                throw Wrong(config, ["databases", name, "durability"], $"'durability' of {name} must be committed or replicated");
            }

            if (word == "replicated")
            {
                found.Add(name);
            }
        }

        return found;
    }

    private static StartupException Wrong(DatasetteConfig config, string[] path, string message) =>
        new(config.Locate(path) is { } place ? $"{place}: {message}." : $"{message}.");
}
