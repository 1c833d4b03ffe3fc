using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>The level-0 files kept locally, listed in memory: what the replicas still need, and always the newest.</summary>
/// <remarks>Safe from any thread: the database adds, its replicas read.</remarks>
internal sealed class LocalFiles(LtxDirectory directory)
{
    /// <summary>Bytes of files kept only to save downloads.</summary>
    private const long MaxSpareBytes = 64L << 20;

    private readonly Lock _lock = new();
    private readonly List<LtxFileInfo> _files = [];
    private Txid _unproved;

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
            _unproved = _files.Count == 0 ? Txid.None : _files[^1].MaxTxid;
        }
    }

    internal void Add(LtxFileInfo file)
    {
        lock (_lock)
        {
            // A new run makes everything before useless for an unbroken chain.
            var stale = _files.Count > 0 && _files[^1].MaxTxid.Next() != file.MinTxid ? _files.Count : 0;
            _files.Add(file);
            RemoveFirst(stale);
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

    /// <summary>Opens a file. One that an earlier process wrote is read to its end first, so that a damaged one never gets into a replica.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.NotFound"/> or <see cref="LitestreamError.Corrupt"/>.</exception>
    internal async Task<Stream> OpenSoundAsync(LtxFileInfo file, CancellationToken cancellationToken)
    {
        var stream = directory.OpenRead(file);
        try
        {
            if (file.MaxTxid <= _unproved)
            {
                var decoder = await LtxDecoder.OpenAsync(stream, file.SizeBytes, cancellationToken).ConfigureAwait(false);
                await using var _ = decoder.ConfigureAwait(false);
                var page = new byte[decoder.Header.PageSize];
                while (await decoder.ReadPageAsync(page, cancellationToken).ConfigureAwait(false) != 0) { }
                await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
                stream.Position = 0;
            }
            return stream;
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// The first transaction behind a position that no file on the disk holds. A file whose writing failed at its very last step, to make its name
    /// durable, counts for nothing here but lies there all the same: the next start would take it for a part of the chain.
    /// </summary>
    internal Txid FirstFreeAfter(Txid position)
    {
        var free = position.Next();
        foreach (var file in directory.List(LtxFileInfo.MinLevel))
        {
            if (file.MinTxid <= free && free <= file.MaxTxid)
                free = file.MaxTxid.Next();
        }
        return free;
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

    /// <summary>Opens a file of the replica when it is still kept here; null when it is not.</summary>
    internal Stream? TryOpen(LtxFileInfo remote)
    {
        lock (_lock)
        {
            var at = remote.Level == LtxFileInfo.MinLevel ? _files.FindIndex(f => f.MinTxid == remote.MinTxid) : -1;
            if (at < 0 || _files[at].MaxTxid != remote.MaxTxid || _files[at].SizeBytes != remote.SizeBytes)
                return null;
            try
            {
                return directory.OpenRead(_files[at]);
            }
            catch (LitestreamException)
            {
                return null; // the replica has it
            }
        }
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
    /// Deletes what nobody wants but the last such file, which proves after a start that a replica holds this history and no other; and the oldest
    /// beyond the limits. The newest file always stays.
    /// </summary>
    /// <param name="needed">Every replica has confirmed what ends here or before: behind it is what may not be lost.</param>
    /// <param name="wanted">What ends here or before is merged in every replica as well: until then a file at hand saves a download.</param>
    /// <param name="maxBytes">Limit of all files.</param>
    /// <returns>Files deleted that some replica still needed.</returns>
    internal int Trim(Txid needed, Txid wanted, long maxBytes)
    {
        lock (_lock)
        {
            RemoveFirst(CountUnneeded(wanted < needed ? wanted : needed));
            var size = _files.Sum(f => f.SizeBytes);
            var unneeded = CountUnneeded(needed);
            var spare = 0;
            while (spare < unneeded && size > Math.Min(maxBytes, MaxSpareBytes))
                size -= _files[spare++].SizeBytes;
            var excess = spare;
            while (excess >= unneeded && excess < _files.Count - 1 && size > maxBytes)
                size -= _files[excess++].SizeBytes;
            RemoveFirst(excess);
            return excess - spare;
        }
    }

    private int CountUnneeded(Txid confirmed)
    {
        var last = _files.FindIndex(f => f.MaxTxid >= confirmed);
        return Math.Max(0, Math.Min(last < 0 ? _files.Count : last, _files.Count - 1));
    }

    private void RemoveFirst(int count)
    {
        var gone = _files.GetRange(0, count);
        // Forgotten first: what a refusing disk keeps is removed by the next start, for it lies before a hole.
        _files.RemoveRange(0, count);
        foreach (var file in gone)
            directory.Delete(file);
    }
}
