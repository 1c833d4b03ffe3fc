using System.Globalization;
using Litestream.Diagnostics;
using Litestream.Replication;

namespace Litestream;

/// <summary>Counters of the engine under Litestream's metric names, and Prometheus' text form of them.</summary>
/// <remarks>Safe from any thread.</remarks>
public sealed class LitestreamMetrics
{
    private readonly EngineCounters _counters;
    private readonly Func<IReadOnlyList<DatabaseStatus>> _databases;
    private readonly TimeProvider _time;

    internal LitestreamMetrics(EngineCounters counters, Func<IReadOnlyList<DatabaseStatus>> databases, TimeProvider time)
    {
        _counters = counters;
        _databases = databases;
        _time = time;
    }

    /// <summary>Every name there can be, with type and help: what one of everything would yield.</summary>
    internal static IReadOnlyList<(string Name, string Type, string Help)> Names { get; } = FindNames();

    /// <summary>Writes all metrics in Prometheus text format 0.0.4, lines ended by LF.</summary>
    public void WritePrometheus(TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var text = new PrometheusText(output);
        foreach (var sample in Samples())
            text.Write(sample);
    }

    /// <summary>All samples as they are now, those of one name together.</summary>
    public IReadOnlyList<MetricSample> Samples()
    {
        var samples = new List<MetricSample>();
        foreach (var database in _databases())
            AddDatabase(samples, database, _counters.Of(database.Path));
        foreach (var operation in _counters.Operations.Snapshot())
            AddOperation(samples, operation);
        return [.. samples.GroupBy(s => s.Name).SelectMany(g => g)];
    }

    private static List<(string, string, string)> FindNames()
    {
        var counters = new EngineCounters();
        counters.Of("").Checkpointed(true, TimeSpan.Zero);
        counters.Of("").Copied(0, "");
        counters.Operations.Record("", "", 0, TimeSpan.Zero, "");
        var replica = new ReplicaStatus
        {
            Name = "",
            Location = "",
            Kind = "",
        };
        var one = new DatabaseStatus { Path = "", Replicas = [replica] };
        return
        [
            .. new LitestreamMetrics(counters, () => [one], TimeProvider.System).Samples().Select(s => (s.Name, s.Type, s.Help)).Distinct(),
        ];
    }

