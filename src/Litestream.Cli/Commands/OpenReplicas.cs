using Litestream.Replicas;
using Litestream.Restore;

namespace Litestream.Cli.Commands;

/// <summary>What one of several configured replicas can give.</summary>
/// <param name="Replica">As configured.</param>
/// <param name="Client">Its client; null when it could not be opened.</param>
/// <param name="Plan">The state it can give; null when it cannot.</param>
/// <param name="Failure">Why it cannot; null when it can.</param>
internal sealed record Offer(ReplicaOptions Replica, ReplicaClient? Client, RestorePlan? Plan, Exception? Failure);

/// <summary>The replicas of a database, opened side by side. Those that cannot be opened are kept with the reason.</summary>
internal sealed class OpenReplicas : IAsyncDisposable
{
    private readonly CliServices _services;
    private readonly List<(ReplicaOptions Replica, ReplicaClient Client)> _open = [];
    private readonly List<Offer> _closed = [];

    public OpenReplicas(IReadOnlyList<ReplicaOptions> replicas, CliServices services)
    {
        _services = services;
        foreach (var replica in replicas)
        {
            try
            {
                ReplicaConfig.CheckAvailable(replica, services.Stores);
                _open.Add((replica, services.Stores.Open(replica)));
            }
            catch (Exception e) when (e is CliException or LitestreamException)
            {
                _closed.Add(new Offer(replica, null, null, e));
            }
        }
    }

    /// <summary>Asks all of them; first those that can serve, the one that reaches furthest at the top.</summary>
    public async Task<IReadOnlyList<Offer>> RankAsync(RestoreTarget target, CancellationToken cancellationToken)
    {
        var offers = await ReplicaChoice
            .RankAsync([.. _open.Select(o => o.Client)], target, _services.Time, cancellationToken)
            .ConfigureAwait(false);
        return [.. offers.Select(o => new Offer(_open[o.Index].Replica, _open[o.Index].Client, o.Plan, o.Failure)), .. _closed];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, client) in _open)
            await client.DisposeAsync().ConfigureAwait(false);
    }
}
