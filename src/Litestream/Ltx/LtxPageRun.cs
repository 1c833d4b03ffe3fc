using System.Buffers;

namespace Litestream.Ltx;

/// <summary>Compresses neighbouring pages on several processors. The caller waits meanwhile, so that nothing goes on behind his back.</summary>
/// <remarks>The result does not depend on how many processors there are. One caller at a time.</remarks>
internal sealed class LtxPageRun : IDisposable
{
    private const int MaxRunBytes = 1 << 20;

    // What a processor compresses at a time.
    private const int StretchBytes = 64 << 10;

    private static readonly ParallelOptions s_options = new() { MaxDegreeOfParallelism = Math.Min(Environment.ProcessorCount, 4) };

    private readonly int _pageSize;
    private readonly bool _legacy;
    private readonly int _stretchPages;
    private readonly int _stretchRoom;
    private readonly int[] _offsets;
    private readonly int[] _lengths;
    private readonly Action<int> _compressStretch;
    private byte[] _room;
    private uint _firstPage;
    private ReadOnlyMemory<byte> _pages;

    public LtxPageRun(int pageSize, bool legacy)
    {
        (_pageSize, _legacy) = (pageSize, legacy);
        _stretchPages = Math.Max(1, StretchBytes / pageSize);
        _stretchRoom = _stretchPages * LtxPageCodec.MaxSize(pageSize, legacy);
        var most = MaxRunBytes / pageSize;
        (_offsets, _lengths) = (new int[most], new int[most]);
        _room = ArrayPool<byte>.Shared.Rent((most + _stretchPages - 1) / _stretchPages * _stretchRoom);
        _compressStretch = CompressStretch;
    }

    /// <summary>Pages of the last call.</summary>
    public int Count { get; private set; }

    /// <summary>All compressed pages, one right behind the other.</summary>
    public ReadOnlyMemory<byte> Compressed => _room.AsMemory(0, Count == 0 ? 0 : _offsets[Count - 1] + _lengths[Count - 1]);

    /// <summary>A compressed page of the last call, with its header.</summary>
    public ReadOnlyMemory<byte> Page(int index) => _room.AsMemory(_offsets[index], _lengths[index]);

    /// <summary>Compresses the first pages of <paramref name="pages"/>, at most a megabyte of them; <see cref="Count"/> says how many.</summary>
    public void Compress(uint firstPage, ReadOnlyMemory<byte> pages)
    {
        (_firstPage, _pages) = (firstPage, pages);
        Count = Math.Min(_offsets.Length, pages.Length / _pageSize);
        var stretches = (Count + _stretchPages - 1) / _stretchPages;
        if (stretches == 1)
            CompressStretch(0);
        else
            Parallel.For(0, stretches, s_options, _compressStretch);
        _pages = default;
        CloseGaps();
    }

    public void Dispose()
    {
        if (_room.Length > 0)
            ArrayPool<byte>.Shared.Return(_room);
        _room = [];
    }

    /// <summary>Moves the stretches together, so that a run is one piece to write: whoever takes it is woken once.</summary>
    private void CloseGaps()
    {
        var end = 0;
        for (var first = 0; first < Count; first += _stretchPages)
        {
            var next = Math.Min(first + _stretchPages, Count);
            var (from, length) = (_offsets[first], _offsets[next - 1] + _lengths[next - 1] - _offsets[first]);
            _room.AsSpan(from, length).CopyTo(_room.AsSpan(end));
            for (var i = first; i < next; i++)
                _offsets[i] -= from - end;
            end += length;
        }
    }

    private void CompressStretch(int stretch)
    {
        var at = stretch * _stretchRoom;
        var end = Math.Min((stretch + 1) * _stretchPages, Count);
        for (var i = stretch * _stretchPages; i < end; i++)
        {
            _offsets[i] = at;
            _lengths[i] = LtxPageCodec.Write(_room.AsSpan(at), _firstPage + (uint)i, _pages.Span.Slice(i * _pageSize, _pageSize), _legacy);
            at += _lengths[i];
        }
    }
}
