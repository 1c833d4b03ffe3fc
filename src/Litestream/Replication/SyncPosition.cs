using Litestream.Ltx;
using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>How far the WAL has been turned into LTX files: what the newest local file says of itself.</summary>
/// <param name="Txid">Its last transaction.</param>
/// <param name="PageSize">Its page size.</param>
/// <param name="Commit">Size of the database in pages after it.</param>
/// <param name="Salt">The life of the WAL that it was read from; none when the WAL was never written.</param>
/// <param name="EndOffset">Byte offset in that WAL behind its last frame.</param>
/// <param name="Timestamp">Its time.</param>
/// <param name="Running">Running checksum of the WAL there; null when only the file is known (after a start).</param>
internal sealed record SyncPosition(
    Txid Txid,
    int PageSize,
    uint Commit,
    WalSalt Salt,
    long EndOffset,
    DateTimeOffset Timestamp,
    WalChecksum? Running = null
)
{
    internal static SyncPosition From(LtxHeader header) =>
        new(
            header.MaxTxid,
            header.PageSize,
            header.Commit,
            new WalSalt(header.WalSalt1, header.WalSalt2),
            Math.Max(WalHeader.Size, header.WalOffset + header.WalSize),
            header.Timestamp
        );

    /// <summary>Number of the last frame that was copied; 0 when none of this life was, -1 when the offset is no frame's end.</summary>
    internal long EndFrame => WalFrameHeader.FrameEndingAt(EndOffset, PageSize);
}