    private void AddDatabase(List<MetricSample> samples, DatabaseStatus status, DatabaseMetrics counters)
    {
        void Add(string name, string type, string help, double value, params (string, string)[] labels) =>
            samples.Add(new MetricSample(name, type, help, [("db", status.Path), .. labels], value));

        Add("litestream_db_size", "gauge", "Bytes of the database file.", status.DatabaseBytes);
        Add("litestream_wal_size", "gauge", "Bytes of the WAL that are in use.", status.WalBytes);
        Add("litestream_total_wal_bytes", "counter", "WAL bytes turned into LTX files.", counters.WalBytes);
        Add("litestream_txid", "gauge", "Last transaction in the local LTX directory.", status.Txid.Value);
        Add("litestream_sync_count", "counter", "Syncs from the WAL to local LTX files.", counters.Syncs);
        Add("litestream_sync_error_count", "counter", "Syncs that failed.", counters.SyncErrors);
        Add("litestream_sync_seconds", "counter", "Seconds spent in syncs.", counters.SyncSeconds);
        Add("litestream_disk_full", "gauge", "1 while the local disk is full.", counters.IsDiskFull ? 1 : 0);
        Add("litestream_local_size", "gauge", "Bytes of LTX files kept locally.", status.LocalBytes);
        Add("litestream_compaction_count", "counter", "Merges of files into the next level.", counters.Compactions);
        Add("litestream_compaction_error_count", "counter", "Merges, snapshots and deletions that failed.", counters.CompactionErrors);
        Add(
            "litestream_compaction_verify_error_count",
            "counter",
            "Levels found out of order, and damaged files.",
            counters.CompactionVerifyErrors
        );
        foreach (var (mode, count, errors, seconds) in counters.Checkpoints())
        {
            Add("litestream_checkpoint_count", "counter", "Checkpoint cycles.", count, ("mode", mode));
            Add("litestream_checkpoint_error_count", "counter", "Checkpoint cycles that could not finish.", errors, ("mode", mode));
            Add("litestream_checkpoint_seconds", "counter", "Seconds spent in checkpoint cycles.", seconds, ("mode", mode));
        }
        foreach (var (reason, count) in counters.FullFiles())
            Add("litestream_full_file_count", "counter", "Files that hold the whole database, by reason.", count, ("reason", reason));
        HealthSamples.AddDatabase(samples, status, counters);
        foreach (var replica in status.Replicas)
        {
            (string, string) name = ("name", replica.Name);
            Add("litestream_replica_txid", "gauge", "Last transaction that the replica has confirmed.", replica.Txid.Value, name);
            Add(
                "litestream_replica_lag_transactions",
                "gauge",
                "Transactions that wait for the replica.",
                replica.PendingTransactions,
                name
            );
            Add("litestream_replica_lag_bytes", "gauge", "Bytes of LTX files that wait for the replica.", replica.PendingBytes, name);
            HealthSamples.AddReplica(samples, status.Path, replica, _time.GetUtcNow());
            foreach (
                var (state, count) in new[]
                {
                    ("eligible", replica.Level0.Eligible),
                    ("not_compacted", replica.Level0.NotCompacted),
                    ("too_recent", replica.Level0.TooRecent),
                }
            )
                Add(
                    "litestream_l0_retention_files_total",
                    "gauge",
                    "Files of level 0 by what retention does with them.",
                    count,
                    name,
                    ("status", state)
                );
            Add("litestream_replica_failures", "gauge", "Failed tries since the last success.", replica.Failures, name);
            var last = replica.LastUpload?.ToUnixTimeMilliseconds() / 1000.0 ?? 0;
            Add(
                "litestream_replica_last_upload_timestamp_seconds",
                "gauge",
                "When the replica last confirmed a file; 0: not since the start.",
                last,
                name
            );
        }
    }

    private static void AddOperation(List<MetricSample> samples, ReplicaOperationSnapshot operation)
    {
        (string, string)[] labels = [("replica_type", operation.ReplicaType), ("operation", operation.Operation)];
        void Add(string name, string type, string help, double value, params (string, string)[] more) =>
            samples.Add(new MetricSample(name, type, help, [.. labels, .. more], value));

        Add("litestream_replica_operation_total", "counter", "Operations on replicas' stores.", operation.Count);
        Add("litestream_replica_operation_bytes", "counter", "Bytes sent to or received from replicas' stores.", operation.Bytes);
        foreach (var (code, count) in operation.Errors)
            Add("litestream_replica_operation_errors_total", "counter", "Operations that failed.", count, ("code", code));
        const string duration = "litestream_replica_operation_duration_seconds";
        const string help = "Durations of operations on replicas' stores.";
        long sum = 0;
        for (var i = 0; i < operation.DurationBuckets.Count; i++)
        {
            sum += operation.DurationBuckets[i];
            var bound =
                i < ReplicaOperationMetrics.DurationBounds.Count ? ReplicaOperationMetrics.DurationBounds[i] : double.PositiveInfinity;
            var text = double.IsPositiveInfinity(bound) ? "+Inf" : bound.ToString(CultureInfo.InvariantCulture);
            samples.Add(new MetricSample(duration, "histogram", help, [.. labels, ("le", text)], sum, "_bucket"));
        }
        samples.Add(new MetricSample(duration, "histogram", help, labels, operation.DurationSum.TotalSeconds, "_sum"));
        samples.Add(new MetricSample(duration, "histogram", help, labels, operation.Count, "_count"));
    }
}
