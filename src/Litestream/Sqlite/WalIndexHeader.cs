using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Litestream.Sqlite;

/// <summary>
/// Where SQLite itself says the WAL ends: the 48 bytes of <c>sqlite3_snapshot_get</c>, which are the header of the wal-index.
/// A frame in the file that lies behind <see cref="LastFrame"/> is not a commit, however valid it looks.
/// </summary>
/// <param name="PageSize">Bytes a page.</param>
/// <param name="LastFrame">Last committed frame; 0 when none is in the WAL.</param>
/// <param name="Pages">Size of the database in pages after it; meaningless when <paramref name="LastFrame"/> is 0.</param>
/// <param name="LastChecksum">Running checksum at that frame.</param>
/// <param name="Salt">The WAL's present life.</param>
/// <param name="BigEndianChecksums">Byte order of checksum words.</param>
/// <param name="Change">Counts transactions; changes with every commit.</param>
internal readonly record struct WalIndexHeader(
    int PageSize,
    uint LastFrame,
    uint Pages,
    WalChecksum LastChecksum,
    WalSalt Salt,
    bool BigEndianChecksums,
    uint Change
)
{
    internal const int Size = 48;
    private const uint Version = 3007000;

    /// <summary>The WAL was never written since it was made.</summary>
    internal static WalIndexHeader Empty(int pageSize) => new(pageSize, 0, 0, default, WalSalt.None, false, 0);

    /// <exception cref="LitestreamException"><see cref="LitestreamError.Database"/>: these bytes are no such header.</exception>
    internal static WalIndexHeader Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Size)
            throw Unknown($"{bytes.Length} bytes");
        var words = MemoryMarshal.Cast<byte, uint>(bytes);
        var pageSize = MemoryMarshal.Read<ushort>(bytes[14..]) is var size && size == 1 ? 65536 : size;
        if (words[0] != Version || bytes[12] == 0)
            throw Unknown($"version {words[0]}, initialised {bytes[12]}");
        // A WAL that was emptied before anybody wrote to it has no page size yet.
        var isUnwritten = pageSize == 0 && words[4] == 0;
        if (!isUnwritten && (pageSize < 512 || !int.IsPow2(pageSize)))
            throw Unknown($"page size {pageSize}");
        return new WalIndexHeader(
            pageSize,
            words[4],
            words[5],
            new WalChecksum(words[6], words[7]),
            // The salts stand there as in the file, whatever the machine's byte order.
            new WalSalt(BinaryPrimitives.ReadUInt32BigEndian(bytes[32..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[36..])),
            bytes[13] != 0,
            words[2]
        );
    }

    private static LitestreamException Unknown(string what) =>
        new(LitestreamError.Database, $"this SQLite library lays out its wal-index in an unknown way ({what})")
        {
            Hint = "use the SQLite library that comes with SQLitePCLRaw.bundle_e_sqlite3 3.0.5",
        };

    /// <summary>Byte offset in the WAL just behind the last committed frame.</summary>
    internal long EndOffset => WalFrameHeader.EndOf(LastFrame, PageSize);
}
