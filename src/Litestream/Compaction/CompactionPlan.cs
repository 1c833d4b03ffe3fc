using Litestream.Ltx;

namespace Litestream.Compaction;

/// <summary>What to merge next into a level. Pure: the same listing gives the same plan.</summary>
internal static class CompactionPlan
{
    /// <summary>Files merged into one at most.</summary>
    internal const int MaxFiles = 256;

    /// <summary>The next unbroken run of files that a level lacks, oldest first; empty when it has everything.</summary>
    /// <param name="sources">The level below, ascending.</param>
    /// <param name="destination">The level.</param>
    /// <param name="snapshots">Level 9, ascending.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Gap"/>: transactions are missing, and no snapshot leads over the hole.</exception>
    internal static IReadOnlyList<LtxFileInfo> Next(
        IReadOnlyList<LtxFileInfo> sources,
        IReadOnlyList<LtxFileInfo> destination,
        IReadOnlyList<LtxFileInfo> snapshots
    )
    {
        var reach = destination.Count == 0 ? Txid.None : destination.Max(f => f.MaxTxid);
        var pending = sources.Where(f => f.MaxTxid > reach).ToList();
        if (destination.Count == 0)
            LeaveOutWholeCopies(pending, snapshots);
        // The file that goes up with a snapshot changes nothing: alone it is not worth a file.
        while (pending.Count > 0 && IsAloneAfterSnapshot(pending, snapshots))
            pending.RemoveAt(0);
        if (pending.Count == 0)
            return [];
        if (pending[0].MinTxid.Previous() > reach && !snapshots.Any(s => s.MaxTxid >= pending[0].MinTxid.Previous()))
            throw Gap(reach, pending[0]);
        var run = new List<LtxFileInfo> { pending[0] };
        foreach (var file in pending.Skip(1))
        {
            if (file.MaxTxid <= run[^1].MaxTxid)
                continue; // contained in what is there
            if (file.MinTxid.Previous() > run[^1].MaxTxid || run.Count == MaxFiles)
                break;
            run.Add(file);
        }
        return run;
    }

    /// <summary>
    /// A level does not begin with a whole copy of the database when a snapshot has it already. The oldest snapshot is taken, so that as many
    /// transactions as possible stay apart.
    /// </summary>
    private static void LeaveOutWholeCopies(List<LtxFileInfo> pending, IReadOnlyList<LtxFileInfo> snapshots)
    {
        if (pending.Count == 0 || pending[0].MinTxid != Txid.First)
            return;
        var whole = pending[0];
        var snapshot = snapshots.Where(s => s.MaxTxid >= whole.MaxTxid).MinBy(s => s.MaxTxid);
        if (snapshot is not null)
            pending.RemoveAll(f => f.MaxTxid <= snapshot.MaxTxid);
    }

    private static bool IsAloneAfterSnapshot(List<LtxFileInfo> pending, IReadOnlyList<LtxFileInfo> snapshots)
    {
        var file = pending[0];
        return file.MinTxid == file.MaxTxid
            && snapshots.Any(s => s.MaxTxid == file.MaxTxid)
            && (pending.Count == 1 || pending[1].MinTxid.Previous() > file.MaxTxid);
    }

    private static LitestreamException Gap(Txid reach, LtxFileInfo next) =>
        new(
            LitestreamError.Gap,
            $"transactions {reach.Next()} to {next.MinTxid.Previous()} are missing before {next.FileName} of level {next.Level}"
        )
        {
            Level = next.Level,
            MinTxid = reach.Next(),
            MaxTxid = next.MinTxid.Previous(),
        };
}
