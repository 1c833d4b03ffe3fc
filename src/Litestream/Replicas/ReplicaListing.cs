using Litestream.Ltx;

namespace Litestream.Replicas;

/// <summary>The files of one replica, remembered: read from the store once, then kept true by what its only writer writes and deletes.</summary>
/// <remarks>Safe from any thread. While it is loaded anew, what is added and removed meanwhile counts on top of what the store lists.</remarks>
internal sealed class ReplicaListing(ReplicaClient client, TimeProvider time)
{
    /// <summary>How long a store may take to list what was written, and not to list what was deleted.</summary>
    private static readonly TimeSpan Lateness = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly List<Action> _meanwhile = [];
    private readonly List<(LtxFileInfo File, DateTimeOffset At)> _written = [];
    private readonly List<((int Level, Txid Min, Txid Max) File, DateTimeOffset At)> _deleted = [];
    private List<LtxFileInfo>[]? _levels;
    private bool _isLoading;

    /// <summary>When it was read from the store; null while it is in doubt.</summary>
    internal DateTimeOffset? LoadedAt { get; private set; }

    /// <summary>False while only the store knows.</summary>
    internal bool IsKnown => LoadedAt is not null;

    /// <summary>The file with the last transaction, of those the one of the lowest level; null when the replica is empty.</summary>
    internal LtxFileInfo? Newest
    {
        get
        {
            lock (_lock)
            {
                LtxFileInfo? newest = null;
                for (var level = LtxFileInfo.SnapshotLevel; level >= LtxFileInfo.MinLevel; level--)
                    foreach (var file in Of(level))
                        if (newest is null || file.MaxTxid >= newest.MaxTxid)
                            newest = file;
                return newest;
            }
        }
    }

    /// <summary>The last snapshot; null when there is none.</summary>
    internal LtxFileInfo? NewestSnapshot
    {
        get
        {
            lock (_lock)
                return Of(LtxFileInfo.SnapshotLevel) is { Count: > 0 } snapshots ? snapshots[^1] : null;
        }
    }

