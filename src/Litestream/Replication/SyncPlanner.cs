using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>Decides between nothing, incremental and full. Pure: V1–V9 of the replication specification, with the rule of the held lock.</summary>
internal static class SyncPlanner
{
    /// <summary>Decides.</summary>
    /// <param name="position">How far was copied; null when nothing was.</param>
    /// <param name="end">SQLite's own end of the WAL now.</param>
    /// <param name="held">Our read lock has stood without a break since <paramref name="position"/>.</param>
    /// <param name="tailIsOurs">Asked only when it matters: the frame that ends at the position is still there and holds what was copied.</param>
    internal static SyncPlan Plan(SyncPosition? position, WalIndexHeader end, bool held, Func<bool> tailIsOurs)
    {
        if (position is null) // V1
            return new SyncPlan.Full(FullReason.FirstSync);
        if (position.PageSize != end.PageSize)
            return new SyncPlan.Full(FullReason.PageSizeChanged);
        var frame = position.EndFrame;
        if (frame < 0)
            return new SyncPlan.Full(FullReason.WalOverwritten);
        if (position.Salt != end.Salt)
        {
            // V3, V5, V6, V9: a restart. While our reader stands it can happen only once, and only after everything was copied; otherwise
            // nothing is known, since two restarts look like one.
            if (!held)
                return new SyncPlan.Full(FullReason.WalRestartedUnwatched);
            return end.LastFrame == 0 ? new SyncPlan.Nothing() : new SyncPlan.Incremental(0);
        }
        // A WAL without salts was never written; between two of these anything may have happened.
        if (!held && end.Salt.IsNone)
            return new SyncPlan.Full(FullReason.WalRestartedUnwatched);
        if (end.LastFrame < frame) // V4, and frames of a writer that died before publishing them
            return new SyncPlan.Full(FullReason.WalShrank);
        if (!held && frame > 0 && !tailIsOurs()) // V7
            return new SyncPlan.Full(FullReason.WalOverwritten);
        return end.LastFrame == frame ? new SyncPlan.Nothing() : new SyncPlan.Incremental(frame); // V8
    }
}
