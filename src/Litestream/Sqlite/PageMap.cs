namespace Litestream.Sqlite;

/// <summary>For each page its newest committed frame in a stretch of the WAL.</summary>
internal sealed class PageMap
{
    private readonly Dictionary<uint, long> _frames = [];
    private readonly List<(uint Page, long Frame)> _open = [];

    /// <summary>Last frame of the last transaction in the map.</summary>
    internal long LastFrame { get; private set; }

    /// <summary>Running checksum there.</summary>
    internal WalChecksum LastChecksum { get; private set; }

    /// <summary>Size of the database in pages after that transaction; 0 when the map holds none.</summary>
    internal uint Commit { get; private set; }

    internal int Count => _frames.Count;

    internal bool TryGetFrame(uint page, out long frame) => _frames.TryGetValue(page, out frame);

    /// <summary>Pages up to <see cref="Commit"/>, ascending. Pages behind it were cut off by a later transaction of the same stretch.</summary>
    internal uint[] SortedPages()
    {
        var pages = new uint[_frames.Count];
        var n = 0;
        foreach (var page in _frames.Keys)
            if (page <= Commit)
                pages[n++] = page;
        Array.Resize(ref pages, n);
        Array.Sort(pages);
        return pages;
    }

    /// <summary>Reads whole transactions until the reader's end, or behind the first commit at which at least <paramref name="maxBytes"/> were read.</summary>
    internal static PageMap Read(WalReader reader, int pageSize, long maxBytes, CancellationToken cancellationToken)
    {
        var map = new PageMap { LastFrame = reader.Frame };
        var first = reader.Frame;
        var frameSize = WalFrameHeader.Size + (long)pageSize;
        while (reader.Read())
        {
            if ((reader.Frame & 0xfff) == 0)
                cancellationToken.ThrowIfCancellationRequested();
            map._open.Add((reader.Header.PageNumber, reader.Frame));
            if (!reader.Header.IsCommit)
                continue;
            map.CloseTransaction(reader);
            if ((reader.Frame - first) * frameSize >= maxBytes)
                break;
        }
        return map;
    }

    private void CloseTransaction(WalReader reader)
    {
        foreach (var (page, frame) in _open)
            _frames[page] = frame;
        _open.Clear();
        (LastFrame, LastChecksum, Commit) = (reader.Frame, reader.Running, reader.Header.CommitPages);
    }
}
