using Litestream.Diagnostics;
using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Litestream.Compaction;

/// <summary>What the keeper of a replica needs from outside.</summary>
/// <param name="Database">The database's path, for messages and metrics.</param>
/// <param name="Replica">The replica's name, for messages.</param>
/// <param name="IsOurs">True once the replica is known to hold the history of this database; before, nothing is merged or deleted.</param>
/// <param name="WriteSnapshot">Writes the whole database at its present position to the replica.</param>
/// <param name="OpenLocal">A level-0 file that is still at hand; null when it is not.</param>
/// <param name="Doubt">Tells the uploader to list the replica anew; true: a file is damaged, and a snapshot must lead over it.</param>
internal sealed record KeeperFeed(
    string Database,
    string Replica,
    Func<bool> IsOurs,
    Func<CancellationToken, Task<LtxFileInfo>> WriteSnapshot,
    Func<LtxFileInfo, Stream?> OpenLocal,
    Action<bool> Doubt
);

/// <summary>Keeps one replica in order beside the uploads: merges levels, writes snapshots, deletes what no promised point needs.</summary>
/// <remarks>
/// Its loop is <see cref="StepAsync"/>. What is due follows from the remembered listing alone: in a steady state nothing is listed or asked of the
/// store, and an idle database has nothing due at all. The store is listed anew at the start, on doubt, and once a day.
/// </remarks>
internal sealed class ReplicaKeeper
{
    private static readonly TimeSpan ListingAge = TimeSpan.FromDays(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LeastPause = TimeSpan.FromSeconds(1);

    private readonly ReplicaClient _client;
    private readonly ReplicaListing _listing;
    private readonly ReplicaOptions _options;
    private readonly KeeperFeed _feed;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly DatabaseMetrics _metrics;
    private readonly SemaphoreSlim _slots;
    private readonly Compactor _compactor;
    private readonly CompactionSchedule _schedule;
    private readonly RetentionPolicy _retention;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Dictionary<int, DateTimeOffset> _lastRun = [];
    private readonly HashSet<(int, Txid, Txid)> _unusable = [];
    private readonly (DateTimeOffset Wall, long Timestamp) _start;
    private DateTimeOffset _lastSweep = DateTimeOffset.MinValue;
    private DateTimeOffset? _retryAt;
    private DateTimeOffset? _next;
    private int _failures;

    /// <param name="client">The replica; stays the uploader's.</param>
    /// <param name="listing">Its files, shared with the uploader.</param>
    /// <param name="options">Levels, intervals, retention.</param>
    /// <param name="legacyPageFrames">Write what Litestream before 0.5.16 can read.</param>
    /// <param name="feed">The database's side.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Messages.</param>
    /// <param name="metrics">The database's counters.</param>
    /// <param name="slots">Shared by all replicas of the process: bounds the merges and snapshots that run at once, and so their memory.</param>
    internal ReplicaKeeper(
        ReplicaClient client,
        ReplicaListing listing,
        ReplicaOptions options,
        bool legacyPageFrames,
        KeeperFeed feed,
        TimeProvider time,
        ILogger log,
        DatabaseMetrics metrics,
        SemaphoreSlim slots
    )
    {
        (_client, _listing, _options, _feed) = (client, listing, options, feed);
        (_time, _log, _metrics, _slots) = (time, log, metrics, slots);
        _compactor = new Compactor(client, feed.OpenLocal, time, legacyPageFrames);
        _schedule = new CompactionSchedule(options.CompactionIntervals);
        _retention = new RetentionPolicy(options.SnapshotRetention, options.L0Retention);
        _start = (time.GetUtcNow(), time.GetTimestamp());
    }

    /// <summary>What went wrong last; null after a step that went well.</summary>
    internal string? Failure { get; private set; }

    /// <summary>Last transaction that is merged into level 1: level-0 files up to here need not be at hand any more.</summary>
    internal Txid Merged => _options.CompactionIntervals.Count == 0 ? new Txid(ulong.MaxValue) : _listing.MaxOf(LtxFileInfo.MinLevel + 1);

    /// <summary>Does what is due.</summary>
    /// <returns>When to be called again; null: when something was written.</returns>
    internal async ValueTask<DateTimeOffset?> StepAsync(CancellationToken cancellationToken)
    {
        if (_retryAt is { } retry && _time.GetUtcNow() < retry)
            return retry;
        if (!_feed.IsOurs() || !_listing.IsKnown)
            return null; // the uploader wakes us when it knows
        if (IsTooEarly())
            return _next;
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            RefreshDaily();
            var next = await SnapshotIfDueAsync(cancellationToken).ConfigureAwait(false);
            for (var level = 1; level <= _options.CompactionIntervals.Count; level++)
                next = Earlier(next, await CompactIfDueAsync(level, cancellationToken).ConfigureAwait(false));
            next = Earlier(next, await SweepIfDueAsync(cancellationToken).ConfigureAwait(false));
            // What was due is done. Were something due even now, it would be a misjudgement, and a second is cheaper than a core.
            if (next <= _time.GetUtcNow())
                next = _time.GetUtcNow() + LeastPause;
            (_failures, _retryAt, _next, Failure) = (0, null, next, null);
            return next;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return Failed(e);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Writes a snapshot now, whatever is due, also at a position that has one.</summary>
    internal async Task<LtxFileInfo> SnapshotAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await WriteSnapshotAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Merges and deletes now what is due by age, without waiting for the next step.</summary>
    internal async Task EnforceRetentionAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _listing.LoadAsync(cancellationToken).ConfigureAwait(false);
            await SweepAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Level-0 files by what retention will do with them: to be deleted, not merged yet, too recent.</summary>
    internal (int Eligible, int NotCompacted, int TooRecent) CountL0()
    {
        var merged = Merged;
        var limit = SteadyNow() - _options.L0Retention;
        var counts = (Eligible: 0, NotCompacted: 0, TooRecent: 0);
        foreach (var file in _listing.Level(LtxFileInfo.MinLevel))
            if (file.MaxTxid > merged)
                counts.NotCompacted++;
            else if (file.Timestamp > limit)
                counts.TooRecent++;
            else
                counts.Eligible++;
        return counts;
    }

    /// <summary>Every upload wakes us; but nothing that has come since can be due before what was found due next, unless that is far away.</summary>
    private bool IsTooEarly() =>
        _next - _time.GetUtcNow() is { } left
        && left > TimeSpan.Zero
        && _options.CompactionIntervals.Count > 0
        && left <= _options.CompactionIntervals[0];

    private void RefreshDaily()
    {
        if (_listing.LoadedAt is { } at && _time.GetUtcNow() - at >= ListingAge)
            _feed.Doubt(false);
    }

    private async Task<DateTimeOffset?> SnapshotIfDueAsync(CancellationToken cancellationToken)
    {
        var due = SnapshotSchedule.DueAt(_listing, _options.SnapshotInterval, _time.GetUtcNow());
        if (due is null || due > _time.GetUtcNow())
            return due;
        await WriteSnapshotAsync(cancellationToken).ConfigureAwait(false);
        return SnapshotSchedule.DueAt(_listing, _options.SnapshotInterval, _time.GetUtcNow());
    }

    private async Task<LtxFileInfo> WriteSnapshotAsync(CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var file = await _feed.WriteSnapshot(cancellationToken).ConfigureAwait(false);
            _listing.Add(file);
            _log.Snapshot(_feed.Database, _feed.Replica, file.MaxTxid, file.SizeBytes, _time.GetElapsedTime(start));
            return file;
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task<DateTimeOffset?> CompactIfDueAsync(int level, CancellationToken cancellationToken)
    {
        for (var mergedNow = false; ; mergedNow = true)
        {
            var run = CompactionPlan.Next(Usable(level - 1), _listing.Level(level), _listing.Level(LtxFileInfo.SnapshotLevel));
            if (run.Count == 0)
                return null;
            var now = _time.GetUtcNow();
            var due = _schedule.DueAt(level, run[0].Timestamp, now, _lastRun.TryGetValue(level, out var last) ? last : null);
            // What is more than one file can hold, or lies behind a hole, is merged in the same go.
            if (due > now && (!mergedNow || run[^1].Timestamp > _lastRun[level]))
                return due;
            await CompactAsync(level, run, cancellationToken).ConfigureAwait(false);
            _lastRun[level] = now;
        }
    }

    private async Task CompactAsync(int level, IReadOnlyList<LtxFileInfo> run, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var file = await _compactor.MergeAsync(level, run, cancellationToken).ConfigureAwait(false);
            _listing.Add(file);
            _metrics.Compacted();
            _log.Compacted(_feed.Database, _feed.Replica, level, run.Count, file.FileName, file.SizeBytes, _time.GetElapsedTime(start));
            VerifyLevel(level);
        }
        catch (LitestreamException e) when (e.Error is LitestreamError.Corrupt or LitestreamError.NotFound)
        {
            await SetAsideDamagedAsync(run, e, cancellationToken).ConfigureAwait(false);
            throw;
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>A file that can never be merged must not stop all others for ever: it is left out, and a snapshot leads over it.</summary>
    private async Task SetAsideDamagedAsync(IReadOnlyList<LtxFileInfo> run, LitestreamException cause, CancellationToken cancellationToken)
    {
        if (await _compactor.FindDamagedAsync(run, cancellationToken).ConfigureAwait(false) is not { } damaged)
            return;
        if (cause.Error == LitestreamError.NotFound)
        {
            // Listed, and not there. Whether the newest state needs it shows when the replica is looked at again.
            _log.Gone(_feed.Database, _feed.Replica, damaged.Level, damaged.FileName);
            _listing.Remove([damaged]);
            _feed.Doubt(false);
            return;
        }
        _log.Damaged(_feed.Database, _feed.Replica, damaged.Level, damaged.FileName, cause.Message);
        _metrics.CompactionVerifyFailed();
        _unusable.Add((damaged.Level, damaged.MinTxid, damaged.MaxTxid));
        _feed.Doubt(true);
    }

    private IReadOnlyList<LtxFileInfo> Usable(int level)
    {
        var files = _listing.Level(level);
        return _unusable.Count == 0 ? files : [.. files.Where(f => !_unusable.Contains((f.Level, f.MinTxid, f.MaxTxid)))];
    }

    /// <summary>The files of a level must follow one another, but for the borders of runs, over which a snapshot leads.</summary>
    private void VerifyLevel(int level)
    {
        if (!_options.VerifyCompaction)
            return;
        var files = _listing.Level(level);
        var snapshots = _listing.Level(LtxFileInfo.SnapshotLevel);
        for (var i = 1; i < files.Count; i++)
        {
            var (before, after) = (files[i - 1], files[i]);
            var isHole = after.MinTxid.Previous() > before.MaxTxid && !snapshots.Any(s => s.MaxTxid >= after.MinTxid.Previous());
            if (!isHole && after.MinTxid > before.MaxTxid)
                continue;
            _metrics.CompactionVerifyFailed();
            _log.LevelBroken(_feed.Database, _feed.Replica, level, before.FileName, after.FileName);
        }
    }

    private async Task<DateTimeOffset?> SweepIfDueAsync(CancellationToken cancellationToken)
    {
        if (!_options.DeletesOldFiles)
            return null;
        var plan = _retention.Plan(_listing, SteadyNow());
        if (plan.Delete.Count == 0)
            return NextSweep(plan.Next);
        var soonest = _lastSweep + _options.L0RetentionCheckInterval;
        if (soonest > _time.GetUtcNow() && _lastSweep <= _time.GetUtcNow())
            return soonest;
        return await SweepAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<DateTimeOffset?> SweepAsync(CancellationToken cancellationToken)
    {
        var plan = _retention.Plan(_listing, SteadyNow());
        _lastSweep = _time.GetUtcNow();
        if (plan.Delete.Count == 0)
            return NextSweep(plan.Next);
        await _client.DeleteAsync(plan.Delete, cancellationToken).ConfigureAwait(false);
        _listing.Remove(plan.Delete);
        _log.Deleted(_feed.Database, _feed.Replica, plan.Delete.Count, plan.Delete.Sum(f => f.SizeBytes));
        return NextSweep(plan.Next);
    }

    /// <summary>When to look for deletions again, on the wall clock. Retention lives by <see cref="SteadyNow"/>, which may be behind.</summary>
    private DateTimeOffset? NextSweep(DateTimeOffset? steady)
    {
        if (steady is not { } due)
            return null;
        var wall = due + (_time.GetUtcNow() - SteadyNow());
        var soonest = _lastSweep + _options.L0RetentionCheckInterval;
        return wall < soonest && _lastSweep <= _time.GetUtcNow() ? soonest : wall;
    }

    /// <summary>The time for deletions: as the wall clock stood at the start, and never further on than time has passed since.</summary>
    private DateTimeOffset SteadyNow()
    {
        var steady = _start.Wall + _time.GetElapsedTime(_start.Timestamp);
        return _time.GetUtcNow() is var wall && wall < steady ? wall : steady;
    }

    private DateTimeOffset Failed(Exception e)
    {
        _next = null;
        // The outcome of a write or deletion that failed is unknown.
        _feed.Doubt(false);
        var pause = TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, Math.Min(_failures++, 16))));
        _metrics.CompactionFailed();
        Failure = e.Message;
        _log.KeeperFailed(
            _feed.Database,
            _feed.Replica,
            e is LitestreamException { Hint: { } hint } ? $"{e.Message} ({hint})" : e.Message,
            pause
        );
        _retryAt = _time.GetUtcNow() + pause;
        return _retryAt.Value;
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) =>
        one is null || (other is not null && other < one) ? other : one;
}
