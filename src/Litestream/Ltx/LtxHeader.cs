using System.Buffers.Binary;
using System.Numerics;

namespace Litestream.Ltx;

/// <summary>The 100 bytes at the start of an LTX file. Immutable.</summary>
public sealed record LtxHeader
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 100;

    /// <summary>Smallest page size.</summary>
    public const int MinPageSize = 512;

    /// <summary>Largest page size.</summary>
    public const int MaxPageSize = 65536;

    private const uint NoChecksumFlag = 0x2;

    /// <summary>Bytes in a page: a power of two, 512 to 65536.</summary>
    public required int PageSize { get; init; }

    /// <summary>Size of the database after this file, in pages. 0: it was emptied.</summary>
    public required uint Commit { get; init; }

    /// <summary>First transaction.</summary>
    public required Txid MinTxid { get; init; }

    /// <summary>Last transaction.</summary>
    public required Txid MaxTxid { get; init; }

    /// <summary>When the last transaction was copied; whole milliseconds, UTC.</summary>
    public DateTimeOffset Timestamp { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>Rolling checksum of the database before this file; 0 in snapshots and with <see cref="NoChecksum"/>.</summary>
    public ulong PreApplyChecksum { get; init; }

    /// <summary>Byte in SQLite's WAL where this file's frames begin; 0 when it does not come from a WAL.</summary>
    public long WalOffset { get; init; }

    /// <summary>Bytes of the WAL that this file covers.</summary>
    public long WalSize { get; init; }

    /// <summary>First salt of that WAL.</summary>
    public uint WalSalt1 { get; init; }

    /// <summary>Second salt of that WAL.</summary>
    public uint WalSalt2 { get; init; }

    /// <summary>Number of the node that wrote the file; Litestream leaves it 0.</summary>
    public ulong NodeId { get; init; }

    /// <summary>True when the file carries no rolling checksums, as every file of Litestream.</summary>
    public bool NoChecksum { get; init; }

    /// <summary>True when the file starts at the first transaction, so it must hold every page.</summary>
    public bool IsSnapshot => MinTxid == Txid.First;

    /// <summary>Number of the page that is never in a file of this page size.</summary>
    public uint LockPage => LtxChecksum.LockPage(PageSize);

    /// <summary>True for a power of two from 512 to 65536.</summary>
    public static bool IsPageSize(long pageSize) => pageSize is >= MinPageSize and <= MaxPageSize && BitOperations.IsPow2(pageSize);

    /// <summary>Reads and checks a header.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: these bytes are no header of an LTX file of version 3.</exception>
    public static LtxHeader Read(ReadOnlySpan<byte> source)
    {
        if (source.Length < Size)
            throw Corrupt($"{source.Length} bytes are too few, a header has {Size}");
        if (!source.StartsWith("LTX1"u8))
            throw Corrupt("this is no LTX file, the first four bytes are not 'LTX1'");
        var flags = BinaryPrimitives.ReadUInt32BigEndian(source[4..]);
        if ((flags & ~NoChecksumFlag) != 0)
            throw Corrupt($"unknown flags 0x{flags:x8}");
        var pageSize = BinaryPrimitives.ReadUInt32BigEndian(source[8..]);
        if (!IsPageSize(pageSize))
            throw Corrupt($"illegal page size {pageSize}");
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(source[32..]);
        if (
            milliseconds < DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            || milliseconds > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
        )
            throw Corrupt($"impossible time {milliseconds} ms");
        var header = new LtxHeader
        {
            NoChecksum = flags != 0,
            PageSize = (int)pageSize,
            Commit = BinaryPrimitives.ReadUInt32BigEndian(source[12..]),
            MinTxid = new Txid(BinaryPrimitives.ReadUInt64BigEndian(source[16..])),
            MaxTxid = new Txid(BinaryPrimitives.ReadUInt64BigEndian(source[24..])),
            Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds),
            PreApplyChecksum = BinaryPrimitives.ReadUInt64BigEndian(source[40..]),
            WalOffset = BinaryPrimitives.ReadInt64BigEndian(source[48..]),
            WalSize = BinaryPrimitives.ReadInt64BigEndian(source[56..]),
            WalSalt1 = BinaryPrimitives.ReadUInt32BigEndian(source[64..]),
            WalSalt2 = BinaryPrimitives.ReadUInt32BigEndian(source[68..]),
            NodeId = BinaryPrimitives.ReadUInt64BigEndian(source[72..]),
        };
        return header.Problem() is { } problem ? throw Corrupt(problem) : header;
    }

    /// <summary>Writes the header; the reserved bytes become 0.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <exception cref="ArgumentException">The header breaks a rule of the format.</exception>
    public void Write(Span<byte> destination)
    {
        if (Problem() is { } problem)
            throw new ArgumentException($"LTX header: {problem}.");
        destination[..Size].Clear();
        "LTX1"u8.CopyTo(destination);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], NoChecksum ? NoChecksumFlag : 0);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], (uint)PageSize);
        BinaryPrimitives.WriteUInt32BigEndian(destination[12..], Commit);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], MinTxid.Value);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], MaxTxid.Value);
        BinaryPrimitives.WriteInt64BigEndian(destination[32..], Timestamp.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteUInt64BigEndian(destination[40..], PreApplyChecksum);
        BinaryPrimitives.WriteInt64BigEndian(destination[48..], WalOffset);
        BinaryPrimitives.WriteInt64BigEndian(destination[56..], WalSize);
        BinaryPrimitives.WriteUInt32BigEndian(destination[64..], WalSalt1);
        BinaryPrimitives.WriteUInt32BigEndian(destination[68..], WalSalt2);
        BinaryPrimitives.WriteUInt64BigEndian(destination[72..], NodeId);
    }

    private string? Problem()
    {
        if (!IsPageSize(PageSize))
            return $"illegal page size {PageSize}";
        if (MinTxid.IsNone || MaxTxid.IsNone || MinTxid > MaxTxid)
            return $"illegal range of transactions {MinTxid}-{MaxTxid}";
        if (WalOffset < 0 || WalSize < 0)
            return "negative WAL offset or size";
        if (WalOffset == 0 && (WalSize != 0 || WalSalt1 != 0 || WalSalt2 != 0))
            return "WAL size or salts without a WAL offset";
        if (IsSnapshot || NoChecksum)
            return PreApplyChecksum == 0 ? null : "a checksum from before where there must be none";
        return (PreApplyChecksum & LtxChecksum.Flag) != 0 ? null : "the checksum from before is missing";
    }

    private static LitestreamException Corrupt(string problem) => new(LitestreamError.Corrupt, $"LTX header: {problem}");
}
