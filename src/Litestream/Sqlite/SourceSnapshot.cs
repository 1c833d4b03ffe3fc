namespace Litestream.Sqlite;

/// <summary>The whole database at one commit, page by page, under a reader of its own. Dispose it soon: while it lives, the WAL cannot restart.</summary>
/// <remarks>Own connection, so it may be read beside the engine's other work; itself one thread at a time.</remarks>
internal sealed class SourceSnapshot : IDisposable
{
    private readonly EngineConnection _connection;
    private readonly DatabaseFile _file;
    private readonly WalFile? _wal;
    private readonly int _pageSize;
    private PageMap? _map;

    internal SourceSnapshot(EngineConnection connection, string path, WalIndexHeader at, uint pages, WalFile? wal)
    {
        _connection = connection;
        _file = new DatabaseFile(connection, path);
        _wal = wal;
        _pageSize = at.PageSize;
        At = at;
        Commit = at.LastFrame > 0 ? at.Pages : pages;
    }

    /// <summary>The commit that it shows.</summary>
    internal WalIndexHeader At { get; }

    /// <summary>Size of the database in pages.</summary>
    internal uint Commit { get; }

    /// <summary>Finds the pages whose newest version is still in the WAL. Call once, before reading pages.</summary>
    internal void Prepare(CancellationToken cancellationToken)
    {
        if (_wal is null || At.LastFrame == 0)
            return;
        using var reader = new WalReader(_wal, At, 0, null);
        _map = PageMap.Read(reader, _pageSize, long.MaxValue, cancellationToken);
    }

    /// <summary>Reads neighbouring pages; the more at once, the cheaper.</summary>
    /// <param name="first">Number of the first one.</param>
    /// <param name="pages">Whole pages, none behind the end of the database.</param>
    internal void ReadPages(uint first, Span<byte> pages)
    {
        _file.ReadPages(first, pages, _pageSize);
        if (_map is null)
            return;
        for (var page = first; !pages.IsEmpty; page++, pages = pages[_pageSize..])
            if (_map.TryGetFrame(page, out var frame))
                ReadFrame(page, frame, pages[.._pageSize]);
    }

    private void ReadFrame(uint page, long frame, Span<byte> destination)
    {
        if (_wal!.ReadFrame(frame, _pageSize, destination) is not { } header || header.PageNumber != page || header.Salt != At.Salt)
            throw new LitestreamException(LitestreamError.Corrupt, $"{_wal.Path}: frame {frame} changed while the reader held it")
            {
                Path = _wal.Path,
            };
    }

    public void Dispose()
    {
        _wal?.Dispose();
        _connection.Dispose();
    }
}
