using System.Numerics;

namespace Litestream.Restore;

/// <summary>A set of page numbers, a bit each, in pieces that exist only where pages are: a number of a hostile file costs no more than any other.</summary>
internal sealed class PageSet
{
    private const int PieceBits = 15;
    private const int PiecePages = 1 << PieceBits;

    private readonly Dictionary<uint, ulong[]> _pieces = [];
    private ulong[] _last = [];
    private uint _lastKey = uint.MaxValue;

    public void Add(uint page)
    {
        var key = page >> PieceBits;
        if (key != _lastKey)
        {
            if (!_pieces.TryGetValue(key, out var piece))
                _pieces.Add(key, piece = new ulong[PiecePages / 64]);
            (_lastKey, _last) = (key, piece);
        }
        _last[(page & (PiecePages - 1)) >> 6] |= 1UL << (int)(page & 63);
    }

    public void Clear()
    {
        _pieces.Clear();
        _lastKey = uint.MaxValue;
    }

    /// <summary>The first page from 1 to <paramref name="last"/> that is not in the set, but for <paramref name="except"/>; null when none.</summary>
    public uint? FirstMissing(uint last, uint except)
    {
        for (ulong page = 1; page <= last; )
        {
            if (!_pieces.TryGetValue((uint)(page >> PieceBits), out var piece))
            {
                if (page != except)
                    return (uint)page;
                page++;
                continue;
            }
            // The zeros of the word from this page on.
            var missing = ~piece[(page & (PiecePages - 1)) >> 6] & (ulong.MaxValue << (int)(page & 63));
            var start = page & ~63UL;
            if (except >> 6 == start >> 6)
                missing &= ~(1UL << (int)(except & 63));
            var found = start + (uint)BitOperations.TrailingZeroCount(missing);
            if (missing != 0 && found <= last)
                return (uint)found;
            page = start + 64;
        }
        return null;
    }
}
