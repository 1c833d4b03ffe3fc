using System.Buffers.Binary;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

public class LtxStructuresTests
{
    [Theory]
    [InlineData(0, 0x4d)] // magic
    [InlineData(7, 0x01)] // flag of version 1
    [InlineData(4, 0x80)] // unknown flag
    [InlineData(10, 0x01)] // page size 256
    [InlineData(11, 0x01)] // page size 513
    [InlineData(8, 0x01)] // page size of 16 MiB
    [InlineData(32, 0x7f)] // a time no calendar has
    [InlineData(40, 0x80)] // checksum in a file without checksums
    [InlineData(48, 0x80)] // negative WAL offset
    [InlineData(56, 0x80)] // negative WAL size
    public void Read_HeaderAgainstTheRules_IsCorrupt(int at, byte value)
    {
        var bytes = new byte[LtxHeader.Size];
        LtxSamples.IncrementHeader.Write(bytes);
        Assert.Equal(LtxSamples.IncrementHeader, LtxHeader.Read(bytes));
        bytes[at] = value;
        Assert.Equal(LitestreamError.Corrupt, Assert.Throws<LitestreamException>(() => LtxHeader.Read(bytes)).Error);
        Assert.Throws<LitestreamException>(() => LtxHeader.Read(bytes.AsSpan(0, 99)));
    }

    [Fact]
    public void Write_HeaderAgainstTheRules_IsRefused()
    {
        var good = LtxSamples.IncrementHeader;
        LtxHeader[] bad =
        [
            good with
            {
                MinTxid = Txid.None,
            },
            good with
            {
                MinTxid = new Txid(3),
            },
            good with
            {
                PageSize = 1000,
            },
            good with
            {
                PageSize = 131072,
            },
            good with
            {
                WalOffset = 0,
            },
            good with
            {
                WalOffset = 0,
                WalSize = 0,
            },
            good with
            {
                PreApplyChecksum = LtxChecksum.Flag | 1,
            },
            good with
            {
                NoChecksum = false,
            },
            good with
            {
                NoChecksum = false,
                PreApplyChecksum = 1,
            },
            good with
            {
                NoChecksum = false,
                MinTxid = Txid.First,
                PreApplyChecksum = LtxChecksum.Flag,
            },
        ];
        Assert.All(bad, h => Assert.Throws<ArgumentException>(() => h.Write(new byte[LtxHeader.Size])));
    }

    [Theory]
    [InlineData("00000000000000ff/8000000000000001", true)]
    [InlineData("00000000000000FF/efffffffecd99000", true)]
    [InlineData("00000000000000ff", false)]
    [InlineData("00000000000000ff-8000000000000001", false)]
    [InlineData("00000000000000ff/800000000000001", false)]
    [InlineData("00000000000000fg/8000000000000001", false)]
    [InlineData("", false)]
    public void TryParse_Position_ReadsOnlyTheTwoNumbers(string text, bool valid)
    {
        Assert.Equal(valid, LtxPosition.TryParse(text, out var position));
        if (!valid)
            return;
        Assert.Equal(new Txid(255), position.Txid);
        Assert.Equal(text.ToLowerInvariant(), position.ToString());
    }

    [Fact]
    public void Locate_ImpossibleSizes_IsCorrupt()
    {
        var file = LtxSamples.Snapshot();
        var tail = file[^LtxPageIndex.TailSize..];
        Assert.Equal((211, 12), LtxPageIndex.Locate(file.Length, tail));
        foreach (var size in new ulong[] { 0, 118, 1UL << 40, ulong.MaxValue })
        {
            BinaryPrimitives.WriteUInt64BigEndian(tail, size);
            Assert.Throws<LitestreamException>(() => LtxPageIndex.Locate(file.Length, tail));
        }
        Assert.Throws<LitestreamException>(() => LtxPageIndex.Locate(23, tail));
        Assert.Throws<LitestreamException>(() => LtxPageIndex.Locate(file.Length, tail.AsSpan(1)));
    }

    [Theory]
    [InlineData("016423 02870123 03aa0123")] // no end
    [InlineData("016423 02870123 03aa0123 0000")] // bytes behind the end
    [InlineData("016423 03aa0123 02870123 00")] // descending
    [InlineData("016424 02870123 03aa0123 00")] // overlapping
    [InlineData("016423 02870123 04aa0123 00")] // beyond the database
    [InlineData("016423 02870123 00")] // one short
    [InlineData("ffffffffffffffffffff7f")] // a number of more than 64 bits
    [InlineData("01640102870123 03aa0123 00")] // smaller than a page header
    [InlineData("")]
    public void Parse_IndexThatCannotBe_IsCorrupt(string hex)
    {
        var header = LtxHeader.Read(LtxSamples.Snapshot());
        var good = LtxPageIndex.Parse(LtxSamples.Hex("016423 02870123 03aa0123 00"), header, 211);
        Assert.Equal(new LtxPageIndexEntry[] { new(1, 100, 35), new(2, 135, 35), new(3, 170, 35) }, good);
        Assert.Equal(
            LitestreamError.Corrupt,
            Assert.Throws<LitestreamException>(() => LtxPageIndex.Parse(LtxSamples.Hex(hex), header, 211)).Error
        );
    }
}
