using Litestream.Diagnostics;

namespace Litestream.Restore;

/// <summary>A follower's status as gauges.</summary>
internal static class FollowMetrics
{
    public static IReadOnlyList<MetricSample> Of(FollowStatus status, DateTimeOffset now)
    {
        MetricSample Gauge(string name, string help, double value) =>
            new($"litestream_follow_{name}", "gauge", help, [("db", status.Path)], value);
        return
        [
            Gauge("txid", "Transaction that the followed file holds.", status.Txid.Value),
            Gauge("replica_txid", "Newest transaction seen in the replica.", status.ReplicaTxid.Value),
            Gauge("lag_transactions", "Transactions in the replica that are not in the file.", status.LagTransactions),
            Gauge("lag_seconds", "Age of the oldest file in the replica that is not applied.", status.Lag.TotalSeconds),
            Gauge(
                "failing",
                "1 while it cannot go on: replica unreachable, transactions missing, file damaged.",
                status.State == FollowState.Failing ? 1 : 0
            ),
            Gauge(
                "missing_transactions",
                "Transactions that are missing in the replica.",
                status is { MissingFrom: { } from, MissingTo: { } to } ? to.Value - from.Value + 1 : 0
            ),
            Gauge(
                "last_look_age_seconds",
                "Time since the replica was last reached; -1: not yet.",
                status.LastLook is { } look ? (now - look).TotalSeconds : -1
            ),
        ];
    }
}
