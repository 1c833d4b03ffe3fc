using System.Buffers;

namespace Litestream.Sqlite;

/// <summary>The whole database at one commit, page by page, under a reader of its own. Dispose it soon: while it lives, the WAL cannot restart.</summary>
/// <remarks>Own connection, so it may be read beside the engine's other work; itself one thread at a time.</remarks>
internal sealed class SourceSnapshot : IDisposable
{
    private const int ReadAheadBytes = 1 << 20;

    private readonly EngineConnection _connection;
    private readonly DatabaseFile _file;
    private readonly WalFile? _wal;
    private readonly int _pageSize;
    private readonly int _pagesAhead;
    private PageMap? _map;
    private byte[]? _ahead;
    private uint _aheadFirst;

    internal SourceSnapshot(EngineConnection connection, string path, WalIndexHeader at, uint pages, WalFile? wal)
    {
        _connection = connection;
        _file = new DatabaseFile(connection, path);
        _wal = wal;
        _pageSize = at.PageSize;
        _pagesAhead = Math.Max(1, ReadAheadBytes / _pageSize);
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

    /// <summary>Reads one page; cheapest in ascending order.</summary>
    internal void ReadPage(uint page, Span<byte> destination)
    {
        if (_map is not null && _map.TryGetFrame(page, out var frame))
        {
            if (_wal!.ReadFrame(frame, destination) is not { } header || header.PageNumber != page || header.Salt != At.Salt)
                throw new LitestreamException(LitestreamError.Corrupt, $"{_wal.Path}: frame {frame} changed while the reader held it")
                {
                    Path = _wal.Path,
                };
            return;
        }
        if (_ahead is null || page < _aheadFirst || page >= _aheadFirst + _pagesAhead)
        {
            _ahead ??= ArrayPool<byte>.Shared.Rent(_pagesAhead * _pageSize);
            var count = (int)Math.Min(_pagesAhead, Commit - page + 1);
            _file.ReadPages(page, _ahead.AsSpan(0, count * _pageSize), _pageSize);
            _aheadFirst = page;
        }
        _ahead.AsSpan((int)(page - _aheadFirst) * _pageSize, _pageSize).CopyTo(destination);
    }

    public void Dispose()
    {
        _wal?.Dispose();
        _connection.Dispose();
        if (_ahead is not null)
            ArrayPool<byte>.Shared.Return(_ahead);
        _ahead = null;
    }
}
