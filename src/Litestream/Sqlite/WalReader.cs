using System.Buffers;

namespace Litestream.Sqlite;

/// <summary>Reads frames of one life of a WAL in order, from any frame on, and proves each by salt and running checksum.</summary>
/// <remarks>Synchronous; reads ahead in one pooled buffer. One thread at a time.</remarks>
internal sealed class WalReader : IDisposable
{
    private const int ReadAheadBytes = 1 << 20;

    private readonly WalFile _file;
    private readonly WalIndexHeader _end;
    private readonly int _frameSize;
    private byte[]? _buffer;
    private int _position;
    private int _length;
    private long _bufferOffset;
    private WalChecksum _running;
    private bool _isSeeded;

    /// <summary>Starts behind frame <paramref name="afterFrame"/>.</summary>
    /// <param name="file">The WAL.</param>
    /// <param name="end">SQLite's own end: life, last frame, checksum there.</param>
    /// <param name="afterFrame">0 for the start of the WAL.</param>
    /// <param name="seed">Running checksum at that frame when known; else it is taken from the file.</param>
    internal WalReader(WalFile file, WalIndexHeader end, long afterFrame, WalChecksum? seed)
    {
        _file = file;
        _end = end;
        _frameSize = WalFrameHeader.Size + end.PageSize;
        Frame = afterFrame;
        _bufferOffset = WalFrameHeader.EndOf(afterFrame, end.PageSize);
        // Never more than there is to read, whatever the numbers say.
        var left = Math.Min(end.EndOffset, file.LengthBytes) - _bufferOffset;
        _buffer = ArrayPool<byte>.Shared.Rent((int)Math.Max(Math.Min(ReadAheadBytes, left), _frameSize));
        if (seed is { } known)
            (_running, _isSeeded) = (known, true);
        else
            Seed(afterFrame);
    }

    /// <summary>Number of the frame last read.</summary>
    internal long Frame { get; private set; }

    /// <summary>Header of the frame last read.</summary>
    internal WalFrameHeader Header { get; private set; }

    /// <summary>Page of the frame last read; valid until the next read.</summary>
    internal ReadOnlySpan<byte> Page => _buffer.AsSpan(_position - _end.PageSize, _end.PageSize);

    /// <summary>Running checksum at the frame last read.</summary>
    internal WalChecksum Running => _running;

    /// <summary>Reads the next frame.</summary>
    /// <returns>False at SQLite's own end of the WAL, never behind it.</returns>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: a frame that SQLite counts as committed is not what it should be.</exception>
    internal bool Read()
    {
        if (Frame >= _end.LastFrame)
            return false;
        if (_length - _position < _frameSize)
            Fill();
        var bytes = _buffer.AsSpan(_position, _frameSize);
        var header = WalFrameHeader.Read(bytes);
        if (header.Salt != _end.Salt)
            throw Mismatch($"salt {header.Salt} where {_end.Salt} is due");
        if (header.PageNumber == 0)
            throw Mismatch("page number 0");
        _running = _isSeeded
            ? _running.Add(bytes[..8], _end.BigEndianChecksums).Add(bytes[WalFrameHeader.Size..], _end.BigEndianChecksums)
            : header.Checksum;
        _isSeeded = true;
        if (_running != header.Checksum)
            throw Mismatch("checksum differs");
        _position += _frameSize;
        Header = header;
        Frame++;
        if (Frame == _end.LastFrame && _running != _end.LastChecksum)
            throw Mismatch("checksum differs from SQLite's own");
        return true;
    }

    private void Fill()
    {
        var rest = _length - _position;
        _buffer.AsSpan(_position, rest).CopyTo(_buffer);
        _bufferOffset += _position;
        var left = _end.EndOffset - _bufferOffset;
        var wanted = (int)Math.Min(_buffer!.Length, left);
        _length = rest + _file.Read(_bufferOffset + rest, _buffer.AsSpan(rest, wanted - rest));
        _position = 0;
        if (_length < _frameSize)
            throw Mismatch("the file ends before it");
    }

    private void Seed(long afterFrame)
    {
        if (afterFrame > 0)
        {
            Span<byte> bytes = stackalloc byte[WalFrameHeader.Size];
            if (_file.Read(WalFrameHeader.OffsetOf(afterFrame, _end.PageSize), bytes) < bytes.Length)
                throw Mismatch("the frame before it is gone");
            var previous = WalFrameHeader.Read(bytes);
            if (previous.Salt != _end.Salt)
                throw Mismatch($"the frame before it has salt {previous.Salt} where {_end.Salt} is due");
            (_running, _isSeeded) = (previous.Checksum, true);
            return;
        }
        // A writer killed right after restarting the WAL leaves a new header in the file while SQLite lives on in the old life. Then frame 1
        // vouches for itself, and the chain from it must still end at SQLite's own checksum.
        if (_file.ReadHeader() is { } header && header.Salt == _end.Salt)
            (_running, _isSeeded) = (header.Checksum, true);
    }

    private LitestreamException Mismatch(string what) =>
        new(LitestreamError.Corrupt, $"{_file.Path}: frame {Frame + 1} of {_end.LastFrame}: {what}") { Path = _file.Path };

    public void Dispose()
    {
        if (_buffer is null)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
    }
}
