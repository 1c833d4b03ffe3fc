using System.Buffers;
using System.Buffers.Binary;
using K4os.Compression.LZ4;

namespace Litestream.Ltx;

/// <summary>The content of one LZ4 frame of any length, decoded block by block while it is read, and proved by the checksums it carries.</summary>
/// <remarks>
/// Memory: one compressed block, no longer than what the file has left, and one decoded block, no longer than that can become (at most 4 MiB each); for
/// dependent blocks 64 KiB more. Every defect is a <see cref="LitestreamException"/> with <see cref="LitestreamError.Corrupt"/> that names the byte; the end
/// is only reported when the whole frame was right and nothing follows it. Owns its input. One reader at a time.
/// </remarks>
internal sealed class Lz4FrameStream : Stream
{
    // What a dependent block may refer to.
    private const int HistorySize = 64 * 1024;

    // An LZ4 block cannot become longer than this many times its bytes.
    private const int MostExpansion = 255;

    private readonly Stream _input;
    private readonly long? _length;
    private readonly XxHash32.Running _hash = new();
    private byte[] _compressed = [];
    private byte[] _plain = [];
    private Lz4Frame.Descriptor? _frame;
    private long _position;
    private long _content;
    private int _start;
    private int _end;
    private bool _ended;

    /// <summary>Reads a frame from a stream's position to its end.</summary>
    /// <param name="input">The compressed bytes.</param>
    /// <param name="length">How many there are, when known.</param>
    public Lz4FrameStream(Stream input, long? length)
    {
        _input = input;
        _length = length;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        while (_start == _end && !_ended)
            await ReadBlockAsync(cancellationToken).ConfigureAwait(false);
        var count = Math.Min(buffer.Length, _end - _start);
        _plain.AsSpan(_start, count).CopyTo(buffer.Span);
        _start += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        ReturnBuffers();
        await _input.DisposeAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            ReturnBuffers();
            _input.Dispose();
        }
        base.Dispose(disposing);
    }

    private async Task ReadBlockAsync(CancellationToken cancellationToken)
    {
        var frame = _frame ??= await ReadDescriptorAsync(cancellationToken).ConfigureAwait(false);
        await FillAsync(4, cancellationToken).ConfigureAwait(false);
        var word = BinaryPrimitives.ReadUInt32LittleEndian(_compressed);
        if (word == 0)
        {
            await FinishAsync(frame, cancellationToken).ConfigureAwait(false);
            return;
        }
        var size = (int)(word & ~Lz4Frame.StoredFlag);
        if (size == 0 || size > frame.MaxBlockSize)
            throw Corrupt($"impossible LZ4 block of {size} bytes");
        await FillAsync(size + (frame.BlockChecksum ? 4 : 0), cancellationToken).ConfigureAwait(false);
        if (
            frame.BlockChecksum
            && BinaryPrimitives.ReadUInt32LittleEndian(_compressed.AsSpan(size)) != XxHash32.Hash(_compressed.AsSpan(0, size))
        )
            throw Corrupt("wrong checksum of an LZ4 block");
        Decode(frame, size, (word & Lz4Frame.StoredFlag) != 0);
        var plain = _plain.AsSpan(_start, _end - _start);
        if (frame.ContentChecksum)
            _hash.Add(plain);
        _content += plain.Length;
        if ((ulong)_content > frame.ContentSize)
            throw Corrupt($"the LZ4 content is longer than the {frame.ContentSize} bytes that its frame says");
    }

    private void Decode(Lz4Frame.Descriptor frame, int size, bool stored)
    {
        var history = frame.Independent ? 0 : Math.Min(HistorySize, _end);
        var room = stored ? size : (int)Math.Min(frame.MaxBlockSize, (long)size * MostExpansion);
        var previous = _plain.AsSpan(_end - history, history);
        if (_plain.Length < history + room)
        {
            var larger = ArrayPool<byte>.Shared.Rent(history + room);
            previous.CopyTo(larger);
            Return(ref _plain);
            _plain = larger;
        }
        else
            previous.CopyTo(_plain);
        var block = _compressed.AsSpan(0, size);
        var target = _plain.AsSpan(history, room);
        int decoded;
        if (stored)
        {
            block.CopyTo(target);
            decoded = size;
        }
        else
            decoded = history == 0 ? LZ4Codec.Decode(block, target) : LZ4Codec.Decode(block, target, _plain.AsSpan(0, history));
        if (decoded <= 0)
            throw Corrupt("an LZ4 block does not decompress");
        _start = history;
        _end = history + decoded;
    }

    private async Task<Lz4Frame.Descriptor> ReadDescriptorAsync(CancellationToken cancellationToken)
    {
        const int Most = Lz4Frame.LeastDescriptor + 8;
        await FillAsync(Lz4Frame.LeastDescriptor, cancellationToken).ConfigureAwait(false);
        var bytes = new byte[Most];
        _compressed.AsSpan(0, Lz4Frame.LeastDescriptor).CopyTo(bytes);
        var problem = Lz4Frame.ReadDescriptor(bytes.AsSpan(0, Lz4Frame.LeastDescriptor), null, out var frame, out var needed);
        if (problem is null && frame.DescriptorSize == 0)
        {
            await FillAsync(needed - Lz4Frame.LeastDescriptor, cancellationToken).ConfigureAwait(false);
            _compressed.AsSpan(0, needed - Lz4Frame.LeastDescriptor).CopyTo(bytes.AsSpan(Lz4Frame.LeastDescriptor));
            problem = Lz4Frame.ReadDescriptor(bytes.AsSpan(0, needed), null, out frame, out _);
        }
        return problem is null ? frame : throw Corrupt(problem);
    }

    private async Task FinishAsync(Lz4Frame.Descriptor frame, CancellationToken cancellationToken)
    {
        if (frame.ContentChecksum)
        {
            await FillAsync(4, cancellationToken).ConfigureAwait(false);
            if (BinaryPrimitives.ReadUInt32LittleEndian(_compressed) != _hash.Value())
                throw Corrupt("wrong checksum of the LZ4 content");
        }
        if (frame.ContentSize is { } said && said != (ulong)_content)
            throw Corrupt($"the LZ4 content has {_content} bytes, its frame says {said}");
        if (await _input.ReadAsync(_compressed.AsMemory(0, 1), cancellationToken).ConfigureAwait(false) > 0)
            throw Corrupt("bytes follow the LZ4 frame");
        (_start, _end, _ended) = (0, 0, true);
    }

    /// <summary>Reads exactly so many bytes to the start of the buffer.</summary>
    private async Task FillAsync(int count, CancellationToken cancellationToken)
    {
        if (_position + count > _length)
            throw EndsEarly(_length.Value);
        if (_compressed.Length < count)
        {
            Return(ref _compressed);
            _compressed = ArrayPool<byte>.Shared.Rent(count);
        }
        var read = await _input.ReadAtLeastAsync(_compressed.AsMemory(0, count), count, false, cancellationToken).ConfigureAwait(false);
        _position += read;
        if (read < count)
            throw EndsEarly(_position);
    }

    private void ReturnBuffers()
    {
        Return(ref _compressed);
        Return(ref _plain);
        (_start, _end, _ended) = (0, 0, true);
    }

    private static void Return(ref byte[] buffer)
    {
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
    }

    private LitestreamException EndsEarly(long at) => new(LitestreamError.Corrupt, $"it ends inside its LZ4 frame, at byte {at}");

    private LitestreamException Corrupt(string problem) => new(LitestreamError.Corrupt, $"{problem}, before byte {_position}");
}
