using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>What one of several replicas of a database can give.</summary>
/// <param name="Index">Its place among the replicas that were asked, from 0.</param>
/// <param name="Plan">The state it can give; null when it cannot.</param>
/// <param name="Failure">Why it cannot; null when it can.</param>
public sealed record ReplicaOffer(int Index, RestorePlan? Plan, LitestreamException? Failure);

/// <summary>Which of several replicas of one database to restore from.</summary>
public static class ReplicaChoice
{
    /// <summary>Asks all replicas at once and puts the one first that reaches furthest; among equals the one that was named first.</summary>
    /// <param name="clients">The replicas; they stay the caller's.</param>
    /// <param name="target">The state that is wanted.</param>
    /// <param name="time">The clock of the pauses between two tries.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>First those that can serve, best first; then the others, as named.</returns>
    public static async Task<IReadOnlyList<ReplicaOffer>> RankAsync(
        IReadOnlyList<ReplicaClient> clients,
        RestoreTarget target,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(clients);
        var offers = await Task.WhenAll(clients.Select((client, index) => AskAsync(client, index, target, time, cancellationToken)))
            .ConfigureAwait(false);
        return Rank(offers);
    }

    /// <summary>Decides the order. Pure.</summary>
    internal static IReadOnlyList<ReplicaOffer> Rank(IReadOnlyList<ReplicaOffer> offers)
    {
        var able = offers.Where(o => o.Plan is not null).ToList();
        // Transactions are numbered alike on all replicas of a database. A state of Litestream 0.3 has no number; then the time must do.
        var ranked = able.Exists(o => o.Plan!.Txid.IsNone)
            ? able.OrderByDescending(o => o.Plan!.Timestamp)
            : able.OrderByDescending(o => o.Plan!.Txid.Value);
        return [.. ranked.ThenBy(o => o.Index), .. offers.Where(o => o.Plan is null)];
    }

    /// <summary>
    /// The failure to tell when no replica could serve. That there is no backup is said only when every replica says so: one that cannot be reached may
    /// hold one.
    /// </summary>
    internal static LitestreamException Worst(IReadOnlyList<LitestreamException> failures) =>
        failures.FirstOrDefault(f => f.Error != LitestreamError.NotFound) ?? failures[0];

    /// <summary>True when another replica may do what this one could not.</summary>
    internal static bool OthersMayHelp(LitestreamException failure) =>
        failure.Error is not (LitestreamError.OutputExists or LitestreamError.DiskFull or LitestreamError.LocalStorage);

    private static async Task<ReplicaOffer> AskAsync(
        ReplicaClient client,
        int index,
        RestoreTarget target,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var plan = await StoreRetries
                .RunAsync(() => RestorePlanner.PlanAsync(client, target, cancellationToken), time, cancellationToken)
                .ConfigureAwait(false);
            return new ReplicaOffer(index, plan, null);
        }
        catch (LitestreamException e) when (!cancellationToken.IsCancellationRequested)
        {
            return new ReplicaOffer(index, null, e);
        }
    }
}
