using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Compaction;

/// <summary>What may go from a replica. Pure. A promised point is every transaction within the retention, as finely as the levels keep them.</summary>
/// <param name="SnapshotRetention">How far back restores are promised.</param>
/// <param name="L0Retention">How long single transactions stay after they were merged; zero: for ever.</param>
internal sealed record RetentionPolicy(TimeSpan SnapshotRetention, TimeSpan L0Retention)
{
    /// <summary>Decides.</summary>
    /// <param name="listing">The replica's files.</param>
    /// <param name="now">A clock that does not jump ahead.</param>
    internal RetentionPlan Plan(ReplicaListing listing, DateTimeOffset now)
    {
        var delete = new List<LtxFileInfo>();
        DateTimeOffset? next = null;
        var floor = PlanSnapshots(listing.Level(LtxFileInfo.SnapshotLevel), now, delete, ref next);
        for (var level = LtxFileInfo.SnapshotLevel - 1; level > LtxFileInfo.MinLevel; level--)
        {
            // The last file stays in any case: it says how far the level has come.
            var files = listing.Level(level);
            delete.AddRange(files.Take(files.Count - 1).Where(f => f.MaxTxid <= floor));
        }
        PlanSingleTransactions(listing.Level(LtxFileInfo.MinLevel), listing.MaxOf(LtxFileInfo.MinLevel + 1), now, delete, ref next);
        return new RetentionPlan(delete, next);
    }

    /// <summary>
    /// The newest snapshot that is older than the retention carries the oldest promised points and stays; those before it go. (Litestream deletes it
    /// as well and needs a whole copy of the database in every level instead.)
    /// </summary>
    /// <returns>Its transaction: files up to it serve only points that are promised no more.</returns>
    private Txid PlanSnapshots(IReadOnlyList<LtxFileInfo> snapshots, DateTimeOffset now, List<LtxFileInfo> delete, ref DateTimeOffset? next)
    {
        var carrier = -1;
        for (var i = 0; i < snapshots.Count && snapshots[i].Timestamp + SnapshotRetention <= now; i++)
            carrier = i;
        if (carrier + 1 < snapshots.Count && carrier >= 0)
            Earlier(ref next, snapshots[carrier + 1].Timestamp + SnapshotRetention);
        else if (carrier < 0 && snapshots.Count > 1)
            Earlier(ref next, Later(snapshots[0].Timestamp, snapshots[1].Timestamp) + SnapshotRetention);
        if (carrier < 0)
            return Txid.None;
        delete.AddRange(snapshots.Take(carrier));
        return snapshots[carrier].MaxTxid;
    }

    private void PlanSingleTransactions(
        IReadOnlyList<LtxFileInfo> files,
        Txid merged,
        DateTimeOffset now,
        List<LtxFileInfo> delete,
        ref DateTimeOffset? next
    )
    {
        if (L0Retention <= TimeSpan.Zero || merged.IsNone)
            return;
        // In order, so that no hole comes about; the newest stays.
        for (var i = 0; i < files.Count - 1 && files[i].MaxTxid <= merged; i++)
        {
            var due = files[i].Timestamp + L0Retention;
            if (due > now)
            {
                Earlier(ref next, due);
                return;
            }
            delete.Add(files[i]);
        }
    }

    /// <summary>A store may tell a later time of an earlier snapshot, which arrived once more.</summary>
    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static void Earlier(ref DateTimeOffset? next, DateTimeOffset due)
    {
        if (next is null || due < next)
            next = due;
    }
}

/// <summary>What is to be deleted.</summary>
/// <param name="Delete">Files that no promised point needs.</param>
/// <param name="Next">When the next ones come of age; null: not before something is written.</param>
internal sealed record RetentionPlan(IReadOnlyList<LtxFileInfo> Delete, DateTimeOffset? Next);
