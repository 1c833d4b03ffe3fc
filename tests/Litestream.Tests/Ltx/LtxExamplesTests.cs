using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

/// <summary>The worked examples of the format's description, byte for byte.</summary>
public class LtxExamplesTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Decode_SnapshotExample_GivesItsPages()
    {
        var file = LtxSamples.Snapshot();
        Assert.Equal(247, file.Length);
        var (header, pages, trailer) = await LtxSamples.DecodeAsync(file);
        AssertSnapshot(header, pages, trailer);
        Assert.Equal(0xbe34cf69a0d950faUL, trailer.FileChecksum);
    }

    [Fact]
    public async Task Decode_LegacyExample_GivesTheSamePages()
    {
        var file = LtxSamples.LegacySnapshot();
        Assert.Equal(292, file.Length);
        var (header, pages, trailer) = await LtxSamples.DecodeAsync(file);
        AssertSnapshot(header, pages, trailer);
        Assert.Equal(0xf1cc28f28d6f28d6UL, trailer.FileChecksum);
    }

    [Fact]
    public async Task Decode_IncrementExample_GivesItsPages()
    {
        var file = LtxSamples.Increment();
        Assert.Equal(698, file.Length);
        var (header, pages, trailer) = await LtxSamples.DecodeAsync(file);
        Assert.Equal(LtxSamples.IncrementHeader, header);
        Assert.Equal(LtxSamples.IncrementPages(), pages);
        Assert.Equal(0UL, trailer.PostApplyChecksum);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Encode_SnapshotExample_DiffersOnlyInItsCompressedBytes(bool legacy)
    {
        var example = legacy ? LtxSamples.LegacySnapshot() : LtxSamples.Snapshot();
        var pages = Enumerable.Range(1, 3).ToDictionary(n => (uint)n, n => LtxSamples.SnapshotPage((uint)n));
        var file = await LtxSamples.EncodeAsync(LtxHeader.Read(example), pages, legacy);
        Assert.Equal(example[..106], file[..106]);
        if (legacy)
            Assert.Equal(example[106..113], file[106..113]); // the descriptor of the LZ4 frame
        var (header, decoded, trailer) = await LtxSamples.DecodeAsync(file);
        AssertSnapshot(header, decoded, trailer);
        // The index begins with page 1 at 100, as in the example; sizes are the compressor's.
        var (offset, size) = LtxPageIndex.Locate(file.Length, file.AsSpan(file.Length - LtxPageIndex.TailSize));
        Assert.Equal(
            new uint[] { 1, 2, 3 },
            LtxPageIndex.Parse(file.AsSpan((int)offset, (int)size), header, offset).Select(e => e.PageNumber)
        );
        Assert.Equal("0164", Convert.ToHexString(file, (int)offset, 2));
    }

    [Fact]
    public async Task Merge_SnapshotThenIncrement_GivesTheExamplesMerge()
    {
        var increment = LtxSamples.IncrementPages();
        var second = LtxSamples.Increment();
        await using var a = await LtxDecoder.OpenAsync(new MemoryStream(LtxSamples.Snapshot()), 247, Cancel);
        await using var b = await LtxDecoder.OpenAsync(new MemoryStream(second), second.Length, Cancel);
        var output = new MemoryStream();
        await LtxMerger.MergeAsync([a, b], output, legacyPageFrames: false, Cancel);
        var file = output.ToArray();
        // 737 bytes with the original's compressor, which finds less in the two pages of runs.
        Assert.InRange(file.Length, 600, 737);
        var (header, pages, trailer) = await LtxSamples.DecodeAsync(file);
        Assert.Equal(
            new LtxHeader
            {
                PageSize = 512,
                Commit = 3,
                MinTxid = new Txid(1),
                MaxTxid = new Txid(2),
                Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(1700000000123),
                NoChecksum = true,
            },
            header
        );
        Assert.Equal(increment[1], pages[1]);
        Assert.Equal(LtxSamples.SnapshotPage(2), pages[2]);
        Assert.Equal(increment[3], pages[3]);
        Assert.Equal(0UL, trailer.PostApplyChecksum);
    }

    [Fact]
    public async Task Decode_PreReleaseVersion_SaysSo()
    {
        // Version 1: four bytes of page number, then the raw page: "SQ" of "SQLite format 3" stands where flags must be.
        var file = new byte[100 + 4 + 4096];
        new LtxHeader
        {
            PageSize = 4096,
            Commit = 10,
            MinTxid = new Txid(13),
            MaxTxid = new Txid(13),
            PreApplyChecksum = 0x9c74a15b4e4f246c,
        }.Write(file);
        file[103] = 1;
        "SQLite format 3"u8.CopyTo(file.AsSpan(104));
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => LtxSamples.DecodeAsync(file));
        Assert.Equal(LitestreamError.Corrupt, exception.Error);
        Assert.Contains("0x5351", exception.Message, StringComparison.Ordinal);
        Assert.Contains("pre-release", exception.Hint, StringComparison.Ordinal);
    }

    private static void AssertSnapshot(LtxHeader header, SortedDictionary<uint, byte[]> pages, LtxTrailer trailer)
    {
        Assert.Equal(512, header.PageSize);
        Assert.Equal(3u, header.Commit);
        Assert.True(header.IsSnapshot);
        Assert.False(header.NoChecksum);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1700000000000), header.Timestamp);
        Assert.Equal(new uint[] { 1, 2, 3 }, pages.Keys);
        foreach (var (number, page) in pages)
            Assert.Equal(LtxSamples.SnapshotPage(number), page);
        Assert.Equal(0xefffffffecd99000, trailer.PostApplyChecksum);
    }
}
