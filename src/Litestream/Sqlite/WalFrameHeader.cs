using System.Buffers.Binary;

namespace Litestream.Sqlite;

/// <summary>The 24 bytes before each page in a WAL.</summary>
/// <param name="PageNumber">1 or more in a valid frame.</param>
/// <param name="CommitPages">Size of the database in pages when this frame ends a transaction, else 0.</param>
/// <param name="Salt">The WAL's life that the frame belongs to.</param>
/// <param name="Checksum">Running checksum up to and with this frame.</param>
internal readonly record struct WalFrameHeader(uint PageNumber, uint CommitPages, WalSalt Salt, WalChecksum Checksum)
{
    internal const int Size = 24;

    internal bool IsCommit => CommitPages != 0;

    internal static WalFrameHeader Read(ReadOnlySpan<byte> bytes) =>
        new(
            BinaryPrimitives.ReadUInt32BigEndian(bytes),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
            new WalSalt(BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[12..])),
            new WalChecksum(BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[20..]))
        );

    /// <summary>Byte offset of frame <paramref name="frame"/> (the first is 1) in the file.</summary>
    internal static long OffsetOf(long frame, int pageSize) => WalHeader.Size + (frame - 1) * (Size + (long)pageSize);

    /// <summary>Byte offset just behind frame <paramref name="frame"/>; of frame 0 the end of the WAL header.</summary>
    internal static long EndOf(long frame, int pageSize) => OffsetOf(frame + 1, pageSize);

    /// <summary>Number of the frame that ends at <paramref name="offset"/>; 0 for the end of the WAL header. -1 when no frame ends there.</summary>
    internal static long FrameEndingAt(long offset, int pageSize)
    {
        var (frames, rest) = Math.DivRem(offset - WalHeader.Size, Size + (long)pageSize);
        return rest == 0 ? frames : -1;
    }
}
