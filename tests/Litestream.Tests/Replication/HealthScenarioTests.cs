using System.Diagnostics.Metrics;
using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Testing;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>What status, health check and metrics say, against what really is (INV7).</summary>
public sealed class HealthScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "E14")]
    public async Task E14_Status_TellsTheLagInTransactionsBytesAndSeconds_CommitsInTheWalIncluded()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        await circle.SyncAsync();
        var replica = circle.Status.Replicas[0];
        Assert.Equal((ReplicationState.Current, circle.Status.Txid, 0L), (replica.State, replica.Txid, replica.PendingTransactions));
        Assert.Equal(TimeSpan.Zero, replica.Lag(circle.Time.GetUtcNow()));
        Assert.Equal(circle.Status.TxidTime, replica.LastSnapshot);
        Assert.Equal(
            circle.Status.TxidTime!.Value.ToUnixTimeMilliseconds() / 1000.0,
            Sample(circle, "litestream_replica_snapshot_timestamp_seconds")
        );
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        for (var i = 0; i < 3; i++)
        {
            circle.Write(1, 3000);
            await circle.StepAsync(10);
        }
        replica = circle.Status.Replicas[0];
        Assert.Equal(ReplicationState.Failing, replica.State);
        Assert.Equal(3, replica.PendingTransactions);
        Assert.True(replica.PendingBytes > 9000);
        Assert.InRange(replica.Lag(circle.Time.GetUtcNow()).TotalSeconds, 20, 21);
        Assert.NotNull(replica.NextRetry);
        Assert.Contains("simulated failure", replica.Cause, StringComparison.Ordinal);
        Assert.Equal(3, Sample(circle, "litestream_replica_lag_transactions"));
        Assert.InRange(Sample(circle, "litestream_replica_lag_seconds"), 20, 21);
        Assert.True(Sample(circle, "litestream_replica_upload_error_count") >= 1);
        Assert.Equal((1, 0), (Sample(circle, "litestream_healthy"), Sample(circle, "litestream_replica_healthy")));
        bucket.Fault = null;
        await circle.SyncAsync();
        Assert.Equal((0, 1), (Sample(circle, "litestream_replica_lag_seconds"), Sample(circle, "litestream_replica_healthy")));
    }

    [Fact]
    public async Task CommitThatIsOnlyInTheWal_CountsAsLag_AndNoReplicaIsCalledCurrent()
    {
        await using var circle = new Circle(o => o with { MonitorInterval = TimeSpan.FromSeconds(30) });
        await circle.StartAsync();
        await circle.SyncAsync();
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
        circle.Write(4, 4000);
        await circle.StepAsync(1); // it is seen, and its time to be copied has not come
        Assert.Equal((ReplicationState.CatchingUp, ReplicationState.CatchingUp), (circle.Status.State, circle.Status.Replicas[0].State));
        Assert.True(circle.Status.UncopiedBytes > 16_000, $"{circle.Status.UncopiedBytes}");
        circle.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.InRange(Sample(circle, "litestream_replica_lag_seconds"), 5, 7);
        await circle.StepAsync(40);
        await circle.StepAsync(1);
        Assert.Equal((0, 0), (Sample(circle, "litestream_replica_lag_seconds"), Sample(circle, "litestream_uncopied_wal_bytes")));
        Assert.Equal(ReplicationState.Current, circle.Status.Replicas[0].State);
    }

    [Fact]
    public async Task HealthCheck_SaysWhatTheStatusSays()
    {
        var bucket = new MemoryObjectStore();
        await using var circle = Memory(bucket);
        await circle.StartAsync();
        var check = new LitestreamHealthCheck(circle.Store, circle.Time);
        Assert.Equal(HealthStatus.Degraded, (await CheckAsync(check)).Status); // starting: nothing is known
        await circle.SyncAsync();
        var healthy = await CheckAsync(check);
        Assert.Equal(HealthStatus.Healthy, healthy.Status);
        Assert.Equal($"Current, {circle.Status.Txid}", healthy.Data[circle.Path]);
        Assert.StartsWith(
            $"Current, {circle.Status.Txid}, 0.0 s behind",
            (string)healthy.Data[circle.Path + " one"],
            StringComparison.Ordinal
        );
        bucket.Fault = call => call.Operation == "PUT" ? StoreFault.Unavailable() : null;
        circle.Write();
        await circle.StepAsync(5);
        var failing = await CheckAsync(check);
        Assert.Equal(HealthStatus.Unhealthy, failing.Status);
        Assert.Contains("replica one: ", failing.Description, StringComparison.Ordinal);
        var degraded = await check.CheckHealthAsync(
            new HealthCheckContext { Registration = new HealthCheckRegistration("x", check, HealthStatus.Degraded, null) },
            Token
        );
        Assert.Equal(HealthStatus.Degraded, degraded.Status);
        bucket.Fault = null;
        await circle.SyncAsync();
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(check)).Status);
    }

    [Fact]
    public async Task HealthCheck_LongLag_IsDegraded_AndABuilderMakesItKnown()
    {
        await using var circle = new Circle(o => o with { MonitorInterval = TimeSpan.FromMinutes(5) });
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write();
        await circle.StepAsync(1);
        var check = new LitestreamHealthCheck(circle.Store, circle.Time);
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(check)).Status);
        circle.Time.Advance(TimeSpan.FromSeconds(90));
        var late = await CheckAsync(check);
        Assert.Equal(HealthStatus.Degraded, late.Status);
        Assert.Contains("90 s behind", late.Description, StringComparison.Ordinal);
        await using var services = new ServiceCollection()
            .AddLitestream(l => l.AddDatabase(circle.Folder.Combine("none.db"), circle.Folder.Combine("r")))
            .BuildServiceProvider();
        var built = await CheckAsync(services.GetRequiredService<LitestreamHealthCheck>());
        Assert.Equal(HealthStatus.Healthy, built.Status); // nothing was started, so nothing is replicated: no database is claimed to be
        Assert.Empty(built.Data);
    }

    [Fact]
    public async Task Meter_ShowsTheNumbersOfThePrometheusText_AndTheSeriesOfARemovedDatabaseEnd()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.SyncAsync();
        circle.Write(5);
        await circle.SyncAsync();
        Assert.Equal(circle.Txid, Observe(circle.Path)["litestream_txid"]);
        var observed = Observe(circle.Path);
        foreach (var sample in circle.Store.Metrics.Samples().Where(s => s.Labels.Contains(("db", circle.Path)) && s.Labels.Count == 1))
            Assert.Equal((sample.Name, sample.Value), (sample.Name, observed[sample.Name]));
        var names = circle.Store.Metrics.Samples().Select(s => s.Name).Distinct();
        Assert.Empty(names.Except(LitestreamMetrics.Names.Select(n => n.Name)));
        await circle.Store.RemoveDatabaseAsync(circle.Path, Token);
        circle.Time.Advance(TimeSpan.FromSeconds(1)); // another collection
        Assert.Empty(Observe(circle.Path));
        Assert.DoesNotContain(circle.Store.Metrics.Samples(), s => s.Labels.Contains(("db", circle.Path)));
    }

    [Fact]
    public async Task Names_AreThoseOfTheSpecification()
    {
        var missing = new[]
        {
            "db_size",
            "wal_size",
            "total_wal_bytes",
            "txid",
            "sync_count",
            "sync_error_count",
            "sync_seconds",
            "disk_full",
            "checkpoint_count",
            "checkpoint_error_count",
            "checkpoint_seconds",
            "replica_operation_total",
            "replica_operation_bytes",
            "replica_operation_duration_seconds",
            "replica_operation_errors_total",
            "replica_txid",
            "replica_lag_seconds",
            "replica_last_upload_timestamp_seconds",
            "replica_upload_error_count",
        }
            .Select(n => "litestream_" + n)
            .Except(LitestreamMetrics.Names.Select(n => n.Name));
        Assert.Empty(missing);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task B35_DatabaseReplacedAgainAndAgain_AlarmsAndWaits_AndThenHasTheLastOne()
    {
        await using var circle = new Circle();
        await circle.StartAsync();
        await circle.SyncAsync(); // the first full file
        for (var i = 0; i < 2; i++)
            await ReplaceAsync(circle, i);
        Assert.Equal((3, ReplicationState.Current), (circle.Status.FullFiles, circle.Status.State));
        Assert.Empty(circle.Status.Alarms);
        var txid = circle.Txid;
        await ReplaceAsync(circle, 2);
        Assert.Equal((3, ReplicationState.Failing), (circle.Status.FullFiles, circle.Status.State));
        Assert.Equal(txid, circle.Txid);
        Assert.Contains("3 files with the whole database within 10 minutes", Assert.Single(circle.Status.Alarms), StringComparison.Ordinal);
        Assert.Contains(nameof(FullReason.DatabaseReplaced), circle.Status.Cause, StringComparison.Ordinal);
        Assert.Equal(1, Sample(circle, "litestream_alarms"));
        Assert.NotNull(circle.Status.NextRetry);
        Assert.True(circle.Status.Replicas[0].Lag(circle.Time.GetUtcNow()) > TimeSpan.Zero);
        // The WAL is kept meanwhile: commits, and checkpoints of others, change nothing.
        circle.App.Execute("INSERT INTO u VALUES('meanwhile')");
        circle.App.Scalar("PRAGMA wal_checkpoint(TRUNCATE)");
        await circle.StepAsync(31);
        await circle.StepAsync(2);
        Assert.Equal((4, ReplicationState.Current), (circle.Status.FullFiles, circle.Status.State));
        await circle.RequireRestorableAsync();
        // Whoever asks for a sync gets it, without a wait.
        await ReplaceAsync(circle, 3);
        Assert.Equal(ReplicationState.Failing, circle.Status.State);
        await circle.RequireRestorableAsync();
        Assert.Equal(5, circle.Status.FullFiles);
        Assert.Equal(5, Sample(circle, "litestream_full_file_count"));
    }

    private static async Task ReplaceAsync(Circle circle, int number)
    {
        circle.App.Dispose();
        var other = circle.Folder.Combine($"other{number}.db");
        using (var connection = TestDatabase.Open(other))
            connection.Execute($"PRAGMA journal_mode=wal; CREATE TABLE u(a); INSERT INTO u VALUES({number})");
        File.Delete(circle.Path + "-wal");
        File.Delete(circle.Path + "-shm");
        File.Move(other, circle.Path, overwrite: true);
        circle.Reconnect();
        await circle.StepAsync(15);
    }

    private static Circle Memory(MemoryObjectStore bucket) =>
        new(o => o with { Replicas = [new ReplicaOptions { Name = "one", Url = ReplicaUrl.Parse("mem://one/") }] })
        {
            Stores = new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], _ => bucket)),
        };

    private static Task<HealthCheckResult> CheckAsync(LitestreamHealthCheck check) =>
        check.CheckHealthAsync(new HealthCheckContext(), Token);

    /// <summary>What a listener of the platform's meters sees of one database, series with only that label.</summary>
    private static Dictionary<string, double> Observe(string database)
    {
        var seen = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == "Litestream")
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>(
            (instrument, value, tags, _) =>
            {
                if (tags.Length == 1 && tags[0] is { Key: "db", Value: string path } && path == database)
                    seen[instrument.Name] = value;
            }
        );
        listener.Start();
        listener.RecordObservableInstruments();
        return seen;
    }

    private static double Sample(Circle circle, string name) => circle.Store.Metrics.Samples().Where(s => s.Name == name).Sum(s => s.Value);
}
