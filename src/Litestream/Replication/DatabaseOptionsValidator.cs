using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>Refuses settings that can never work. Pure.</summary>
internal static class DatabaseOptionsValidator
{
    internal static DatabaseOptions Validate(DatabaseOptions options)
    {
        Require(
            options.MonitorInterval is null || options.MonitorInterval > TimeSpan.Zero,
            options,
            "monitor-interval must be greater than 0",
            options.MonitorInterval
        );
        Require(options.CheckpointInterval >= TimeSpan.Zero, options, "checkpoint-interval must be 0 or more", options.CheckpointInterval);
        Require(options.BusyTimeout >= TimeSpan.Zero, options, "busy-timeout must be 0 or more", options.BusyTimeout);
        Require(
            options.MinCheckpointPageCount is null or > 0,
            options,
            "min-checkpoint-page-count must be greater than 0",
            options.MinCheckpointPageCount
        );
        Require(
            options.MaxCheckpointPageCount is null or >= 0,
            options,
            "max-checkpoint-page-count must be 0 or more",
            options.MaxCheckpointPageCount
        );
        Require(options.MaxSyncWalBytes > 0, options, "max-sync-wal-bytes must be greater than 0", options.MaxSyncWalBytes);
        Require(options.MaxLocalBytes > 0, options, "the limit of local bytes must be greater than 0", options.MaxLocalBytes);
        foreach (var replica in options.Replicas)
            ValidateReplica(options, replica);
        var twice = options.Replicas.GroupBy(r => r.Url.ToString(), StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        Require(twice is null, options, "two replicas have the same destination", twice?.Key);
        var name = options
            .Replicas.Select(r => r.Name)
            .OfType<string>()
            .GroupBy(n => n, StringComparer.Ordinal)
            .FirstOrDefault(g => g.Count() > 1);
        Require(name is null, options, "two replicas have the same name", name?.Key);
        return options;
    }

    private static void ValidateReplica(DatabaseOptions options, ReplicaOptions replica)
    {
        Require(replica.SyncInterval > TimeSpan.Zero, options, "sync-interval must be greater than 0", replica.SyncInterval);
        Require(replica.CompactionIntervals.Count <= 8, options, "there are 8 levels at most", replica.CompactionIntervals.Count);
        foreach (var interval in replica.CompactionIntervals)
            Require(interval > TimeSpan.Zero, options, "the interval of a level must be greater than 0", interval);
        Require(replica.SnapshotInterval > TimeSpan.Zero, options, "snapshot.interval must be greater than 0", replica.SnapshotInterval);
        Require(replica.SnapshotRetention > TimeSpan.Zero, options, "snapshot.retention must be greater than 0", replica.SnapshotRetention);
        Require(replica.L0Retention >= TimeSpan.Zero, options, "l0-retention must be 0 or more", replica.L0Retention);
        Require(
            replica.L0RetentionCheckInterval > TimeSpan.Zero,
            options,
            "l0-retention-check-interval must be greater than 0",
            replica.L0RetentionCheckInterval
        );
    }

    /// <summary>Two databases may share neither path, metadata folder nor destination.</summary>
    internal static void RequireApart(DatabaseOptions one, DatabaseOptions other)
    {
        Require(one.Path != other.Path, other, "it is replicated already", other.Path);
        var folder = Path.GetFullPath(EngineFolder.Of(other));
        Require(Path.GetFullPath(EngineFolder.Of(one)) != folder, other, $"its metadata folder is that of {one.Path}", folder);
        var shared = one
            .Replicas.Select(r => r.Url.ToString())
            .Intersect(other.Replicas.Select(r => r.Url.ToString()), StringComparer.Ordinal);
        Require(!shared.Any(), other, $"a replica has the same destination as one of {one.Path}", string.Join(", ", shared));
    }

    private static void Require(bool condition, DatabaseOptions options, string text, object? got)
    {
        if (!condition)
            throw new LitestreamException(LitestreamError.InvalidConfiguration, $"{options.Path}: {text} (got {got})")
            {
                Path = options.Path,
            };
    }
}
