using Litestream.Diagnostics;
using Litestream.Replication;

namespace Litestream;

/// <summary>The metrics that say whether all is well, beside Litestream's own names: lag, blockers, alarms, failures.</summary>
internal static class HealthSamples
{
    internal static void AddDatabase(List<MetricSample> samples, DatabaseStatus status, DatabaseMetrics counters)
    {
        void Add(string name, string type, string help, double value, params (string, string)[] labels) =>
            samples.Add(new MetricSample(name, type, help, [("db", status.Path), .. labels], value));

        Add("litestream_healthy", "gauge", "1 while commits are being copied; 0 while that fails or waits.", IsWell(status.State) ? 1 : 0);
        Add("litestream_alarms", "gauge", "Things that need a person's eye though replication goes on.", status.Alarms.Count);
        Add("litestream_uncopied_wal_bytes", "gauge", "Bytes of the WAL that are in no local LTX file yet.", status.UncopiedBytes);
        Add(
            "litestream_blocked_wal_bytes",
            "gauge",
            "Bytes of WAL that another program's transaction holds.",
            status.Blocker?.WalBytes ?? 0
        );
        Add(
            "litestream_blocked_seconds_total",
            "counter",
            "Seconds in which another program kept checkpoints from finishing.",
            counters.BlockedSeconds
        );
        Add(
            "litestream_checkpoint_page_mismatch_count",
            "counter",
            "Pages that a checkpoint has lost or spoilt, found by samples.",
            counters.PageMismatches
        );
        foreach (var replica in status.Replicas)
            Add(
                "litestream_replica_upload_error_count",
                "counter",
                "Uploads that failed.",
                counters.UploadErrors(replica.Name),
                ("name", replica.Name)
            );
    }

    internal static void AddReplica(List<MetricSample> samples, string database, ReplicaStatus replica, DateTimeOffset now)
    {
        void Add(string name, string help, double value) =>
            samples.Add(new MetricSample(name, "gauge", help, [("db", database), ("name", replica.Name)], value));

        Add("litestream_replica_healthy", "1 while uploads go well; 0 while they fail or are fenced.", IsWell(replica.State) ? 1 : 0);
        Add(
            "litestream_replica_snapshot_timestamp_seconds",
            "Time of the state that the newest snapshot holds; 0: none is known.",
            replica.LastSnapshot?.ToUnixTimeMilliseconds() / 1000.0 ?? 0
        );
        Add(
            "litestream_replica_lag_seconds",
            "Age of the oldest commit that the replica has not confirmed, those in the WAL included.",
            replica.Lag(now).TotalSeconds
        );
    }

    private static bool IsWell(ReplicationState state) => state is ReplicationState.Current or ReplicationState.CatchingUp;
}
