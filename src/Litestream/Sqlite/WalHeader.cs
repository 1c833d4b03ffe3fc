using System.Buffers.Binary;

namespace Litestream.Sqlite;

/// <summary>The first 32 bytes of a WAL file.</summary>
internal readonly record struct WalHeader(
    bool BigEndianChecksums,
    int PageSize,
    uint CheckpointSequence,
    WalSalt Salt,
    WalChecksum Checksum
)
{
    internal const int Size = 32;
    private const uint MagicLittleEndian = 0x377f0682;
    private const uint MagicBigEndian = 0x377f0683;
    private const uint Version = 3007000;

    /// <summary>Reads a header.</summary>
    /// <returns>Null for "no data": a short file, or a header torn by a crash while the WAL was restarted.</returns>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: another magic number, version or page size.</exception>
    internal static WalHeader? Read(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length < Size)
            return null;
        var magic = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (magic is not (MagicLittleEndian or MagicBigEndian))
            throw Corrupt(path, $"magic number {magic:x8}");
        var bigEndian = magic == MagicBigEndian;
        var checksum = new WalChecksum(
            BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[28..])
        );
        if (default(WalChecksum).Add(bytes[..24], bigEndian) != checksum)
            return null;
        var version = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        if (version != Version)
            throw Corrupt(path, $"version {version}");
        var pageSize = BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]);
        if (pageSize is < 512 or > 65536 || !uint.IsPow2(pageSize))
            throw Corrupt(path, $"page size {pageSize}");
        return new WalHeader(
            bigEndian,
            (int)pageSize,
            BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]),
            new WalSalt(BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[20..])),
            checksum
        );
    }

    private static LitestreamException Corrupt(string path, string what) =>
        new(LitestreamError.Corrupt, $"{path} is not a write-ahead log that SQLite writes today: {what}") { Path = path };
}
