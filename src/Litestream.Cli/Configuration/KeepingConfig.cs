using Litestream.Replicas;

namespace Litestream.Cli.Configuration;

/// <summary>How replicas are kept: levels, snapshots and retention, which stand at the top, at a database or (Litestream 0.3) at a replica.</summary>
/// <remarks>A replica's own word counts most; then that of the top, which Litestream takes for all databases; then that of the database.</remarks>
internal sealed class KeepingConfig
{
    private readonly ConfigMapping _root;
    private readonly IReadOnlyList<TimeSpan>? _levels;

    public KeepingConfig(ConfigMapping root, List<string> warnings)
    {
        _root = root;
        if (root.Find("levels")?.Value is ConfigSequence { Items.Count: > 0 } levels)
            _levels = [.. levels.Items.Select(l => ConfigReading.GetDuration((ConfigMapping)l, "interval")!.Value)];
        if (DeletesNothing)
            warnings.Add(
                "retention.enabled is false: nothing is deleted from replicas, and rules of the bucket know nothing of what restores need"
            );
    }

    private bool DeletesNothing =>
        _root.Find("retention")?.Value is ConfigMapping retention
        && ConfigReading.Get(retention, "enabled") is not null
        && !ConfigReading.GetBool(retention, "enabled");

    public ReplicaOptions Apply(ReplicaOptions replica, ConfigMapping database)
    {
        var defaults = new ReplicaOptions { Url = replica.Url };
        var snapshotInterval = Snapshot(database, "interval");
        var snapshotRetention = Snapshot(database, "retention");
        return replica with
        {
            CompactionIntervals = _levels ?? replica.CompactionIntervals,
            SnapshotInterval =
                replica.SnapshotInterval != defaults.SnapshotInterval
                    ? replica.SnapshotInterval
                    : snapshotInterval ?? replica.SnapshotInterval,
            SnapshotRetention =
                replica.SnapshotRetention != defaults.SnapshotRetention
                    ? replica.SnapshotRetention
                    : snapshotRetention ?? replica.SnapshotRetention,
            L0Retention = ConfigReading.GetDuration(_root, "l0-retention") ?? replica.L0Retention,
            L0RetentionCheckInterval = ConfigReading.GetDuration(_root, "l0-retention-check-interval") ?? replica.L0RetentionCheckInterval,
            DeletesOldFiles = replica.DeletesOldFiles && !DeletesNothing,
            VerifyCompaction = ConfigReading.GetBool(_root, "verify-compaction"),
        };
    }

    private TimeSpan? Snapshot(ConfigMapping database, string key) =>
        (_root.Find("snapshot")?.Value is ConfigMapping top ? ConfigReading.GetDuration(top, key) : null)
        ?? (database.Find("snapshot")?.Value is ConfigMapping own ? ConfigReading.GetDuration(own, key) : null);
}
