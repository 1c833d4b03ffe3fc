using System.Buffers.Binary;

namespace Litestream.Ltx;

/// <summary>The six bytes before each page. Six zero bytes end the pages.</summary>
/// <param name="PageNumber">From 1; 0 only at the end of the pages.</param>
/// <param name="HasSize">True: a size of four bytes and an LZ4 block follow. False: an LZ4 frame follows (Litestream before 0.5.16).</param>
internal readonly record struct LtxPageHeader(uint PageNumber, bool HasSize)
{
    public const int Size = 6;

    /// <summary>Bytes of the size field behind a header that has one.</summary>
    public const int SizeFieldSize = 4;

    private const ushort SizeFlag = 0x1;

    public bool IsEnd => PageNumber == 0;

    /// <summary>Reads a page header; a problem is returned as text, null when all is well.</summary>
    public static string? TryRead(ReadOnlySpan<byte> source, out LtxPageHeader header)
    {
        var number = BinaryPrimitives.ReadUInt32BigEndian(source);
        var flags = BinaryPrimitives.ReadUInt16BigEndian(source[4..]);
        header = new LtxPageHeader(number, (flags & SizeFlag) != 0);
        if ((flags & ~SizeFlag) != 0)
            return $"page {number} has unknown flags 0x{flags:x4}";
        return number == 0 && flags != 0 ? "the end of the pages has flags" : null;
    }

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, PageNumber);
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], HasSize ? SizeFlag : (ushort)0);
    }
}
