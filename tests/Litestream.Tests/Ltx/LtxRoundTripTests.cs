using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

public class LtxRoundTripTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Decode_RandomFiles_GivesWhatWasEncoded(bool legacy)
    {
        for (var seed = 1; seed <= 60; seed++)
        {
            var random = new Random(seed);
            var header = RandomHeader(random);
            var pages = RandomPages(random, header);
            var postApply = header.NoChecksum ? 0 : LtxChecksum.Flag | (ulong)random.NextInt64();
            var file = await LtxSamples.EncodeAsync(header, pages, legacy, postApply);
            var (stream, length) = random.Next(3) switch
            {
                0 => ((Stream)new TrickleStream(file, random), (long?)null),
                1 => (new TrickleStream(file, random), file.Length),
                _ => (new MemoryStream(file), file.Length),
            };
            var (read, decoded, trailer) = await LtxSamples.DecodeAsync(stream, length);
            Assert.Equal(header, read);
            Assert.True(pages.Keys.SequenceEqual(decoded.Keys), $"seed {seed}");
            Assert.All(pages, p => Assert.True(p.Value.AsSpan().SequenceEqual(decoded[p.Key]), $"seed {seed} page {p.Key}"));
            if (header is { IsSnapshot: false })
                Assert.Equal(postApply, trailer.PostApplyChecksum);
            AssertIndex(file, header, pages, legacy);
        }
    }

    [Fact]
    public async Task Decode_BothFormsInOneFile_ReadsEachPageByItsFlag()
    {
        var block = LtxSamples.Snapshot();
        var legacy = LtxSamples.LegacySnapshot();
        // Page 2 from the legacy file between pages 1 and 3 of the other one; index and checksum made anew.
        byte[] mixed =
        [
            .. block[..135],
            .. legacy[150..200],
            .. block[170..205],
            .. LtxSamples.Hex("000000000000 016423 02870132 03b90123 00 000000000000000c efffffffecd99000 0000000000000000"),
        ];
        var checksum = LtxChecksum.Crc64(0, mixed.AsSpan(0, 100));
        checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, mixed.AsSpan(100, 10)), LtxSamples.SnapshotPage(1));
        checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, mixed.AsSpan(135, 6)), LtxSamples.SnapshotPage(2));
        checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, mixed.AsSpan(185, 10)), LtxSamples.SnapshotPage(3));
        checksum = LtxChecksum.Crc64(checksum, mixed.AsSpan(220, mixed.Length - 220 - 8));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(mixed.AsSpan(mixed.Length - 8), LtxChecksum.Flag | checksum);
        var (_, pages, _) = await LtxSamples.DecodeAsync(mixed);
        Assert.All(pages, p => Assert.Equal(LtxSamples.SnapshotPage(p.Key), p.Value));
    }

    [Fact]
    public async Task Finish_PagesNotReadYet_ProvesThemAnyway()
    {
        var file = LtxSamples.Snapshot();
        await using var decoder = await LtxDecoder.OpenAsync(new MemoryStream(file), file.Length, Cancel);
        var trailer = await decoder.FinishAsync(Cancel);
        Assert.Equal(0xbe34cf69a0d950faUL, trailer.FileChecksum);
        Assert.Equal(trailer, await decoder.FinishAsync(Cancel));
    }

    [Theory]
    [InlineData(512, false)]
    [InlineData(4096, false)]
    [InlineData(4096, true)]
    [InlineData(65536, false)]
    public async Task WritePages_RunsOfAnyLength_GiveTheFileThatSinglePagesGive(int pageSize, bool legacy)
    {
        var random = new Random(pageSize);
        var header = Snapshot(pageSize, (uint)(3_000_000 / pageSize)) with { NoChecksum = false };
        var pages = new byte[header.Commit * pageSize];
        // Half of it compresses.
        for (var at = 0; at < pages.Length; at += 100)
            random.NextBytes(pages.AsSpan(at, Math.Min(50, pages.Length - at)));
        var singly = new MemoryStream();
        await using (var encoder = new LtxEncoder(singly, header, legacy))
        {
            for (uint n = 1; n <= header.Commit; n++)
                await encoder.WritePageAsync(n, pages.AsMemory((int)(n - 1) * pageSize, pageSize), Cancel);
            await encoder.FinishAsync(Cancel);
        }
        var inRuns = new MemoryStream();
        await using (var encoder = new LtxEncoder(inRuns, header, legacy))
        {
            for (uint next = 1, count; next <= header.Commit; next += count)
            {
                count = Math.Min(header.Commit - next + 1, (uint)random.Next(1, 1 + 2_000_000 / pageSize));
                await encoder.WritePagesAsync(next, pages.AsMemory((int)(next - 1) * pageSize, (int)count * pageSize), Cancel);
                if (next + count > header.Commit)
                    continue;
                await encoder.WritePageAsync(next + count, pages.AsMemory((int)(next + count - 1) * pageSize, pageSize), Cancel);
                count++;
            }
            await encoder.FinishAsync(Cancel);
        }
        Assert.True(singly.ToArray().AsSpan().SequenceEqual(inRuns.ToArray()));
    }

    [Fact]
    public async Task WritePage_ManyPages_AllocatesNothingPerPage()
    {
        var header = Snapshot(4096, 4000);
        var page = LtxSamples.RandomPage(new Random(2), 4096);
        var output = new MemoryStream(64 << 20);
        await using var encoder = new LtxEncoder(output, header);
        for (uint n = 1; n <= 200; n++)
            await encoder.WritePageAsync(n, page, Cancel);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (uint n = 201; n <= header.Commit; n++)
        {
            var task = encoder.WritePageAsync(n, page, Cancel);
            Assert.True(task.IsCompletedSuccessfully);
            await task;
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16_000);
        await encoder.FinishAsync(Cancel);
        output.Position = 0;
        await using var decoder = await LtxDecoder.OpenAsync(output, output.Length, Cancel);
        await decoder.ReadPageAsync(page, Cancel);
        before = GC.GetAllocatedBytesForCurrentThread();
        for (uint n = 2; n <= header.Commit; n++)
            await decoder.ReadPageAsync(page, Cancel);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16_000);
    }

    [Fact]
    public async Task WritePage_AgainstTheRules_IsRefused()
    {
        var page = new byte[512];
        await using var snapshot = new LtxEncoder(Stream.Null, Snapshot(512, 3));
        await Assert.ThrowsAsync<ArgumentException>(async () => await snapshot.WritePageAsync(2, page, Cancel));
        await snapshot.WritePageAsync(1, page, Cancel);
        await Assert.ThrowsAsync<ArgumentException>(async () => await snapshot.WritePageAsync(3, page, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () => await snapshot.WritePageAsync(2, new byte[511], Cancel));
        await Assert.ThrowsAsync<InvalidOperationException>(() => snapshot.FinishAsync(Cancel));

        await using var increment = new LtxEncoder(Stream.Null, LtxSamples.IncrementHeader);
        await increment.WritePageAsync(2, page, Cancel);
        await Assert.ThrowsAsync<ArgumentException>(async () => await increment.WritePageAsync(2, page, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () => await increment.WritePageAsync(1, page, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () => await increment.WritePageAsync(4, page, Cancel));
        await increment.FinishAsync(Cancel);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await increment.WritePageAsync(3, page, Cancel));
        Assert.Throws<ArgumentException>(() => new LtxEncoder(Stream.Null, Snapshot(512, 0)));
    }

    [Fact]
    public async Task WritePage_LockPage_IsSkippedInSnapshotsAndRefusedElsewhere()
    {
        var page = new byte[65536];
        await using var snapshot = new LtxEncoder(Stream.Null, Snapshot(65536, 16386));
        for (uint n = 1; n <= 16384; n++)
            await snapshot.WritePageAsync(n, page, Cancel);
        await Assert.ThrowsAsync<ArgumentException>(async () => await snapshot.WritePageAsync(16385, page, Cancel));
        await snapshot.WritePageAsync(16386, page, Cancel);
        await snapshot.FinishAsync(Cancel);

        var ends = new MemoryStream();
        await using var encoder = new LtxEncoder(ends, Snapshot(65536, 16385));
        for (uint n = 1; n <= 16384; n++)
            await encoder.WritePageAsync(n, page, Cancel);
        await encoder.FinishAsync(Cancel);
        ends.Position = 0;
        var (_, pages, _) = await LtxSamples.DecodeAsync(ends, ends.Length);
        Assert.Equal(16384, pages.Count);
    }

    [Fact]
    public async Task Encode_EmptiedDatabaseWithChecksum_IsReadBack()
    {
        var header = new LtxHeader
        {
            PageSize = 512,
            Commit = 0,
            MinTxid = new Txid(5),
            MaxTxid = new Txid(5),
            PreApplyChecksum = LtxChecksum.Flag | 7,
        };
        var file = await LtxSamples.EncodeAsync(header, new Dictionary<uint, byte[]>(), postApply: LtxChecksum.EmptyDatabase);
        var (read, pages, trailer) = await LtxSamples.DecodeAsync(file);
        Assert.Equal(0u, read.Commit);
        Assert.Empty(pages);
        Assert.Equal(LtxChecksum.EmptyDatabase, trailer.PostApplyChecksum);
    }

    private static void AssertIndex(byte[] file, LtxHeader header, SortedDictionary<uint, byte[]> pages, bool legacy)
    {
        var (offset, size) = LtxPageIndex.Locate(file.Length, file.AsSpan(file.Length - LtxPageIndex.TailSize));
        var entries = LtxPageIndex.Parse(file.AsSpan((int)offset, (int)size), header, offset);
        Assert.Equal(pages.Keys, entries.Select(e => e.PageNumber));
        foreach (var entry in entries)
        {
            var frame = file.AsSpan((int)entry.Offset, (int)entry.Size);
            Assert.Null(LtxPageHeader.TryRead(frame, out var pageHeader));
            Assert.Equal(new LtxPageHeader(entry.PageNumber, !legacy), pageHeader);
        }
    }

    internal static LtxHeader Snapshot(int pageSize, uint commit) =>
        new()
        {
            PageSize = pageSize,
            Commit = commit,
            MinTxid = Txid.First,
            MaxTxid = Txid.First,
            NoChecksum = true,
        };

    private static LtxHeader RandomHeader(Random random)
    {
        var min = (ulong)random.Next(1, 4);
        var noChecksum = random.Next(2) == 0;
        var fromWal = random.Next(2) == 0;
        return new LtxHeader
        {
            PageSize = 512 << random.Next(8),
            Commit = (uint)random.Next(1, 40),
            MinTxid = new Txid(min),
            MaxTxid = new Txid(min + (ulong)random.Next(3)),
            Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(random.NextInt64(0, 4_000_000_000_000)),
            NoChecksum = noChecksum,
            PreApplyChecksum = noChecksum || min == 1 ? 0 : LtxChecksum.Flag | (ulong)random.NextInt64(),
            WalOffset = fromWal ? 32 : 0,
            WalSize = fromWal ? random.Next() : 0,
            WalSalt1 = fromWal ? (uint)random.Next() : 0,
            NodeId = (ulong)random.Next(2),
        };
    }

    private static SortedDictionary<uint, byte[]> RandomPages(Random random, LtxHeader header)
    {
        var pages = new SortedDictionary<uint, byte[]>();
        for (uint n = 1; n <= header.Commit; n++)
            if (header.IsSnapshot || random.Next(3) == 0)
                pages.Add(n, LtxSamples.RandomPage(random, header.PageSize));
        return pages;
    }
}
