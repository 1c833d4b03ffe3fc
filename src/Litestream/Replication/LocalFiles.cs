using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>The level-0 files kept locally, listed in memory: what the replicas still need, and always the newest.</summary>
/// <remarks>Safe from any thread: the database adds, its replicas read.</remarks>
internal sealed class LocalFiles(LtxDirectory directory)
{
    private readonly Lock _lock = new();
    private readonly List<LtxFileInfo> _files = [];

    internal LtxDirectory Directory => directory;

    /// <summary>Last transaction kept; none when nothing is.</summary>
    internal Txid Max
    {
        get
        {
            lock (_lock)
                return _files.Count == 0 ? Txid.None : _files[^1].MaxTxid;
        }
    }

    internal LtxFileInfo? Newest
    {
        get
        {
            lock (_lock)
                return _files.Count == 0 ? null : _files[^1];
        }
    }

    internal long SizeBytes
    {
        get
        {
            lock (_lock)
                return _files.Sum(f => f.SizeBytes);
        }
    }

    /// <summary>Reads the folder anew. Only the unbroken run that ends with the newest file counts; what lies before a hole is of no use.</summary>
    internal void Load()
    {
        lock (_lock)
        {
            _files.Clear();
            _files.AddRange(directory.List(LtxFileInfo.MinLevel));
            for (var i = _files.Count - 1; i > 0; i--)
            {
                if (_files[i - 1].MaxTxid.Next() == _files[i].MinTxid)
                    continue;
                foreach (var stale in _files[..i])
                    directory.Delete(stale);
                _files.RemoveRange(0, i);
                break;
            }
        }
    }

    internal void Add(LtxFileInfo file)
    {
        lock (_lock)
        {
            // A jump (a replica was ahead) makes everything before useless for an unbroken chain.
            if (_files.Count > 0 && _files[^1].MaxTxid.Next() != file.MinTxid)
                RemoveFirst(_files.Count);
            _files.Add(file);
        }
    }

    /// <summary>Forgets a damaged file, and deletes it.</summary>
    internal void Remove(LtxFileInfo file)
    {
        lock (_lock)
        {
            directory.Delete(file);
            _files.Remove(file);
        }
    }

    /// <summary>The file that goes on behind <paramref name="position"/>; null when it is not kept.</summary>
    internal LtxFileInfo? After(Txid position)
    {
        lock (_lock)
            return _files.Find(f => f.MinTxid == position.Next());
    }

    /// <summary>The file that ends with <paramref name="txid"/>; null when it is not kept.</summary>
    internal LtxFileInfo? EndingAt(Txid txid)
    {
        lock (_lock)
            return _files.Find(f => f.MaxTxid == txid);
    }

    /// <summary>What waits behind <paramref name="position"/>.</summary>
    internal (long Bytes, long Transactions, DateTimeOffset? Oldest) PendingAfter(Txid position)
    {
        lock (_lock)
        {
            if (_files.Count == 0 || _files[^1].MaxTxid <= position)
                return default;
            var waiting = _files.Where(f => f.MaxTxid > position).ToList();
            return (waiting.Sum(f => f.SizeBytes), (long)(_files[^1].MaxTxid.Value - position.Value), waiting[0].Timestamp);
        }
    }

    /// <summary>
    /// Deletes what every replica has confirmed but the last such file, which proves after a start that a replica holds this history and no
    /// other; and the oldest beyond <paramref name="maxBytes"/>. The newest file always stays.
    /// </summary>
    /// <returns>Files deleted that some replica still needed.</returns>
    internal int Trim(Txid confirmedByAll, long maxBytes)
    {
        lock (_lock)
        {
            var confirmed = _files.FindIndex(f => f.MaxTxid >= confirmedByAll);
            RemoveFirst(Math.Min(confirmed < 0 ? _files.Count : confirmed, _files.Count - 1));
            var size = _files.Sum(f => f.SizeBytes);
            var excess = 0;
            while (excess < _files.Count - 1 && size > maxBytes)
                size -= _files[excess++].SizeBytes;
            RemoveFirst(excess);
            return excess;
        }
    }

    private void RemoveFirst(int count)
    {
        for (var i = 0; i < count; i++)
            directory.Delete(_files[i]);
        if (count > 0)
            _files.RemoveRange(0, count);
    }
}
