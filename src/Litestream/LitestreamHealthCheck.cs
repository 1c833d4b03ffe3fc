using System.Globalization;
using Litestream.Replication;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Litestream;

/// <summary>
/// Whether the last commits are safe, for an app's health endpoint: <c>services.AddHealthChecks().AddCheck&lt;LitestreamHealthCheck&gt;("litestream")</c>.
/// <c>AddLitestream</c> makes it known; the data names every database and replica with state, position and lag.
/// </summary>
/// <remarks>Any thread; reads what the engine last told, so it costs nothing and never waits.</remarks>
/// <param name="store">The engine.</param>
/// <param name="time">The clock; null for the system's.</param>
public sealed class LitestreamHealthCheck(LitestreamStore store, TimeProvider? time = null) : IHealthCheck
{
    /// <summary>A lag that is worth a warning: a store that is slow, or away for a moment, has caught up by then.</summary>
    internal static readonly TimeSpan LongLag = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var now = (time ?? TimeProvider.System).GetUtcNow();
        var worst = HealthStatus.Healthy;
        var problems = new List<string>();
        var data = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var database in store.Databases)
        {
            void Report(HealthStatus status, string what)
            {
                worst = status < worst ? status : worst;
                problems.Add($"{database.Path}: {what}");
            }

            data[database.Path] = $"{database.State}, {database.Txid}";
            if (Judge(database) is { } verdict)
                Report(verdict.Status, verdict.What);
            foreach (var alarm in database.Alarms)
                Report(HealthStatus.Degraded, alarm);
            foreach (var replica in database.Replicas)
            {
                var lag = replica.Lag(now);
                data[$"{database.Path} {replica.Name}"] = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{replica.State}, {replica.Txid}, {lag.TotalSeconds:F1} s behind"
                );
                if (replica.UpkeepFailure is { } upkeep)
                    Report(HealthStatus.Degraded, $"replica {replica.Name} is not kept in order: {upkeep}");
                if (Judge(replica, lag) is { } judged)
                    Report(judged.Status, $"replica {replica.Name}: {judged.What}");
            }
        }
        // The registration says what a failure counts as.
        if (worst == HealthStatus.Unhealthy)
            worst = context?.Registration?.FailureStatus ?? worst;
        var text = problems.Count == 0 ? "every commit seen is on its way or there" : string.Join("; ", problems);
        return Task.FromResult(new HealthCheckResult(worst, text, data: data));
    }

    private static (HealthStatus Status, string What)? Judge(DatabaseStatus database) =>
        database.State switch
        {
            ReplicationState.Current or ReplicationState.CatchingUp => null,
            ReplicationState.Starting => (HealthStatus.Degraded, database.Cause ?? "not looked at yet"),
            // Commits are copied; only the WAL grows.
            ReplicationState.Blocked when database.Blocker is { Kind: not BlockerKind.Exclusive } => (
                HealthStatus.Degraded,
                database.Cause ?? "blocked"
            ),
            _ => (HealthStatus.Unhealthy, database.Cause ?? database.State.ToString()),
        };

    private static (HealthStatus Status, string What)? Judge(ReplicaStatus replica, TimeSpan lag) =>
        replica.State switch
        {
            ReplicationState.Failing or ReplicationState.Fenced or ReplicationState.Stopped => (
                HealthStatus.Unhealthy,
                replica.Cause ?? replica.State.ToString()
            ),
            ReplicationState.Starting => (HealthStatus.Degraded, "nothing is known of it yet"),
            _ when lag >= LongLag => (
                HealthStatus.Degraded,
                string.Create(CultureInfo.InvariantCulture, $"{lag.TotalSeconds:F0} s behind")
            ),
            _ => null,
        };
}
