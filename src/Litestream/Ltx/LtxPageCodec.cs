using System.Buffers.Binary;

namespace Litestream.Ltx;

/// <summary>One page as it stands in a file: its header and its compressed bytes, in either of the two forms.</summary>
internal static class LtxPageCodec
{
    /// <summary>Most bytes that a page needs.</summary>
    public static int MaxSize(int pageSize, bool legacy) =>
        PrefixSize(legacy) + (legacy ? Lz4Frame.MaxSize(pageSize) : Lz4Block.MaxSize(pageSize));

    /// <summary>Bytes before the compressed ones, which count for the file's checksum.</summary>
    public static int PrefixSize(bool legacy) => legacy ? LtxPageHeader.Size : LtxPageHeader.Size + LtxPageHeader.SizeFieldSize;

    /// <summary>Writes the page; returns its length.</summary>
    public static int Write(Span<byte> destination, uint pageNumber, ReadOnlySpan<byte> page, bool legacy)
    {
        new LtxPageHeader(pageNumber, !legacy).Write(destination);
        var prefix = PrefixSize(legacy);
        if (legacy)
            return prefix + Lz4Frame.Write(page, destination[prefix..]);
        var size = Lz4Block.Encode(page, destination[prefix..]);
        BinaryPrimitives.WriteUInt32BigEndian(destination[LtxPageHeader.Size..], (uint)size);
        return prefix + size;
    }
}
