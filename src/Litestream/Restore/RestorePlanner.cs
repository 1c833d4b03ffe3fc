using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>From a wish to the list of files that fulfil it. Reads listings, changes nothing, prefers an error to an older state than was asked for.</summary>
public static class RestorePlanner
{
    /// <summary>Finds the files for a state.</summary>
    /// <param name="client">The replica; stays the caller's.</param>
    /// <param name="target">The state.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.NotFound"/>: no backup, or not that state; the hint names the nearest ones.
    /// <see cref="LitestreamError.Gap"/>: transactions before it are missing; <see cref="LitestreamException.MinTxid"/> and
    /// <see cref="LitestreamException.MaxTxid"/> name them. <see cref="LitestreamError.InvalidConfiguration"/>: a target that contradicts itself. With the
    /// newest state as target, <see cref="LitestreamError.NotFound"/> means an empty replica.
    /// </exception>
    public static async Task<RestorePlan> PlanAsync(ReplicaClient client, RestoreTarget target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(target);
        if (target is { Txid: not null, Timestamp: not null })
            throw new LitestreamException(
                LitestreamError.InvalidConfiguration,
                "restore either to a transaction or to a time, not to both"
            );
        if (target.Txid is { IsNone: true })
            throw new LitestreamException(LitestreamError.InvalidConfiguration, "there is no transaction 0");
        if (target.Generation is not null || target.Index is not null)
            return await OldBackups.PlanAsync(client, target, cancellationToken).ConfigureAwait(false);
        RestorePlan plan;
        try
        {
            plan = await PlanFilesAsync(client, target, cancellationToken).ConfigureAwait(false);
        }
        catch (LitestreamException exception) when (exception.Error == LitestreamError.NotFound && target.Txid is null)
        {
            if (await OldBackups.AnyAsync(client, target, cancellationToken).ConfigureAwait(false) is { } old)
                return old;
            throw;
        }
        return target.Txid is not null ? plan : await OldBackups.NewerAsync(client, plan, target, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>As <see cref="PlanAsync"/>, with LTX files alone.</summary>
    internal static async Task<RestorePlan> PlanFilesAsync(ReplicaClient client, RestoreTarget target, CancellationToken cancellationToken)
    {
        // Only a time needs the times of the headers; they can cost a request a file.
        var times = target.Timestamp is null ? TimestampAccuracy.Listing : TimestampAccuracy.Exact;
        var files = await ListAsync(client, times, inOrder: false, cancellationToken).ConfigureAwait(false);
        try
        {
            return Plan(files, target);
        }
        catch (LitestreamException exception) when (exception.Error == LitestreamError.Gap)
        {
            // A compaction may have moved transactions from a level not listed yet to one already listed. Upwards nothing can be missed.
            files = await ListAsync(client, times, inOrder: true, cancellationToken).ConfigureAwait(false);
            return Plan(files, target);
        }
    }

    /// <summary>Every state that can be restored, ascending.</summary>
    /// <param name="client">The replica; stays the caller's.</param>
    /// <param name="times">How exactly the times must be known.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    public static async Task<IReadOnlyList<RestorePoint>> ListPointsAsync(
        ReplicaClient client,
        TimestampAccuracy times,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(client);
        return Points(await ListAsync(client, times, inOrder: true, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>What could be restored without a file that turned out to be damaged; null when even that cannot be told.</summary>
    internal static async Task<string?> HintWithoutAsync(
        ReplicaClient client,
        LitestreamException damage,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var files = await ListAsync(client, TimestampAccuracy.Listing, inOrder: true, cancellationToken).ConfigureAwait(false);
            files.RemoveAll(f => f.Level == damage.Level && f.MinTxid == damage.MinTxid && f.MaxTxid == damage.MaxTxid);
            return $"without that file {Nearest(Points(files), damage.MaxTxid!.Value)} (-txid TRANSACTION)";
        }
        catch (LitestreamException)
        {
            return null;
        }
    }

    /// <summary>Decides. Pure: the same files and the same wish give the same plan or the same failure.</summary>
    internal static RestorePlan Plan(IReadOnlyList<LtxFileInfo> files, RestoreTarget target)
    {
        var usable = files.Where(IsUsable).ToList();
        if (files.Count == 0)
            throw new LitestreamException(LitestreamError.NotFound, "no backup: the replica holds no LTX files");
        if (usable.Count == 0)
            throw new LitestreamException(LitestreamError.Gap, "none of the replica's files starts at transaction 1");
        var allowed = usable
            .Where(f => (target.Txid is not { } txid || f.MaxTxid <= txid) && (target.Timestamp is not { } time || f.Timestamp < time))
            .ToList();
        var chain = new List<LtxFileInfo>();
        if (NewestSnapshot(allowed) is { } snapshot)
            chain.Add(snapshot);
        chain.AddRange(Chain(allowed, ReachOf(chain)));
        var reach = ReachOf(chain);
        ThrowOnHole(usable, allowed, reach);
        if (chain.Count == 0 || (target.Txid is { } wanted && wanted != reach))
            throw NotAvailable(usable, target);
        return new RestorePlan(chain, reach, chain[^1].Timestamp);
    }

    internal static IReadOnlyList<RestorePoint> Points(IReadOnlyList<LtxFileInfo> files)
    {
        var points = new List<RestorePoint>();
        foreach (var file in files.Where(IsUsable).OrderBy(f => f.MaxTxid).ThenBy(f => f.Timestamp))
        {
            if (points.Count > 0 && points[^1].Txid == file.MaxTxid)
                continue;
            // It can be applied to any point from the one before its first transaction on, and all points so far are before its last one.
            if (file.MinTxid == Txid.First || (points.Count > 0 && points[^1].Txid >= file.MinTxid.Previous()))
                points.Add(new RestorePoint(file.MaxTxid, file.Timestamp, file.SizeBytes));
        }
        return points;
    }

    // A snapshot that does not start at the first transaction cannot be one.
    internal static bool IsUsable(LtxFileInfo file) =>
        !file.MinTxid.IsNone && file.MinTxid <= file.MaxTxid && (file.Level != LtxFileInfo.SnapshotLevel || file.MinTxid == Txid.First);

    private static LtxFileInfo? NewestSnapshot(List<LtxFileInfo> files) =>
        files.Where(f => f.Level == LtxFileInfo.SnapshotLevel).MaxBy(f => f.MaxTxid.Value);

    private static Txid ReachOf(List<LtxFileInfo> chain) => chain.Count == 0 ? Txid.None : chain[^1].MaxTxid;

    /// <summary>From a state on, again and again the file that reaches furthest, as long as one follows without a hole.</summary>
    internal static List<LtxFileInfo> Chain(IEnumerable<LtxFileInfo> files, Txid reach)
    {
        var chain = new List<LtxFileInfo>();
        var candidates = files.Where(f => f.Level < LtxFileInfo.SnapshotLevel && f.MaxTxid > reach).OrderBy(f => f.MinTxid).ToList();
        LtxFileInfo? best = null;
        for (var i = 0; ; )
        {
            for (; i < candidates.Count && candidates[i].MinTxid.Value - 1 <= reach.Value; i++)
            {
                if (best is null || IsBetter(candidates[i], best))
                    best = candidates[i];
            }
            if (best is null || best.MaxTxid <= reach)
                return chain;
            chain.Add(best);
            reach = best.MaxTxid;
        }
    }

    private static bool IsBetter(LtxFileInfo file, LtxFileInfo than)
    {
        if (file.MaxTxid != than.MaxTxid)
            return file.MaxTxid > than.MaxTxid;
        if (file.MinTxid != than.MinTxid)
            return file.MinTxid < than.MinTxid;
        return file.Level != than.Level ? file.Level > than.Level : file.Timestamp < than.Timestamp;
    }

    /// <summary>
    /// Fails when wanted files lie beyond missing transactions. Transactions that are there, only in files too new for the target, are not missing:
    /// a target inside a merged file, or a clock that went back.
    /// </summary>
    private static void ThrowOnHole(List<LtxFileInfo> usable, List<LtxFileInfo> allowed, Txid reach)
    {
        var beyond = allowed.Where(f => f.MaxTxid > reach).MinBy(f => f.MinTxid.Value);
        if (beyond is null)
            return;
        var bridge = Chain(usable, reach);
        var end = bridge.Count == 0 ? reach : ReachOf(bridge);
        beyond = allowed.Where(f => f.MinTxid.Value - 1 > end.Value).MinBy(f => f.MinTxid.Value);
        if (beyond is null)
            return;
        var (first, last) = (end.Next(), beyond.MinTxid.Previous());
        var points = Points(usable);
        throw new LitestreamException(
            LitestreamError.Gap,
            $"transactions {first} to {last} are missing: the next file is {beyond.FileName} of level {beyond.Level}"
        )
        {
            MinTxid = first,
            MaxTxid = last,
            Hint = Nearest(points, first),
        };
    }

    private static LitestreamException NotAvailable(List<LtxFileInfo> usable, RestoreTarget target)
    {
        var points = Points(usable);
        if (target.Txid is { } txid)
            return new LitestreamException(LitestreamError.NotFound, $"transaction {txid} is not available")
            {
                Hint = Nearest(points, txid),
            };
        if (target.Timestamp is { } time)
            return new LitestreamException(LitestreamError.NotFound, $"no backup from before {RestorePlan.Format(time)}")
            {
                Hint = points.Count == 0 ? null : $"the oldest state is {points.MinBy(p => p.Timestamp)}",
            };
        // Unreachable files always lie beyond a hole, so this is only the last resort.
        return new LitestreamException(LitestreamError.NotFound, "no backup can be restored");
    }

    private static string Nearest(IReadOnlyList<RestorePoint> points, Txid txid)
    {
        if (points.Count == 0)
            return "nothing can be restored from this replica";
        if (points.FirstOrDefault(p => p.Txid == txid) is { Txid.IsNone: false } same)
            return $"can be restored: {same}";
        var before = points.Where(p => p.Txid < txid).Select(p => (RestorePoint?)p).LastOrDefault();
        var after = points.Where(p => p.Txid > txid).Select(p => (RestorePoint?)p).FirstOrDefault();
        return (before, after) switch
        {
            ({ } b, { } a) => $"can be restored: {b} before, {a} after it",
            ({ } b, null) => $"can be restored: {b}",
            (null, { } a) => $"can be restored: {a}",
            _ => $"can be restored: {points[0]}",
        };
    }

    /// <summary>The files of all levels. In order: level by level upwards, so that a compaction meanwhile hides nothing.</summary>
    internal static async Task<List<LtxFileInfo>> ListAsync(
        ReplicaClient client,
        TimestampAccuracy times,
        bool inOrder,
        CancellationToken cancellationToken
    )
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var files = new List<LtxFileInfo>();
        var listings = new List<Task<List<LtxFileInfo>>>();
        try
        {
            for (var level = LtxFileInfo.MinLevel; level <= LtxFileInfo.SnapshotLevel; level++)
            {
                var listing = ListLevelAsync(client, level, times, abandoned.Token);
                listings.Add(listing);
                if (inOrder)
                    await listing.ConfigureAwait(false);
            }
            foreach (var listing in listings)
                files.AddRange(await listing.ConfigureAwait(false));
            return files;
        }
        finally
        {
            await abandoned.CancelAsync().ConfigureAwait(false);
            foreach (var listing in listings)
                await ((Task)listing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<List<LtxFileInfo>> ListLevelAsync(
        ReplicaClient client,
        int level,
        TimestampAccuracy times,
        CancellationToken cancellationToken
    )
    {
        var files = new List<LtxFileInfo>();
        await foreach (var file in client.ListAsync(level, Txid.None, times, cancellationToken).ConfigureAwait(false))
            files.Add(file);
        return files;
    }
}
