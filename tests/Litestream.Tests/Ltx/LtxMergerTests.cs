using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

public class LtxMergerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Merge_RandomHistories_GivesTheNewestPages()
    {
        for (var seed = 1; seed <= 80; seed++)
        {
            var random = new Random(seed);
            var legacy = random.Next(2) == 0;
            var pageSize = 512 << random.Next(3);
            var first = (ulong)random.Next(1, 3);
            var (files, expected, commit, max) = await HistoryAsync(random, pageSize, first);
            var decoders = await OpenAsync(files);
            var output = new MemoryStream();
            var header = await LtxMerger.MergeAsync(decoders, output, legacy, Cancel);
            await CloseAsync(decoders);
            var (read, pages, _) = await LtxSamples.DecodeAsync(output.ToArray());
            Assert.Equal(header, read);
            Assert.Equal((first, max, commit), (read.MinTxid.Value, read.MaxTxid.Value, read.Commit));
            Assert.True(expected.Keys.SequenceEqual(pages.Keys), $"seed {seed}");
            Assert.All(expected, p => Assert.True(p.Value.AsSpan().SequenceEqual(pages[p.Key]), $"seed {seed} page {p.Key}"));
        }
    }

    [Fact]
    public async Task Merge_OneInput_CopiesIt()
    {
        var decoders = await OpenAsync([LtxSamples.Snapshot()]);
        var output = new MemoryStream();
        await LtxMerger.MergeAsync(decoders, output, false, Cancel);
        var (_, pages, _) = await LtxSamples.DecodeAsync(output.ToArray());
        Assert.Equal(3, pages.Count);
    }

    [Fact]
    public async Task Open_TransactionsMissing_IsAGap()
    {
        var decoders = await OpenAsync([LtxSamples.Snapshot(), await IncrementAsync(4, 6, 3)]);
        var exception = Assert.Throws<LitestreamException>(() => LtxMerger.Open(decoders));
        Assert.Equal(LitestreamError.Gap, exception.Error);
        Assert.Equal((new Txid(2), new Txid(3)), (exception.MinTxid!.Value, exception.MaxTxid!.Value));
    }

    [Theory]
    [Trait("Scenario", "F13")]
    [InlineData(2, 3, 512)] // no newer than the one before it
    [InlineData(4, 4, 1024)] // other page size
    public async Task Open_InputsThatDoNotFit_IsCorrupt(ulong min, ulong max, int pageSize)
    {
        var decoders = await OpenAsync([await IncrementAsync(2, 3, 3), await IncrementAsync(min, max, 3, pageSize)]);
        Assert.Equal(LitestreamError.Corrupt, Assert.Throws<LitestreamException>(() => LtxMerger.Open(decoders)).Error);
    }

    [Fact]
    public async Task Merge_OverlappingInputs_IsFine()
    {
        var decoders = await OpenAsync([await IncrementAsync(2, 4, 3), await IncrementAsync(3, 6, 3)]);
        var header = await LtxMerger.MergeAsync(decoders, Stream.Null, false, Cancel);
        Assert.Equal((new Txid(2), new Txid(6)), (header.MinTxid, header.MaxTxid));
    }

    [Fact]
    public async Task Merge_GrownPagesInNoInput_IsCorrupt()
    {
        var grown = LtxSamples.IncrementHeader with { Commit = 5 };
        var decoders = await OpenAsync([
            LtxSamples.Snapshot(),
            await LtxSamples.EncodeAsync(grown, new Dictionary<uint, byte[]> { [5] = new byte[512] }),
        ]);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => LtxMerger.MergeAsync(decoders, Stream.Null, false, Cancel));
        Assert.Equal(LitestreamError.Corrupt, exception.Error);
        Assert.Contains("page 4", exception.Message, StringComparison.Ordinal);

        decoders = await OpenAsync([
            LtxSamples.Snapshot(),
            await LtxSamples.EncodeAsync(grown, new Dictionary<uint, byte[]> { [4] = new byte[512] }),
        ]);
        exception = await Assert.ThrowsAsync<LitestreamException>(() => LtxMerger.MergeAsync(decoders, Stream.Null, false, Cancel));
        Assert.Contains("page 5", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Merge_DamagedTailOfAnyInput_IsCorrupt()
    {
        for (var damaged = 0; damaged < 3; damaged++)
        {
            byte[][] files = [LtxSamples.Snapshot(), await IncrementAsync(2, 2, 3), await IncrementAsync(3, 3, 1)];
            files[damaged][^1] ^= 1;
            var decoders = await OpenAsync(files);
            var exception = await Assert.ThrowsAsync<LitestreamException>(() => LtxMerger.MergeAsync(decoders, Stream.Null, false, Cancel));
            Assert.Equal(LitestreamError.Corrupt, exception.Error);
        }
    }

    [Fact]
    [Trait("Scenario", "F14")]
    public async Task Merge_DatabaseShrank_DropsAndStillProvesThePagesBeyond()
    {
        var shrunk = LtxSamples.IncrementHeader with { Commit = 1 };
        var files = new[]
        {
            LtxSamples.Snapshot(),
            await LtxSamples.EncodeAsync(shrunk, new Dictionary<uint, byte[]> { [1] = new byte[512] }),
        };
        var output = new MemoryStream();
        await LtxMerger.MergeAsync(await OpenAsync(files), output, false, Cancel);
        var (header, pages, _) = await LtxSamples.DecodeAsync(output.ToArray());
        Assert.Equal(1u, header.Commit);
        Assert.Equal(1u, Assert.Single(pages).Key);
        files[0][^1] ^= 1;
        var decoders = await OpenAsync(files);
        await Assert.ThrowsAsync<LitestreamException>(() => LtxMerger.MergeAsync(decoders, Stream.Null, false, Cancel));
    }

    private static Task<byte[]> IncrementAsync(ulong min, ulong max, uint commit, int pageSize = 512) =>
        LtxSamples.EncodeAsync(
            LtxSamples.IncrementHeader with
            {
                MinTxid = new Txid(min),
                MaxTxid = new Txid(max),
                Commit = commit,
                PageSize = pageSize,
            },
            new Dictionary<uint, byte[]> { [1] = new byte[pageSize] }
        );

    private static async Task<(List<byte[]> Files, SortedDictionary<uint, byte[]> Expected, uint Commit, ulong Max)> HistoryAsync(
        Random random,
        int pageSize,
        ulong txid
    )
    {
        var files = new List<byte[]>();
        var expected = new SortedDictionary<uint, byte[]>();
        uint commit = 0;
        for (var i = random.Next(1, 8); i > 0; i--)
        {
            var full = txid == 1;
            var next = (uint)Math.Max(1, full ? random.Next(1, 20) : commit + random.Next(-4, 5));
            var pages = new Dictionary<uint, byte[]>();
            for (uint n = 1; n <= next; n++)
                if (full || n > commit || random.Next(4) == 0)
                    pages[n] = LtxSamples.RandomPage(random, pageSize);
            foreach (var (n, page) in pages)
                expected[n] = page;
            var max = txid + (ulong)random.Next(3);
            var header = LtxSamples.IncrementHeader with
            {
                PageSize = pageSize,
                Commit = next,
                MinTxid = new Txid(txid),
                MaxTxid = new Txid(max),
            };
            files.Add(await LtxSamples.EncodeAsync(header, pages, random.Next(2) == 0));
            (commit, txid) = (next, max + 1);
        }
        foreach (var beyond in expected.Keys.Where(n => n > commit).ToList())
            expected.Remove(beyond);
        return (files, expected, commit, txid - 1);
    }

    private static async Task<List<LtxDecoder>> OpenAsync(IEnumerable<byte[]> files)
    {
        var decoders = new List<LtxDecoder>();
        foreach (var file in files)
            decoders.Add(await LtxDecoder.OpenAsync(new MemoryStream(file), file.Length, Cancel));
        return decoders;
    }

    private static async Task CloseAsync(IEnumerable<LtxDecoder> decoders)
    {
        foreach (var decoder in decoders)
            await decoder.DisposeAsync();
    }
}
