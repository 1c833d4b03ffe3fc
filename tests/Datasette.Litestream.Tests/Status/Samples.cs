using System.Text.Json.Nodes;
using Datasette.Litestream.Configuration;
using Datasette.Litestream.Status;
using Datasette.Litestream.Tests.Configuration;
using Litestream.Diagnostics;
using Litestream.Ltx;
using Litestream.Replication;

namespace Datasette.Litestream.Tests.Status;

/// <summary>States of the engine as tests want them: earthquakes with s3 and a folder, elements with a folder, geologic-time immutable.</summary>
internal static class Samples
{
    public static readonly DateTimeOffset Now = new(2026, 10, 5, 14, 32, 9, TimeSpan.Zero);

    private static MetricSample Sample(string name, double value, params (string, string)[] labels) =>
        new(name, "counter", "", labels, value);

    public static LitestreamPluginConfig Config(string? metrics = ":9090") =>
        new ConfigSetup
        {
            TopLevel = new JsonObject
            {
                ["access-key-id"] = "AKIAIOSFODNN7EXAMPLE",
                ["secret-access-key"] = "wJalrXUtnFEMI",
                ["all-replicate"] = new JsonArray("file:///mnt/copy/$DB_NAME"),
                ["metrics-addr"] = metrics,
            }.ToJsonString(),
        }
            .Database("earthquakes", """{"replicas": ["s3://quake-archive/earthquakes"]}""")
            .Database("elements")
            .Database("geologic-time", mutable: false)
            .Read();

    public static ReplicaStatus Replica(string name, string location, string kind, ulong txid) =>
        new()
        {
            Name = name,
            Location = location,
            Kind = kind,
            State = ReplicationState.Current,
            Since = Now.AddHours(-3),
            Txid = new Txid(txid),
            LastUpload = Now.AddSeconds(-2),
            LastCurrent = Now.AddSeconds(-2),
        };

    public static DatabaseStatus Earthquakes { get; } =
        new()
        {
            Path = "/data/earthquakes.db",
            State = ReplicationState.Current,
            Since = Now.AddHours(-3),
            Txid = new Txid(47738),
            TxidTime = Now.AddSeconds(-2),
            DatabaseBytes = 214958080,
            WalBytes = 4161232,
            LastSync = Now.AddSeconds(-2),
            Replicas =
            [
                Replica("s3", "s3://quake-archive/earthquakes", "s3", 47738),
                Replica("t0", "/mnt/copy/earthquakes", "file", 47738),
            ],
        };

    public static DatabaseStatus Elements { get; } =
        new()
        {
            Path = "/data/elements.db",
            State = ReplicationState.Current,
            Since = Now.AddHours(-3),
            Txid = new Txid(311),
            TxidTime = Now.AddMinutes(-191),
            DatabaseBytes = 1269760,
            WalBytes = 32992,
            LastSync = Now.AddSeconds(-1),
            Replicas = [Replica("t0", "/mnt/copy/elements", "file", 311) with { LastUpload = Now.AddMinutes(-191) }],
        };

    /// <summary>s3 refuses since 14:03:40, the folder is catching up.</summary>
    public static DatabaseStatus Failing { get; } =
        Earthquakes with
        {
            Replicas =
            [
                Earthquakes.Replicas[0] with
                {
                    State = ReplicationState.Failing,
                    Cause = "The store answered 403 ExpiredToken",
                    Since = Now.AddSeconds(-1709),
                    Txid = new Txid(47707),
                    LastUpload = Now.AddSeconds(-1738),
                    PendingBytes = 131072,
                    PendingTransactions = 31,
                    OldestPending = Now.AddSeconds(-1736),
                    Failures = 8,
                    NextRetry = Now.AddSeconds(38),
                },
                Earthquakes.Replicas[1] with
                {
                    State = ReplicationState.CatchingUp,
                    Txid = new Txid(47710),
                    LastUpload = Now.AddSeconds(-1),
                    PendingBytes = 19293798,
                    PendingTransactions = 28,
                    OldestPending = Now.AddSeconds(-1700),
                },
            ],
        };

    public static IReadOnlyList<MetricSample> Metrics { get; } =
    [
        Sample("litestream_db_size", 214958080, ("db", "/data/earthquakes.db")),
        Sample("litestream_db_size", 1269760, ("db", "/data/elements.db")),
        Sample("litestream_db_size", 1, ("db", "/gone.db")),
        Sample("litestream_sync_seconds", 41.903, ("db", "/data/earthquakes.db")),
        Sample("litestream_checkpoint_count", 9, ("db", "/data/earthquakes.db"), ("mode", "TRUNCATE")),
        Sample("litestream_replica_validation_total", 0, ("db", "/data/earthquakes.db"), ("name", "s3")),
        Sample("litestream_replica_operation_total", 1764, ("operation", "PUT"), ("replica_type", "s3")),
        Sample("litestream_replica_operation_bytes", 18402117, ("operation", "PUT"), ("replica_type", "s3")),
        Sample("go_goroutines", 12),
    ];

    public const string LogText = """
        2026-10-05T14:31:06.802Z INFO  stored db=earthquakes replica=s3 level=0 txid=47737 bytes=4096 ms=41
        2026-10-05T14:32:07.047Z INFO  stored db=earthquakes replica=s3 <b>&amp; wJalrXUtnFEMI
        """;

    public static StatusPage Page(IReadOnlyList<DatabaseStatus> statuses, string? metricsAddress = ":9090", string log = LogText) =>
        new StatusPageBuilder
        {
            Config = Config(metricsAddress),
            Host =
            [
                new("earthquakes", "/earthquakes", "#a55a7b"),
                new("elements", "/elements", "#6a7f24"),
                new("geologic-time", "/geologic-time", "#6be6fa"),
            ],
            Statuses = statuses,
            Metrics = Metrics,
            Log = log,
            Now = Now,
            ProcessId = 4127,
            Threads = 14,
        }.Build();
}
