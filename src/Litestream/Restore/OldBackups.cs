using System.Text.RegularExpressions;
using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>
/// Backups of Litestream 0.3 beside LTX files: they are not read, but must not be forgotten either. After an upgrade or a rollback they can hold the state
/// that was asked for, and to give an older one, or to say that there is no backup, would be wrong without a word.
/// </summary>
internal static partial class OldBackups
{
    /// <summary>Fails when old backups up to the target's moment are newer than the plan.</summary>
    public static async Task ThrowIfNewerAsync(
        ReplicaClient client,
        RestorePlan plan,
        RestoreTarget target,
        CancellationToken cancellationToken
    )
    {
        if (await NewestAsync(client, target.Timestamp, cancellationToken).ConfigureAwait(false) is { } newest && newest > plan.Timestamp)
            throw new LitestreamException(
                LitestreamError.InvalidConfiguration,
                $"the replica's newest state is of {RestorePlan.Format(newest)}, in backups of Litestream 0.3 (generations/), which this version does not restore"
            )
            {
                Hint =
                    $"restore it with Litestream 0.3 or 0.5; the newest state in LTX files is transaction {plan.Txid} of {RestorePlan.Format(plan.Timestamp)}",
            };
    }

    /// <summary>Fails when there are old backups up to the target's moment.</summary>
    public static async Task ThrowIfAnyAsync(
        ReplicaClient client,
        RestoreTarget target,
        Exception cause,
        CancellationToken cancellationToken
    )
    {
        if (await NewestAsync(client, target.Timestamp, cancellationToken).ConfigureAwait(false) is not null)
            throw new LitestreamException(
                LitestreamError.InvalidConfiguration,
                "the replica holds this state only as backups of Litestream 0.3 (generations/), which this version does not restore",
                cause
            )
            {
                Hint = "restore it with Litestream 0.3 or 0.5",
            };
    }

    /// <summary>Time of the newest snapshot or WAL segment, of those not after a moment; null when there are none.</summary>
    private static async Task<DateTimeOffset?> NewestAsync(
        ReplicaClient client,
        DateTimeOffset? notAfter,
        CancellationToken cancellationToken
    )
    {
        DateTimeOffset? newest = null;
        await foreach (var stored in client.Store.ListAsync("generations/", null, cancellationToken).ConfigureAwait(false))
        {
            if (!KeyOfOldBackup().IsMatch(stored.Key) || stored.LastModified > notAfter)
                continue;
            if (newest is null || stored.LastModified > newest)
                newest = stored.LastModified;
        }
        return newest;
    }

    [GeneratedRegex(@"^generations/[0-9a-f]{16}/(snapshots/[0-9a-f]{8}\.snapshot|wal/[0-9a-f]{8}_[0-9a-f]{8}\.wal)\.lz4$")]
    private static partial Regex KeyOfOldBackup();
}
