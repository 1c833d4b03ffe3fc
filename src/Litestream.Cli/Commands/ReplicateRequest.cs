using Litestream.Cli.Configuration;
using Litestream.Replicas;
using Litestream.Replication;

namespace Litestream.Cli.Commands;

/// <summary>What <c>replicate</c> is asked to do.</summary>
internal sealed record ReplicateRequest
{
    public required LitestreamOptions Options { get; init; }

    public required LogSettings Logging { get; init; }

    /// <summary>Paths of databases to restore first when they are missing.</summary>
    public required IReadOnlySet<string> RestoreIfMissing { get; init; }

    public string? MetricsAddress { get; init; }

    public string? Exec { get; init; }

    public bool Once { get; init; }

    /// <summary>With <see cref="Once"/>: write a snapshot too.</summary>
    public bool ForceSnapshot { get; init; }

    /// <summary>With <see cref="Once"/>: delete what the retention allows.</summary>
    public bool EnforceRetention { get; init; }

    /// <summary>To be logged at the start.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>A database and its replicas from the command line.</summary>
    public static ReplicateRequest FromArguments(IReadOnlyList<string> arguments, bool restoreIfMissing, ObjectStoreFactory stores)
    {
        if (arguments.Count == 1)
            throw new CliException($"must specify at least one replica URL for {arguments[0]}");
        if (ReplicaUrl.IsUrl(arguments[0]) && !arguments[0].StartsWith("sqlite", StringComparison.OrdinalIgnoreCase))
            throw new CliException($"the first argument must be the path of a database: {ReplicaUrl.Parse(arguments[0])}")
            {
                Hint = "litestream replicate /path/to/db s3://bucket/prefix",
            };
        var path = ConfigPaths.Absolute(arguments[0]);
        var replicas = arguments.Skip(1).Select(a => ReplicaConfig.FromText(a, stores)).ToArray();
        return new ReplicateRequest
        {
            Options = new LitestreamOptions { Databases = [new DatabaseOptions { Path = path, Replicas = replicas }] },
            Logging = new LogSettings(),
            RestoreIfMissing = restoreIfMissing ? new HashSet<string> { path } : new HashSet<string>(),
        };
    }

    /// <summary>All databases of the configuration file.</summary>
    public static ReplicateRequest FromConfig(LitestreamConfig config, bool restoreIfMissing, ObjectStoreFactory stores)
    {
        if (config.Databases.Count == 0)
            throw new CliException(
                $"no databases to replicate in {config.Path}{(config.Warnings.Count > 0 ? $" ({config.Warnings[0]})" : "")}"
            )
            {
                Hint = "dbs: with a path and a replica for each, or litestream replicate DB_PATH REPLICA_URL",
            };
        foreach (var replica in config.Options.Databases.SelectMany(d => d.Replicas))
            ReplicaConfig.CheckAvailable(replica, stores);
        return new ReplicateRequest
        {
            Options = config.Options,
            Logging = config.Logging,
            RestoreIfMissing = config.Databases.Where(d => restoreIfMissing || d.RestoreIfMissing).Select(d => d.Options.Path).ToHashSet(),
            MetricsAddress = config.MetricsAddress,
            Exec = config.Exec,
            Warnings = config.Warnings,
        };
    }
}
