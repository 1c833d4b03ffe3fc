using System.Buffers.Binary;
using Litestream.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>The header of a WAL: data, no data, or an error (replication-engine §21 A).</summary>
public sealed class WalHeaderTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(31)]
    public void A4_FileShorterThanAHeader_IsNoData(int length)
    {
        using var folder = new TempFolder();
        using var wal = new WalBuilder().Open(folder, b => b[..length]);
        Assert.Null(wal.ReadHeader());
    }

    [Fact]
    public void A5_WrongMagic_IsAnErrorThatNamesTheFile()
    {
        using var folder = new TempFolder();
        using var wal = new WalBuilder().Open(folder, b => With(b, 0, 0x377f0684));
        var e = Assert.Throws<LitestreamException>(() => wal.ReadHeader());
        Assert.Equal(LitestreamError.Corrupt, e.Error);
        Assert.Contains(wal.Path, e.Message, StringComparison.Ordinal);
        Assert.Contains("377f0684", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(24)]
    [InlineData(28)]
    public void A6_HeaderChecksumDoesNotHold_IsNoData(int at)
    {
        using var folder = new TempFolder();
        using var wal = new WalBuilder().Open(
            folder,
            b =>
            {
                b[at] ^= 1;
                return b;
            }
        );
        Assert.Null(wal.ReadHeader());
    }

    [Theory]
    [InlineData(4, 3007001u)]
    [InlineData(8, 256u)]
    [InlineData(8, 4095u)]
    [InlineData(8, 131072u)]
    public void A7_VersionOrPageSizeOfAnotherFormat_WithAValidChecksum_IsAnError(int at, uint value)
    {
        using var folder = new TempFolder();
        using var wal = new WalBuilder().Open(folder, b => Seal(With(b, at, value)));
        Assert.Equal(LitestreamError.Corrupt, Assert.Throws<LitestreamException>(() => wal.ReadHeader()).Error);
    }

    [Theory]
    [MemberData(nameof(WalReaderTests.Shapes), MemberType = typeof(WalReaderTests))]
    public void A15_HeaderOfEveryPageSizeAndByteOrder_IsRead(int pageSize, bool bigEndian)
    {
        using var folder = new TempFolder();
        using var wal = new WalBuilder(pageSize, bigEndian).Open(folder);
        var header = wal.ReadHeader()!.Value;
        Assert.Equal(
            (bigEndian, pageSize, 7u, new WalSalt(0x11223344, 0x55667788)),
            (header.BigEndianChecksums, header.PageSize, header.CheckpointSequence, header.Salt)
        );
    }

    [Fact]
    public void Offsets_AreSixtyFourBitsWide_A16()
    {
        Assert.Equal(32 + 70_000L * (65536 + 24), WalFrameHeader.EndOf(70_000, 65536));
        Assert.Equal(70_000, WalFrameHeader.FrameEndingAt(32 + 70_000L * (65536 + 24), 65536));
        Assert.Equal(-1, WalFrameHeader.FrameEndingAt(33 + 70_000L * (65536 + 24), 65536));
        Assert.Equal(0, WalFrameHeader.FrameEndingAt(32, 4096));
        Assert.Equal(
            32 + 4_000_000_000L * (24 + 4096),
            WalIndexHeader.Empty(4096) with { LastFrame = 4_000_000_000 } is var h ? h.EndOffset : 0
        );
    }

    private static byte[] With(byte[] bytes, int at, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), value);
        return bytes;
    }

    /// <summary>Makes the header's checksum right again.</summary>
    private static byte[] Seal(byte[] bytes)
    {
        uint s1 = 0,
            s2 = 0;
        for (var i = 0; i < 24; i += 8)
        {
            s1 = unchecked(s1 + BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i)) + s2);
            s2 = unchecked(s2 + BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i + 4)) + s1);
        }
        return With(With(bytes, 24, s1), 28, s2);
    }
}
