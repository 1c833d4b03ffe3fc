using Litestream.Cli.Logging;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Commands;

/// <summary><c>litestream restore -f</c>: keeps a database at the newest state of a replica until a signal comes.</summary>
/// <param name="services">What comes from outside.</param>
/// <param name="log">The command's own lines.</param>
/// <param name="engineLog">Where the engine warns.</param>
internal sealed class FollowRunner(CliServices services, ILogger log, ILogger engineLog)
{
    // With a replica that fails for so many intervals another one is tried.
    private const int Patience = 30;

    private static readonly TimeSpan s_reportInterval = TimeSpan.FromMinutes(1);

    /// <summary>Follows.</summary>
    /// <param name="replicas">In the order in which they are tried; at least one.</param>
    /// <param name="options">What to follow into.</param>
    /// <param name="restored">Told of the first restore, when there was one.</param>
    /// <param name="cancellationToken">Ends it cleanly.</param>
    /// <exception cref="LitestreamException">No replica could be followed, or somebody else changed the file.</exception>
    public async Task RunAsync(
        IReadOnlyList<ReplicaOptions> replicas,
        FollowOptions options,
        Action<ReplicaOptions, RestoreResult> restored,
        CancellationToken cancellationToken
    )
    {
        replicas = await OrderAsync(replicas, cancellationToken).ConfigureAwait(false);
        for (var (at, started) = (0, false); !cancellationToken.IsCancellationRequested; at = (at + 1) % replicas.Count)
        {
            var replica = replicas[at];
            try
            {
                ReplicaConfig.CheckAvailable(replica, services.Stores);
                var client = services.Stores.Open(replica);
                await using var closing = client.ConfigureAwait(false);
                var follower = new DatabaseFollower(client, options, services.Files, services.Time, engineLog);
                await using var closingFollower = follower.ConfigureAwait(false);
                if (await follower.StartAsync(cancellationToken).ConfigureAwait(false) is { } result)
                    restored(replica, result);
                started = true;
                log.Info(
                    "entering follow mode",
                    ("replica", replica.Url.Scheme),
                    ("output", follower.Status.Path),
                    ("txid", follower.Status.Txid),
                    ("interval", GoDuration.Format(options.Interval))
                );
                await FollowAsync(follower, replicas.Count > 1, options.Interval, cancellationToken).ConfigureAwait(false);
            }
            catch (LitestreamException e) when (e.Error is not (LitestreamError.OutputExists or LitestreamError.Conflict))
            {
                // A start that fails with the last replica has failed; a switch of replicas goes on trying.
                if (!started && at == replicas.Count - 1)
                    throw;
                log.Warn("replica cannot be followed", ("replica", replica.Url.ToString()), ("error", e.Message));
                if (started)
                    await Task.Delay(options.Interval, services.Time, cancellationToken)
                        .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>The replica that reaches furthest first.</summary>
    private async Task<IReadOnlyList<ReplicaOptions>> OrderAsync(
        IReadOnlyList<ReplicaOptions> replicas,
        CancellationToken cancellationToken
    )
    {
        if (replicas.Count == 1)
            return replicas;
        var opened = new OpenReplicas(replicas, services);
        await using var closing = opened.ConfigureAwait(false);
        var offers = await opened.RankAsync(RestoreTarget.Latest, cancellationToken).ConfigureAwait(false);
        return [.. offers.Select(o => o.Replica)];
    }

    /// <summary>Follows one replica until a signal, or until it has failed for long and there are others.</summary>
    private async Task FollowAsync(DatabaseFollower follower, bool hasOthers, TimeSpan interval, CancellationToken cancellationToken)
    {
        var told = (State: FollowState.Starting, follower.Status.Txid, At: services.Time.GetUtcNow());
        try
        {
            while (true)
            {
                var due = await follower.StepAsync(cancellationToken).ConfigureAwait(false);
                var (status, now) = (follower.Status, services.Time.GetUtcNow());
                // Failures are told by the engine, in its own words.
                var news = status.State == FollowState.Current && told.State != FollowState.Current;
                if (news || (now - told.At >= s_reportInterval && status.Txid != told.Txid))
                {
                    Report(status);
                    told = (status.State, status.Txid, now);
                }
                else if (status.State == FollowState.Failing)
                    told = told with { State = FollowState.Failing };
                if (hasOthers && status.State == FollowState.Failing && now - status.Since >= interval * Patience)
                {
                    log.Warn("trying another replica", ("txid", status.Txid), ("cause", status.Cause));
                    return;
                }
                await Task.Delay(due > now ? due - now : interval, services.Time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            log.Info("follow mode stopped", ("output", follower.Status.Path), ("txid", follower.Status.Txid));
        }
    }

    private void Report(FollowStatus status) =>
        log.Info(
            "following",
            ("txid", status.Txid),
            ("lag_transactions", status.LagTransactions),
            ("lag", GoDuration.Format(TimeSpan.FromMilliseconds((long)status.Lag.TotalMilliseconds)))
        );
}
