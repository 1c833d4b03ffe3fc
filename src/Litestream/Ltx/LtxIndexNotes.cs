using System.Buffers;

namespace Litestream.Ltx;

/// <summary>What the encoder must remember of each page until it writes the index: the step of the page number and the length, about three bytes.</summary>
internal sealed class LtxIndexNotes : IDisposable
{
    private const int SegmentSize = 64 * 1024;
    private const int MaxNoteSize = 5 + 5;

    private readonly List<(byte[] Bytes, int Length)> _full = [];
    private byte[] _segment = [];
    private int _used;
    private uint _last;

    public void Add(uint pageNumber, int length)
    {
        if (_used + MaxNoteSize > _segment.Length)
            NextSegment();
        _used += LtxPageIndex.WriteNumber(_segment.AsSpan(_used), pageNumber - _last);
        _used += LtxPageIndex.WriteNumber(_segment.AsSpan(_used), (uint)length);
        _last = pageNumber;
    }

    /// <summary>Reads everything back in order; nothing may be added afterwards.</summary>
    public Reader Read()
    {
        _full.Add((_segment, _used));
        _segment = [];
        _used = 0;
        return new Reader(_full);
    }

    public void Dispose()
    {
        foreach (var (bytes, _) in _full)
            Return(bytes);
        Return(_segment);
        _full.Clear();
        _segment = [];
        _used = 0;
    }

    private void NextSegment()
    {
        if (_used > 0)
            _full.Add((_segment, _used));
        _segment = ArrayPool<byte>.Shared.Rent(SegmentSize);
        _used = 0;
    }

    private static void Return(byte[] bytes)
    {
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
    }

    internal sealed class Reader(List<(byte[] Bytes, int Length)> segments)
    {
        private int _segment;
        private int _at;
        private uint _last;

        public bool TryNext(out uint pageNumber, out int length)
        {
            while (_segment < segments.Count && _at == segments[_segment].Length)
            {
                _segment++;
                _at = 0;
            }
            (pageNumber, length) = (0, 0);
            if (_segment == segments.Count)
                return false;
            var (bytes, used) = segments[_segment];
            ReadOnlySpan<byte> rest = bytes.AsSpan(_at, used - _at);
            _last = pageNumber = _last + (uint)LtxPageIndex.ReadNumber(ref rest);
            length = (int)LtxPageIndex.ReadNumber(ref rest);
            _at = used - rest.Length;
            return true;
        }
    }
}
