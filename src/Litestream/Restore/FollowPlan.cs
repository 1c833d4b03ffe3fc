using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>What brings a followed file forward. Immutable.</summary>
/// <param name="Files">To be applied in this order; empty when there is nothing, or nothing that fits.</param>
/// <param name="Newest">The newest transaction among the files looked at; none when there was no file.</param>
/// <param name="OldestPending">Time of the oldest file that is not applied; null when there is none.</param>
/// <param name="MissingFrom">First transaction that is in no file though later ones are; null without a gap.</param>
/// <param name="MissingTo">Last one of them.</param>
internal sealed record FollowPlan(
    IReadOnlyList<LtxFileInfo> Files,
    Txid Newest,
    DateTimeOffset? OldestPending,
    Txid? MissingFrom,
    Txid? MissingTo
)
{
    /// <summary>True when files beyond <see cref="Files"/> cannot be reached.</summary>
    public bool HasGap => MissingFrom is not null;

    /// <summary>Decides from a listing. Pure. A snapshot is taken only where no increments lead on.</summary>
    /// <param name="files">All files, or only those of level 0 from the next transaction on.</param>
    /// <param name="txid">The state of the followed file.</param>
    public static FollowPlan Make(IReadOnlyCollection<LtxFileInfo> files, Txid txid)
    {
        var usable = files.Where(RestorePlanner.IsUsable).ToList();
        var pending = usable.Where(f => f.MaxTxid > txid).ToList();
        var newest = usable.Count == 0 ? Txid.None : new Txid(usable.Max(f => f.MaxTxid.Value));
        var chain = RestorePlanner.Chain(pending, txid);
        var reach = chain.Count == 0 ? txid : chain[^1].MaxTxid;
        var snapshot = pending.Where(f => f.Level == LtxFileInfo.SnapshotLevel && f.MaxTxid > reach).MaxBy(f => f.MaxTxid.Value);
        if (snapshot is not null)
        {
            chain = [snapshot, .. RestorePlanner.Chain(pending, snapshot.MaxTxid)];
            reach = chain[^1].MaxTxid;
        }
        var beyond = pending.Where(f => f.MaxTxid > reach).MinBy(f => f.MinTxid.Value);
        return new FollowPlan(
            chain,
            newest,
            pending.Count == 0 ? null : pending.Min(f => f.Timestamp),
            beyond is null ? null : reach.Next(),
            beyond?.MinTxid.Previous()
        );
    }

    /// <summary>The whole newest state, whatever the followed file holds.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Gap"/>: there is none without a hole.</exception>
    public static FollowPlan StartOver(IReadOnlyList<LtxFileInfo> files)
    {
        var plan = RestorePlanner.Plan(files, RestoreTarget.Latest);
        return new FollowPlan(plan.Files, plan.Txid, plan.Files[0].Timestamp, null, null);
    }
}
