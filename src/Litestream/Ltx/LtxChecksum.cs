using System.Buffers.Binary;

namespace Litestream.Ltx;

/// <summary>The checksums of the LTX format: CRC-64/ISO as Go computes it, over pages, databases and files.</summary>
/// <remarks>A stored checksum always has <see cref="Flag"/> set; 0 means "absent". Stateless, safe on any thread.</remarks>
public static class LtxChecksum
{
    /// <summary>The bit that marks a checksum as present.</summary>
    public const ulong Flag = 1UL << 63;

    /// <summary>The rolling checksum of a database without pages.</summary>
    public const ulong EmptyDatabase = Flag;

    private const long LockByte = 0x40000000;

    /// <summary>Continues a CRC-64 over more bytes; start with a <paramref name="seed"/> of 0. Does not set <see cref="Flag"/>.</summary>
    public static ulong Crc64(ulong seed, ReadOnlySpan<byte> bytes) => Ltx.Crc64.Update(seed, bytes);

    /// <summary>The checksum of one page: of its number, big-endian, and its bytes; with <see cref="Flag"/>.</summary>
    public static ulong Page(uint pageNumber, ReadOnlySpan<byte> page)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(number, pageNumber);
        return Flag | Crc64(Crc64(0, number), page);
    }

    /// <summary>
    /// Replaces one page in the rolling checksum of a database: <paramref name="before"/> and <paramref name="after"/> are checksums of the page,
    /// 0 for a page that was not or is no longer there. The lock page never takes part.
    /// </summary>
    public static ulong Roll(ulong database, ulong before, ulong after) => Flag | (database ^ before ^ after);

    /// <summary>Number of the page that holds the byte at 1 GiB. SQLite stores nothing in it, and no LTX file contains it.</summary>
    public static uint LockPage(int pageSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        return (uint)(LockByte / pageSize) + 1;
    }
}
