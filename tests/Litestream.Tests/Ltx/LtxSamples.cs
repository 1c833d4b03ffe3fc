using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

/// <summary>LTX files for tests: the worked examples of the format's description, and files of random pages.</summary>
internal static class LtxSamples
{
    /// <summary>Worked example 11.2: a snapshot of three pages of 512 bytes with checksums, 247 bytes, block form.</summary>
    public static byte[] Snapshot() =>
        Hex(
            """
            4c54583100000000000002000000000300000000000000010000000000000001
            0000018bcfe568000000000000000000
            """,
            Zeros(52),
            "00000001 0001 00000019 5f00000001100100ffdbe0",
            Run(0x10, 14),
            "00000002 0001 00000019 5f00000002200100ffdbe0",
            Run(0x20, 14),
            "00000003 0001 00000019 5f00000003300100ffdbe0",
            Run(0x30, 14),
            "000000000000 016423 02870123 03aa0123 00 000000000000000c efffffffecd99000 be34cf69a0d950fa"
        );

    /// <summary>The same content in the legacy frame form, 292 bytes. The content checksums of pages 2 and 3 are proved by the file checksum.</summary>
    public static byte[] LegacySnapshot() =>
        Hex(
            """
            4c54583100000000000002000000000300000000000000010000000000000001
            0000018bcfe568000000000000000000
            """,
            Zeros(52),
            "00000001 0000 04224d18 6440a7 19000000 5f00000001100100ffdbe0",
            Run(0x10, 14),
            "00000000 306a1794 00000002 0000 04224d18 6440a7 19000000 5f00000002200100ffdbe0",
            Run(0x20, 14),
            "00000000",
            LittleEndian(XxHash32.Hash(SnapshotPage(2))),
            "00000003 0000 04224d18 6440a7 19000000 5f00000003300100ffdbe0",
            Run(0x30, 14),
            "00000000",
            LittleEndian(XxHash32.Hash(SnapshotPage(3))),
            "000000000000 0164320296013203c8013200 000000000000000c efffffffecd99000 f1cc28f28d6f28d6"
        );

    /// <summary>Page <paramref name="number"/> of worked example 11.2.</summary>
    public static byte[] SnapshotPage(uint number)
    {
        var page = new byte[512];
        page.AsSpan(4).Fill((byte)(number * 16));
        page[3] = (byte)number;
        return page;
    }

    /// <summary>Header of worked example 11.1: an increment from a WAL.</summary>
    public static LtxHeader IncrementHeader { get; } =
        new()
        {
            PageSize = 512,
            Commit = 3,
            MinTxid = new Txid(2),
            MaxTxid = new Txid(2),
            Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(1700000000123),
            WalOffset = 32,
            WalSize = 1072,
            WalSalt1 = 0x11223344,
            WalSalt2 = 0x55667788,
            NoChecksum = true,
        };

    /// <summary>
    /// Worked example 11.1, 698 bytes, block form without checksums: with the LZ4 blocks as the original writes them, but with a random page of ours,
    /// so the file checksum is computed here.
    /// </summary>
    public static byte[] Increment()
    {
        var pages = IncrementPages();
        byte[] file =
        [
            .. Hex(
                """
                4c545831000000020000020000000003
                00000000000000020000000000000002
                0000018bcfe5687b0000000000000000
                00000000000000200000000000000430
                11223344556677880000000000000000
                0000000000000000000000000000000000000000
                00000001000100000018 1f010100ffda000200000200b00101010101010101010101
                00000003000100000203 f0fff2
                """
            ),
            .. pages[3],
            .. Hex("000000000000 016422 0386018d04 00 0000000000000009 0000000000000000 0000000000000000"),
        ];
        var checksum = LtxChecksum.Crc64(0, file.AsSpan(0, 0x6e));
        checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, pages[1]), file.AsSpan(0x86, 10));
        checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(checksum, pages[3]), file.AsSpan(0x293, 31));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(file.Length - 8), LtxChecksum.Flag | checksum);
        return file;
    }

    /// <summary>Content as worked example 11.1: page 1 all ones, page 3 random.</summary>
    public static SortedDictionary<uint, byte[]> IncrementPages(int seed = 11)
    {
        var random = new byte[512];
        new Random(seed).NextBytes(random);
        var ones = new byte[512];
        ones.AsSpan().Fill(1);
        return new SortedDictionary<uint, byte[]> { [1] = ones, [3] = random };
    }

    /// <summary>Encodes pages into a file.</summary>
    public static async Task<byte[]> EncodeAsync(
        LtxHeader header,
        IReadOnlyDictionary<uint, byte[]> pages,
        bool legacy = false,
        ulong postApply = 0
    )
    {
        using var stream = new MemoryStream();
        await using var encoder = new LtxEncoder(stream, header, legacy) { PostApplyChecksum = postApply };
        foreach (var (number, page) in pages.OrderBy(p => p.Key))
            await encoder.WritePageAsync(number, page, TestContext.Current.CancellationToken);
        await encoder.FinishAsync(TestContext.Current.CancellationToken);
        Assert.Equal(encoder.BytesWritten, stream.Length);
        return stream.ToArray();
    }

    /// <summary>Decodes and proves a whole file.</summary>
    public static async Task<(LtxHeader Header, SortedDictionary<uint, byte[]> Pages, LtxTrailer Trailer)> DecodeAsync(
        Stream stream,
        long? knownLength
    )
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var decoder = await LtxDecoder.OpenAsync(stream, knownLength, cancel);
        var pages = new SortedDictionary<uint, byte[]>();
        var page = new byte[decoder.Header.PageSize];
        while (await decoder.ReadPageAsync(page, cancel) is var number && number != 0)
            pages.Add(number, [.. page]);
        return (decoder.Header, pages, await decoder.FinishAsync(cancel));
    }

    public static Task<(LtxHeader Header, SortedDictionary<uint, byte[]> Pages, LtxTrailer Trailer)> DecodeAsync(
        byte[] file,
        bool lengthKnown = true
    ) => DecodeAsync(new MemoryStream(file), lengthKnown ? file.Length : null);

    /// <summary>A page between easy and impossible to compress.</summary>
    public static byte[] RandomPage(Random random, int pageSize)
    {
        var page = new byte[pageSize];
        var kind = random.Next(4);
        if (kind == 0)
            return page;
        random.NextBytes(page);
        if (kind == 1)
            return page;
        for (var i = 0; i < pageSize; i++)
            page[i] =
                kind == 2 ? (byte)(page[i] & 3)
                : (i & 63) < 48 ? (byte)0
                : page[i];
        return page;
    }

    public static byte[] Hex(params string[] parts) =>
        Convert.FromHexString(string.Concat(parts).Replace(" ", "", StringComparison.Ordinal).ReplaceLineEndings(""));

    private static string Zeros(int count) => new('0', count * 2);

    private static string Run(byte value, int count) => string.Concat(Enumerable.Repeat($"{value:x2}", count));

    private static string LittleEndian(uint value) => $"{System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value):x8}";
}

/// <summary>A stream that gives a few bytes at a time, cannot seek and does not know its length.</summary>
internal sealed class TrickleStream(byte[] content, Random random) : Stream
{
    private int _at;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        var count = Math.Min(Math.Min(buffer.Length, content.Length - _at), random.Next(1, 200));
        content.AsSpan(_at, count).CopyTo(buffer);
        _at += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        return Read(buffer.Span);
    }

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
