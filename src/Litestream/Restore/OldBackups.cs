using Litestream.Replicas;
using Litestream.Restore.V3;

namespace Litestream.Restore;

/// <summary>
/// Backups of Litestream 0.3 beside LTX files. After an upgrade or a rollback they can hold the state that was asked for: the layout whose state is the
/// newest counts, where 0.5 gives the older one until its first snapshot exists, without a word.
/// </summary>
internal static class OldBackups
{
    /// <summary>A plan for an old backup alone: the target names what only those have, or there is nothing else.</summary>
    /// <exception cref="LitestreamException">As <see cref="V3Planner.Plan"/>.</exception>
    public static async Task<RestorePlan> PlanAsync(ReplicaClient client, RestoreTarget target, CancellationToken cancellationToken)
    {
        if (target.Txid is not null)
            throw new LitestreamException(
                LitestreamError.InvalidConfiguration,
                "a generation and an index name states of Litestream 0.3, a transaction one of 0.5: restore to one of them"
            );
        return Wrap(V3Planner.Plan(await V3Backup.ListAsync(client.Store, cancellationToken).ConfigureAwait(false), target));
    }

    /// <summary>The plan for the old backups when their newest object up to the target's moment is newer than <paramref name="plan"/>; else that plan.</summary>
    public static async Task<RestorePlan> NewerAsync(
        ReplicaClient client,
        RestorePlan plan,
        RestoreTarget target,
        CancellationToken cancellationToken
    )
    {
        var backup = await V3Backup.ListAsync(client.Store, cancellationToken).ConfigureAwait(false);
        if (Newest(backup, target.Timestamp) is not { } newest || newest <= plan.Timestamp)
            return plan;
        try
        {
            return Wrap(V3Planner.Plan(backup, target));
        }
        catch (LitestreamException exception)
        {
            throw new LitestreamException(
                exception.Error,
                $"the newest state is in a backup of Litestream 0.3: {exception.Message}",
                exception
            )
            {
                Hint = $"the newest state in LTX files: -txid {plan.Txid} ({RestorePlan.Format(plan.Timestamp)})",
            };
        }
    }

    /// <summary>The plan for the old backups when there are any; null when there are none.</summary>
    public static async Task<RestorePlan?> AnyAsync(ReplicaClient client, RestoreTarget target, CancellationToken cancellationToken)
    {
        var backup = await V3Backup.ListAsync(client.Store, cancellationToken).ConfigureAwait(false);
        return backup.IsEmpty ? null : Wrap(V3Planner.Plan(backup, target));
    }

    private static RestorePlan Wrap(V3Plan plan) => new([], default, plan.Timestamp) { OldBackup = plan };

    /// <summary>Time of the newest object, of those not after a moment; null when there are none.</summary>
    private static DateTimeOffset? Newest(V3Backup backup, DateTimeOffset? notAfter) =>
        backup
            .Generations.SelectMany(g => g.Snapshots.Select(s => s.Timestamp).Concat(g.Segments.Select(s => s.Timestamp)))
            .Where(time => !(time > notAfter))
            .Select(time => (DateTimeOffset?)time)
            .Max();
}
