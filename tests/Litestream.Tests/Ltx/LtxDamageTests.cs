using System.Buffers.Binary;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

/// <summary>Whatever happens to a file, its reader says so, in one kind of exception and without trusting any number in it.</summary>
public class LtxDamageTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Files => new("snapshot", "legacy", "increment", "legacy-increment", "no-pages");

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Decode_FileCutAnywhere_IsCorrupt(string kind)
    {
        var file = await FileAsync(kind);
        for (var length = 0; length < file.Length; length++)
        {
            var cut = file[..length];
            await AssertCorruptAsync(new MemoryStream(cut), cut.Length, $"{kind} cut to {length}");
            await AssertCorruptAsync(new MemoryStream(cut), null, $"{kind} cut to {length}, length unknown");
            await AssertCorruptAsync(new MemoryStream(cut), file.Length, $"{kind} cut to {length}, length wrong");
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    [Trait("Scenario", "I28")]
    public async Task Decode_AnyBitFlipped_IsCorruptOrEqual(string kind)
    {
        var file = await FileAsync(kind);
        var (_, original, _) = await LtxSamples.DecodeAsync(file);
        var undetected = 0;
        for (var bit = 0; bit < file.Length * 8; bit++)
        {
            var flipped = (byte[])file.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            SortedDictionary<uint, byte[]> pages;
            try
            {
                (_, pages, _) = await LtxSamples.DecodeAsync(flipped);
            }
            catch (LitestreamException exception)
            {
                Assert.Equal(LitestreamError.Corrupt, exception.Error);
                continue;
            }
            // The checksum covers what the compressed bytes mean, not the bytes: another way to say the same is no damage.
            undetected++;
            Assert.True(original.Keys.SequenceEqual(pages.Keys), $"{kind} bit {bit}");
            Assert.All(original, p => Assert.True(p.Value.AsSpan().SequenceEqual(pages[p.Key]), $"{kind} bit {bit}"));
        }
        Assert.InRange(undetected, 0, 60);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Decode_BytesAfterTheTrailer_IsCorrupt(string kind)
    {
        byte[] file = [.. await FileAsync(kind), 0];
        await AssertCorruptAsync(new MemoryStream(file), file.Length, kind);
        await AssertCorruptAsync(new MemoryStream(file), null, kind);
        await AssertCorruptAsync(new TrickleStream(file, new Random(1)), null, kind);
    }

    [Fact]
    public async Task Decode_HugeNumbers_FailsWithoutAllocating()
    {
        var snapshot = LtxSamples.Snapshot();
        var increment = await FileAsync("increment");
        (byte[] File, int At, byte[] Bytes)[] cases =
        [
            (snapshot, 12, [0xff, 0xff, 0xff, 0xff]), // commit
            (snapshot, 106, [0x7f, 0xff, 0xff, 0xff]), // size of page 1
            (snapshot, 106, [0xff, 0xff, 0xff, 0xff]),
            (snapshot, 106, [0, 0, 0, 0]),
            (increment, 12, [0xff, 0xff, 0xff, 0xff]),
            (increment, 106, [0, 0, 0x02, 0x13]), // one more than 512 bytes can need
            (snapshot, snapshot.Length - 24, [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), // size of the index
            (snapshot, snapshot.Length - 24, [0, 0, 1, 0, 0, 0, 0, 0]),
        ];
        foreach (var (file, at, bytes) in cases)
        {
            var hostile = (byte[])file.Clone();
            bytes.CopyTo(hostile, at);
            await AssertCorruptAsync(new MemoryStream(hostile), hostile.Length, $"warm up at {at}");
            var before = GC.GetAllocatedBytesForCurrentThread();
            await AssertCorruptAsync(new MemoryStream(hostile), null, $"{Convert.ToHexString(bytes)} at {at}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4_000_000);
        }
    }

    [Theory]
    [InlineData("descending", new uint[] { 3, 1 })]
    [InlineData("twice", new uint[] { 2, 2 })]
    [InlineData("beyond the end", new uint[] { 1, 4 })]
    public async Task Decode_PagesOutOfOrderWithValidChecksum_IsCorrupt(string what, uint[] numbers)
    {
        var file = Craft(LtxSamples.IncrementHeader, numbers, n => (n.Number, n.Offset, n.Size), dropLast: false);
        await AssertCorruptAsync(new MemoryStream(file), file.Length, what);
    }

    [Fact]
    public async Task Decode_IndexThatLies_IsCorrupt()
    {
        uint[] numbers = [1, 3];
        var honest = Craft(LtxSamples.IncrementHeader, numbers, n => (n.Number, n.Offset, n.Size), dropLast: false);
        var (_, pages, _) = await LtxSamples.DecodeAsync(honest);
        Assert.Equal(numbers, pages.Keys);
        byte[][] liars =
        [
            Craft(LtxSamples.IncrementHeader, numbers, n => (n.Number, n.Offset, n.Size), dropLast: true),
            Craft(LtxSamples.IncrementHeader, numbers, n => (n.Number, n.Offset + 1, n.Size), dropLast: false),
            Craft(LtxSamples.IncrementHeader, numbers, n => (n.Number, n.Offset, n.Size - 1), dropLast: false),
            Craft(LtxSamples.IncrementHeader, numbers, n => (2, n.Offset, n.Size), dropLast: false),
        ];
        foreach (var file in liars)
            await AssertCorruptAsync(new MemoryStream(file), file.Length, "index");
    }

    [Fact]
    public async Task Decode_SnapshotWithoutItsLastPage_IsCorrupt()
    {
        var header = LtxRoundTripTests.Snapshot(512, 3);
        var file = Craft(header, [1, 2], n => (n.Number, n.Offset, n.Size), dropLast: false);
        await AssertCorruptAsync(new MemoryStream(file), file.Length, "page 3 missing");
    }

    [Fact]
    public async Task Open_NameGiven_IsInEveryMessage()
    {
        var file = LtxSamples.Snapshot();
        await using var decoder = await LtxDecoder.OpenAsync(new MemoryStream(file[..200]), null, Cancel, "level 0, file 1");
        var late = await Assert.ThrowsAsync<LitestreamException>(() => decoder.FinishAsync(Cancel));
        Assert.StartsWith("level 0, file 1: ", late.Message, StringComparison.Ordinal);
        var early = await Assert.ThrowsAsync<LitestreamException>(() =>
            LtxDecoder.OpenAsync(new MemoryStream(new byte[100]), null, Cancel, "level 9")
        );
        Assert.StartsWith("level 9: ", early.Message, StringComparison.Ordinal);
    }

    private static Task<byte[]> FileAsync(string kind) =>
        kind switch
        {
            "snapshot" => Task.FromResult(LtxSamples.Snapshot()),
            "legacy" => Task.FromResult(LtxSamples.LegacySnapshot()),
            "increment" => Task.FromResult(LtxSamples.Increment()),
            "legacy-increment" => LtxSamples.EncodeAsync(LtxSamples.IncrementHeader, LtxSamples.IncrementPages(), legacy: true),
            _ => LtxSamples.EncodeAsync(LtxSamples.IncrementHeader, new Dictionary<uint, byte[]>()),
        };

    private static async Task AssertCorruptAsync(Stream stream, long? length, string what)
    {
        var exception = await Record.ExceptionAsync(() => LtxSamples.DecodeAsync(stream, length));
        Assert.True(
            exception is LitestreamException { Error: LitestreamError.Corrupt },
            $"{what}: {exception?.ToString() ?? "read without complaint"}"
        );
    }

    /// <summary>A file with a valid checksum, pages in any order, and an index of one's choice. Its pages are stored as literals.</summary>
    private static byte[] Craft(
        LtxHeader header,
        uint[] numbers,
        Func<(uint Number, long Offset, long Size), (uint Number, long Offset, long Size)> entry,
        bool dropLast
    )
    {
        var file = new List<byte>(new byte[LtxHeader.Size]);
        var bytes = new byte[LtxHeader.Size];
        header.Write(bytes);
        file.Clear();
        file.AddRange(bytes);
        var checksum = LtxChecksum.Crc64(0, bytes);
        var index = new List<byte>();
        var buffer = new byte[LtxPageIndex.MaxEntrySize];
        for (var i = 0; i < numbers.Length; i++)
        {
            var page = new byte[512];
            page.AsSpan().Fill((byte)(i + 1));
            var prefix = new byte[10];
            new LtxPageHeader(numbers[i], true).Write(prefix);
            prefix[8] = 0x02;
            prefix[9] = 0x03;
            var size = LtxPageIndex.WriteEntry(buffer, 0, 0, 0);
            var (number, offset, length) = entry((numbers[i], file.Count, 10 + 515));
            size = LtxPageIndex.WriteEntry(buffer, number, offset, length);
            if (!dropLast || i < numbers.Length - 1)
                index.AddRange(buffer[..size]);
            file.AddRange([.. prefix, 0xf0, 0xff, 0xf2, .. page]);
            checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, prefix), page);
        }
        index.Add(0);
        var tail = new byte[6 + index.Count + 8 + 8];
        index.CopyTo(tail, 6);
        BinaryPrimitives.WriteUInt64BigEndian(tail.AsSpan(6 + index.Count), (ulong)index.Count);
        checksum = LtxChecksum.Crc64(checksum, tail);
        file.AddRange(tail);
        var last = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(last, LtxChecksum.Flag | checksum);
        return [.. file, .. last];
    }
}
