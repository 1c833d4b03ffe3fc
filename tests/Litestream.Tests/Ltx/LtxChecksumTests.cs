using System.Text;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

public class LtxChecksumTests
{
    [Theory]
    [InlineData("", 0x0000000000000000)]
    [InlineData("\0", 0x6f90000000000000)]
    [InlineData("a", 0x3420000000000000)]
    [InlineData("123456789", 0xb90956c775a41001)]
    public void Crc64_KnownText_GivesGosNumber(string text, ulong expected)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        Assert.Equal(expected, LtxChecksum.Crc64(0, bytes));
        Assert.Equal(expected, Crc64.UpdateBytewise(0, bytes));
    }

    [Fact]
    public void Page_ZeroPages_GivesKnownNumbers()
    {
        Assert.Equal(0xefb1f44fecd99000, LtxChecksum.Page(1, new byte[512]));
        Assert.Equal(0xd9328f592d9e733d, LtxChecksum.Page(1, new byte[4096]));
        Assert.Equal(0x915f1aa105fdbe4f, LtxChecksum.Page(1, LtxSamples.SnapshotPage(1)));
        Assert.Equal(0x92be35423e91cc9e, LtxChecksum.Page(2, LtxSamples.SnapshotPage(2)));
        Assert.Equal(0xec1ed01cd7b5e2d1, LtxChecksum.Page(3, LtxSamples.SnapshotPage(3)));
    }

    [Fact]
    public void Roll_PagesComeAndGo_KeepsTheFlag()
    {
        var first = LtxChecksum.Page(1, LtxSamples.SnapshotPage(1));
        var second = LtxChecksum.Page(2, LtxSamples.SnapshotPage(2));
        var third = LtxChecksum.Page(3, LtxSamples.SnapshotPage(3));
        var database = LtxChecksum.Roll(LtxChecksum.Roll(LtxChecksum.Roll(LtxChecksum.EmptyDatabase, 0, first), 0, second), 0, third);
        Assert.Equal(0xefffffffecd99000, database);
        Assert.Equal(LtxChecksum.Flag | first ^ second, LtxChecksum.Roll(database, third, 0));
        Assert.Equal(
            LtxChecksum.EmptyDatabase,
            LtxChecksum.Roll(LtxChecksum.Roll(LtxChecksum.Roll(database, third, 0), second, 0), first, 0)
        );
    }

    [Theory]
    [InlineData(512, 2097153)]
    [InlineData(1024, 1048577)]
    [InlineData(2048, 524289)]
    [InlineData(4096, 262145)]
    [InlineData(8192, 131073)]
    [InlineData(16384, 65537)]
    [InlineData(32768, 32769)]
    [InlineData(65536, 16385)]
    public void LockPage_EachPageSize_IsThePageAtOneGiB(int pageSize, uint expected) =>
        Assert.Equal(expected, LtxChecksum.LockPage(pageSize));

    [Fact]
    public void Crc64_EveryPathAndLength_GivesTheSameNumber()
    {
        var random = new Random(64);
        var bytes = new byte[1500];
        random.NextBytes(bytes);
        for (var length = 0; length <= bytes.Length; length++)
        {
            var span = bytes.AsSpan(random.Next(bytes.Length - length + 1), length);
            var seed = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            AssertAllPaths(seed, span);
        }
    }

    [Fact]
    public void Crc64_LongRandomInputs_GivesTheSameNumberOnEveryPath()
    {
        var random = new Random(640);
        for (var i = 0; i < 60; i++)
        {
            var bytes = new byte[random.Next(200_000)];
            random.NextBytes(bytes);
            AssertAllPaths((ulong)random.NextInt64(), bytes);
        }
    }

    [Fact]
    public void Crc64_InPieces_EqualsTheWhole()
    {
        var random = new Random(641);
        var bytes = new byte[70_000];
        random.NextBytes(bytes);
        var whole = LtxChecksum.Crc64(0, bytes);
        for (var i = 0; i < 100; i++)
        {
            ulong crc = 0;
            for (var at = 0; at < bytes.Length; )
            {
                var count = Math.Min(random.Next(1, 5000), bytes.Length - at);
                crc = LtxChecksum.Crc64(crc, bytes.AsSpan(at, count));
                at += count;
            }
            Assert.Equal(whole, crc);
        }
    }

    private static void AssertAllPaths(ulong seed, ReadOnlySpan<byte> bytes)
    {
        var expected = Crc64.UpdateBytewise(seed, bytes);
        Assert.Equal(expected, Crc64.UpdateTable(seed, bytes));
        Assert.Equal(expected, Crc64.Update(seed, bytes));
        if (Crc64.IsFold128Supported)
            Assert.Equal(expected, Crc64.UpdateFold128(seed, bytes));
        if (Crc64.IsFold512Supported)
            Assert.Equal(expected, Crc64.UpdateFold512(seed, bytes));
    }
}
