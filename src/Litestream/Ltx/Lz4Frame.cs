using System.Buffers.Binary;
using K4os.Compression.LZ4;

namespace Litestream.Ltx;

/// <summary>
/// One page in the LZ4 frame format, as Litestream wrote pages before 0.5.16. Reading accepts every legal descriptor but dictionaries. Frames of any length
/// are read by <see cref="Lz4FrameStream"/>.
/// </summary>
internal static class Lz4Frame
{
    private const uint Magic = 0x184D2204;
    internal const uint StoredFlag = 0x80000000;
    internal const int LeastDescriptor = 7;

    // What Go's encoder writes: version 1, independent blocks of at most 64 KiB, content checksum; and the check byte of that.
    private static ReadOnlySpan<byte> WrittenDescriptor => [0x04, 0x22, 0x4D, 0x18, 0x64, 0x40, 0xA7];

    /// <summary>Most bytes that <see cref="Write"/> produces for a page.</summary>
    public static int MaxSize(int pageSize) => WrittenDescriptor.Length + 4 + Lz4Block.MaxSize(pageSize) + 8;

    /// <summary>Writes a page as Litestream 0.5.0 to 0.5.15 did; returns the length.</summary>
    public static int Write(ReadOnlySpan<byte> page, Span<byte> destination)
    {
        WrittenDescriptor.CopyTo(destination);
        var body = destination[WrittenDescriptor.Length..];
        var size = Lz4Block.Encode(page, body[4..]);
        if (size >= page.Length)
        {
            page.CopyTo(body[4..]);
            size = page.Length;
            BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)size | StoredFlag);
        }
        else
            BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)size);
        BinaryPrimitives.WriteUInt32LittleEndian(body[(4 + size)..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(body[(8 + size)..], XxHash32.Hash(page));
        return WrittenDescriptor.Length + 4 + size + 8;
    }

    /// <summary>Finds the length of the frame without decoding it.</summary>
    /// <param name="source">What is at hand.</param>
    /// <param name="pageSize">Bytes that must come out.</param>
    /// <param name="length">Length of the frame, when all of it is at hand.</param>
    /// <param name="needed">Otherwise: bytes that must at least be at hand to go on.</param>
    /// <returns>What is wrong with it as text; null when nothing is wrong so far.</returns>
    public static string? Measure(ReadOnlySpan<byte> source, int pageSize, out int length, out int needed)
    {
        length = 0;
        needed = LeastDescriptor;
        if (source.Length < needed)
            return null;
        if (ReadDescriptor(source, pageSize, out var frame, out needed) is { } problem)
            return problem;
        if (frame.DescriptorSize == 0)
            return null;
        var at = frame.DescriptorSize;
        var bound = LZ4Codec.MaximumOutputSize(pageSize);
        while (true)
        {
            needed = at + 4;
            if (source.Length < needed)
                return null;
            var word = BinaryPrimitives.ReadUInt32LittleEndian(source[at..]);
            if (word == 0)
                break;
            var size = word & ~StoredFlag;
            if (size == 0 || size > Math.Min(bound, frame.MaxBlockSize))
                return $"impossible LZ4 block of {size} bytes";
            at += 4 + (int)size + (frame.BlockChecksum ? 4 : 0);
        }
        needed = at + 4 + (frame.ContentChecksum ? 4 : 0);
        if (source.Length >= needed)
            length = needed;
        return null;
    }

    /// <summary>Decodes a whole frame that <see cref="Measure"/> has measured.</summary>
    /// <returns>What is wrong with it as text; null when the page is complete.</returns>
    public static string? Read(ReadOnlySpan<byte> source, Span<byte> page)
    {
        if (ReadDescriptor(source, page.Length, out var frame, out _) is { } problem)
            return problem;
        var at = frame.DescriptorSize;
        var filled = 0;
        while (BinaryPrimitives.ReadUInt32LittleEndian(source[at..]) is var word && word != 0)
        {
            var block = source.Slice(at + 4, (int)(word & ~StoredFlag));
            at += 4 + block.Length;
            if (frame.BlockChecksum)
            {
                if (BinaryPrimitives.ReadUInt32LittleEndian(source[at..]) != XxHash32.Hash(block))
                    return "wrong checksum of an LZ4 block";
                at += 4;
            }
            var size = ReadBlock(block, (word & StoredFlag) != 0, page, filled, frame);
            if (size <= 0 || size > frame.MaxBlockSize)
                return "an LZ4 block does not decompress";
            filled += size;
        }
        if (filled != page.Length)
            return $"it decompresses to {filled} bytes instead of {page.Length}";
        if (frame.ContentChecksum && BinaryPrimitives.ReadUInt32LittleEndian(source[(at + 4)..]) != XxHash32.Hash(page))
            return "wrong checksum of the LZ4 content";
        return null;
    }

    private static int ReadBlock(ReadOnlySpan<byte> block, bool stored, Span<byte> page, int filled, Descriptor frame)
    {
        var target = page[filled..];
        if (target.IsEmpty)
            return 0;
        if (stored)
            return block.TryCopyTo(target) ? block.Length : 0;
        // Dependent blocks refer to at most 64 KiB of what came before: a page is no longer than that.
        return frame.Independent || filled == 0 ? LZ4Codec.Decode(block, target) : LZ4Codec.Decode(block, target, page[..filled]);
    }

    /// <summary>Reads and checks what stands before the first block.</summary>
    /// <param name="source">At least <see cref="LeastDescriptor"/> bytes from the frame's start.</param>
    /// <param name="contentSize">Bytes that the content must have, when that is known.</param>
    /// <param name="frame">What it says; its size is 0 when more bytes are needed.</param>
    /// <param name="needed">Bytes of the descriptor.</param>
    /// <returns>What is wrong with it as text; null when nothing is wrong so far.</returns>
    internal static string? ReadDescriptor(ReadOnlySpan<byte> source, long? contentSize, out Descriptor frame, out int needed)
    {
        frame = default;
        needed = LeastDescriptor;
        if (BinaryPrimitives.ReadUInt32LittleEndian(source) != Magic)
            return "an LZ4 frame was expected";
        var flags = source[4];
        var sizes = source[5];
        if (flags >> 6 != 1 || (flags & 0x02) != 0 || (sizes & 0x8F) != 0 || sizes >> 4 < 4)
            return $"unknown LZ4 frame descriptor {flags:x2} {sizes:x2}";
        if ((flags & 0x01) != 0)
            return "LZ4 frames with a dictionary cannot be read";
        var hasContentSize = (flags & 0x08) != 0;
        needed = LeastDescriptor + (hasContentSize ? 8 : 0);
        if (source.Length < needed)
            return null;
        if (source[needed - 1] != (byte)(XxHash32.Hash(source[4..(needed - 1)]) >> 8))
            return "wrong check byte of an LZ4 frame descriptor";
        ulong? said = hasContentSize ? BinaryPrimitives.ReadUInt64LittleEndian(source[6..]) : null;
        if (said is not null && contentSize is { } expected && said != (ulong)expected)
            return "an LZ4 frame for another page size";
        frame = new Descriptor(needed, 1 << (8 + 2 * (sizes >> 4)), (flags & 0x20) != 0, (flags & 0x10) != 0, (flags & 0x04) != 0, said);
        return null;
    }

    /// <summary>What a frame says of itself.</summary>
    internal readonly record struct Descriptor(
        int DescriptorSize,
        int MaxBlockSize,
        bool Independent,
        bool BlockChecksum,
        bool ContentChecksum,
        ulong? ContentSize
    );
}
