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

    public bool Contains(uint page) =>
        _pieces.TryGetValue(page >> PieceBits, out var piece) && (piece[(page & (PiecePages - 1)) >> 6] >> (int)(page & 63) & 1) != 0;

    /// <summary>Adds all pages of another set.</summary>
    public void Add(PageSet other)
    {
        foreach (var (key, pages) in other._pieces)
        {
            if (!_pieces.TryGetValue(key, out var piece))
                _pieces.Add(key, piece = new ulong[PiecePages / 64]);
            for (var i = 0; i < piece.Length; i++)
                piece[i] |= pages[i];
        }
    }

    /// <summary>All pages, ascending.</summary>
    public IEnumerable<uint> Ascending()
    {
        foreach (var key in _pieces.Keys.Order())
        {
            var piece = _pieces[key];
            for (var i = 0; i < piece.Length; i++)
            for (var left = piece[i]; left != 0; left &= left - 1)
                yield return (key << PieceBits) + (uint)(i << 6) + (uint)BitOperations.TrailingZeroCount(left);
        }
    }

    public void Clear()
    {
        _pieces.Clear();
        _lastKey = uint.MaxValue;
    }

    /// <summary>The first page from 1 to <paramref name="last"/> that is not in the set, but for <paramref name="except"/>; null when none.</summary>
    public uint? FirstMissing(uint last, uint except) => FirstMissing(1, last, except);

    /// <summary>The first page from <paramref name="first"/> to <paramref name="last"/> that is not in the set, but for <paramref name="except"/>; null when none.</summary>
    public uint? FirstMissing(uint first, uint last, uint except)
    {
        for (ulong page = first; page <= last; )
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