    /// <summary>Reads every level from the store, unless the listing is known already.</summary>
    internal async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (IsKnown)
            return;
        await _loading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (IsKnown)
                return;
            lock (_lock)
            {
                _isLoading = true;
                _meanwhile.Clear();
            }
            var levels = new List<LtxFileInfo>[LtxFileInfo.SnapshotLevel + 1];
            // Upwards: what is merged into a higher level meanwhile is seen there.
            for (var level = LtxFileInfo.MinLevel; level < levels.Length; level++)
            {
                levels[level] = [];
                var files = client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, cancellationToken);
                await foreach (var file in files.ConfigureAwait(false))
                    levels[level].Add(file);
            }
            RemoveDeleted(levels);
            await AddUnlistedAsync(levels, cancellationToken).ConfigureAwait(false);
            lock (_lock)
            {
                _levels = levels;
                _meanwhile.ForEach(change => change());
                LoadedAt = time.GetUtcNow();
            }
        }
        finally
        {
            lock (_lock)
                _isLoading = false;
            _loading.Release();
        }
    }

    /// <summary>The outcome of a write is unknown, or the time has come to look again: the next <see cref="LoadAsync"/> asks the store.</summary>
    internal void Doubt()
    {
        lock (_lock)
            LoadedAt = null;
    }

    /// <summary>The files of a level, ascending by first, then last transaction, as they are now.</summary>
    internal IReadOnlyList<LtxFileInfo> Level(int level)
    {
        lock (_lock)
            return [.. Of(level)];
    }

    /// <summary>Last transaction of a level; none when it is empty.</summary>
    internal Txid MaxOf(int level)
    {
        lock (_lock)
            return Of(level) is { Count: > 0 } files ? files[^1].MaxTxid : Txid.None;
    }

    /// <summary>A file was written.</summary>
    internal void Add(LtxFileInfo file)
    {
        lock (_lock)
        {
            ForgetOld();
            _written.Add((file, time.GetUtcNow()));
            _deleted.RemoveAll(d => d.File == KeyOf(file));
        }
        Change(() => AddTo(Of(file.Level), file));
    }

    /// <summary>Files were deleted, or found gone.</summary>
    internal void Remove(IReadOnlyCollection<LtxFileInfo> files)
    {
        var gone = files.Select(KeyOf).ToHashSet();
        lock (_lock)
        {
            ForgetOld();
            _written.RemoveAll(w => gone.Contains(KeyOf(w.File)));
            _deleted.AddRange(gone.Select(g => (g, time.GetUtcNow())));
        }
        Change(() =>
        {
            foreach (var level in gone.Select(g => g.Level).Distinct())
                Of(level).RemoveAll(f => gone.Contains(KeyOf(f)));
        });
    }

    /// <summary>The last transaction that a restore of the newest state comes to; before the last one of all when something is missing.</summary>
    internal Txid Reach()
    {
        lock (_lock)
        {
            var reach = Of(LtxFileInfo.SnapshotLevel) is { Count: > 0 } snapshots ? snapshots.Max(s => s.MaxTxid) : Txid.None;
            var others = new List<LtxFileInfo>();
            for (var level = LtxFileInfo.MinLevel; level < LtxFileInfo.SnapshotLevel; level++)
                others.AddRange(Of(level).Where(f => f.MaxTxid > reach));
            foreach (var file in others.OrderBy(f => f.MinTxid))
            {
                if (file.MinTxid.Value - 1 > reach.Value)
                    break;
                if (file.MaxTxid > reach)
                    reach = file.MaxTxid;
            }
            return reach;
        }
    }

    /// <summary>
    /// A listing may be late. Without what was written last the replica would seem to have lost it, and would get a whole copy without need.
    /// What is not there either when asked for by its name is lost indeed.
    /// </summary>
    private async Task AddUnlistedAsync(List<LtxFileInfo>[] levels, CancellationToken cancellationToken)
    {
        List<LtxFileInfo> unlisted;
        lock (_lock)
        {
            ForgetOld();
            unlisted = [.. _written.Select(w => w.File).Where(w => !levels[w.Level].Exists(f => KeyOf(f) == KeyOf(w)))];
        }
        // The last one first: of a replica that was emptied one is asked for, not hundreds.
        for (var i = unlisted.Count - 1; i >= 0 && await client.HoldsAsync(unlisted[i], cancellationToken).ConfigureAwait(false); i--)
            AddTo(levels[unlisted[i].Level], unlisted[i]);
    }

    /// <summary>A listing that is late shows what has gone: to be merged it would be asked for in vain.</summary>
    private void RemoveDeleted(List<LtxFileInfo>[] levels)
    {
        lock (_lock)
        {
            ForgetOld();
            foreach (var (file, _) in _deleted)
                levels[file.Level].RemoveAll(f => KeyOf(f) == file);
        }
    }

    private void ForgetOld()
    {
        var limit = time.GetUtcNow() - Lateness;
        _written.RemoveAll(w => w.At < limit);
        _deleted.RemoveAll(d => d.At < limit);
    }

    private static (int Level, Txid Min, Txid Max) KeyOf(LtxFileInfo file) => (file.Level, file.MinTxid, file.MaxTxid);

    private List<LtxFileInfo> Of(int level) => _levels is null ? [] : _levels[level];

    private void Change(Action change)
    {
        lock (_lock)
        {
            if (_isLoading)
                _meanwhile.Add(change);
            if (_levels is not null)
                change();
        }
    }

    private static void AddTo(List<LtxFileInfo> files, LtxFileInfo file)
    {
        files.RemoveAll(f => f.MinTxid == file.MinTxid && f.MaxTxid == file.MaxTxid);
        var at = files.FindLastIndex(f => f.MinTxid < file.MinTxid || (f.MinTxid == file.MinTxid && f.MaxTxid < file.MaxTxid));
        files.Insert(at + 1, file);
    }
}
