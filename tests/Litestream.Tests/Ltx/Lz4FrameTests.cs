using System.Buffers.Binary;
using K4os.Compression.LZ4;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

public class Lz4FrameTests
{
    public static TheoryData<int, bool, bool, bool, bool, int> Descriptors()
    {
        var data = new TheoryData<int, bool, bool, bool, bool, int>();
        for (var size = 4; size <= 7; size++)
        for (var flags = 0; flags < 16; flags++)
        for (var kind = 0; kind < 3; kind++)
            data.Add(size, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0, kind);
        return data;
    }

    [Theory]
    [MemberData(nameof(Descriptors))]
    public void Read_EveryLegalDescriptor_GivesThePage(
        int blockSizeId,
        bool dependent,
        bool blockChecksum,
        bool contentSize,
        bool contentChecksum,
        int kind
    )
    {
        var random = new Random(blockSizeId);
        var page = kind == 2 ? new byte[4096] : LtxSamples.RandomPage(random, 4096);
        if (kind == 1)
            random.NextBytes(page);
        var frame = Build(page, blockSizeId, dependent, blockChecksum, contentSize, contentChecksum, stored: kind == 1, blockLength: 1500);
        byte[] more = [.. frame, 1, 2, 3];
        Assert.Null(Lz4Frame.Measure(more, page.Length, out var length, out _));
        Assert.Equal(frame.Length, length);
        var read = new byte[page.Length];
        Assert.Null(Lz4Frame.Read(more.AsSpan(0, length), read));
        Assert.Equal(page, read);
        for (var cut = 0; cut < frame.Length; cut++)
        {
            Assert.Null(Lz4Frame.Measure(frame.AsSpan(0, cut), page.Length, out length, out var needed));
            Assert.Equal(0, length);
            Assert.InRange(needed, cut + 1, frame.Length);
        }
    }

    [Fact]
    public void Write_EveryPage_IsReadBack()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var page = LtxSamples.RandomPage(random, 512 << random.Next(8));
            var frame = new byte[Lz4Frame.MaxSize(page.Length)];
            var length = Lz4Frame.Write(page, frame);
            Assert.Null(Lz4Frame.Measure(frame, page.Length, out var measured, out _));
            Assert.Equal(length, measured);
            var read = new byte[page.Length];
            Assert.Null(Lz4Frame.Read(frame.AsSpan(0, length), read));
            Assert.Equal(page, read);
        }
    }

    [Fact]
    public void Read_WrongFrames_AreRefused()
    {
        var page = LtxSamples.SnapshotPage(1);
        Assert.NotNull(Problem(Damage(page, 0, 0xff))); // magic
        Assert.NotNull(Problem(Damage(page, 4, 0x40))); // version
        Assert.NotNull(Problem(Damage(page, 4, 0x02))); // reserved
        Assert.NotNull(Problem(Damage(page, 4, 0x01))); // dictionary
        Assert.NotNull(Problem(Damage(page, 5, 0x01))); // reserved
        Assert.NotNull(Problem(Damage(page, 5, 0x40))); // block size 0
        Assert.NotNull(Problem(Damage(page, 6, 0x01))); // check byte
        Assert.NotNull(Problem(Damage(page, 9, 0x80))); // length of the block
        Assert.NotNull(Problem(Build(page, 4, false, true, false, true, false, 1500, wrongBlockChecksum: true)));
        var wrongContent = Build(page, 4, false, false, false, true, false, 1500);
        wrongContent[^1] ^= 1;
        Assert.NotNull(Problem(wrongContent));
        Assert.NotNull(Problem(Build(page[..500], 4, false, false, false, true, false, 1500)));
        Assert.NotNull(Problem(Build([.. page, .. page], 4, false, false, false, true, false, 512)));
        Assert.NotNull(Problem(Build([.. page, .. page], 4, false, false, true, true, false, 1500)));
    }

    private static byte[] Damage(byte[] page, int at, byte bits)
    {
        var frame = Build(page, 4, false, false, false, true, false, 1500);
        frame[at] ^= bits;
        return frame;
    }

    private static string? Problem(byte[] frame) =>
        Lz4Frame.Measure(frame, 512, out var length, out _) is { } problem ? problem
        : length == 0 ? "incomplete"
        : Lz4Frame.Read(frame.AsSpan(0, length), new byte[512]);

    /// <summary>A frame of any legal kind.</summary>
    internal static byte[] Build(
        byte[] page,
        int blockSizeId,
        bool dependent,
        bool blockChecksum,
        bool contentSize,
        bool contentChecksum,
        bool stored,
        int blockLength,
        bool wrongBlockChecksum = false
    )
    {
        var frame = new List<byte> { 0x04, 0x22, 0x4D, 0x18 };
        frame.Add(
            (byte)(0x40 | (dependent ? 0 : 0x20) | (blockChecksum ? 0x10 : 0) | (contentSize ? 0x08 : 0) | (contentChecksum ? 0x04 : 0))
        );
        frame.Add((byte)(blockSizeId << 4));
        if (contentSize)
            frame.AddRange(BitConverter.GetBytes((ulong)page.Length));
        frame.Add((byte)(XxHash32.Hash(frame.ToArray().AsSpan(4)) >> 8));
        for (var at = 0; at < page.Length; at += blockLength)
        {
            var piece = page.AsSpan(at, Math.Min(blockLength, page.Length - at));
            var block = new byte[LZ4Codec.MaximumOutputSize(piece.Length)];
            var size = dependent && at > 0 ? EncodeBehind(page, at, piece.Length, block) : LZ4Codec.Encode(piece, block);
            if (stored)
            {
                block = piece.ToArray();
                size = block.Length;
            }
            var word = new byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(word, (uint)size | (stored ? 0x80000000 : 0));
            frame.AddRange(word);
            frame.AddRange(block[..size]);
            if (blockChecksum)
                frame.AddRange(BitConverter.GetBytes(XxHash32.Hash(block.AsSpan(0, size)) ^ (wrongBlockChecksum ? 1u : 0)));
        }
        frame.AddRange(new byte[4]);
        if (contentChecksum)
            frame.AddRange(BitConverter.GetBytes(XxHash32.Hash(page)));
        return [.. frame];
    }

    /// <summary>A block that copies its first 64 bytes, where they are the same, from the block before it, as dependent blocks may.</summary>
    private static int EncodeBehind(byte[] page, int at, int length, byte[] block)
    {
        const int Distance = 1;
        var same = 0;
        while (same < length - 12 && page[at + same] == page[at + same - Distance])
            same++;
        if (same < 4)
            return LZ4Codec.Encode(page.AsSpan(at, length), block);
        // Token: no literals, a match of 4 to 18 bytes one byte back; then the rest as literals.
        same = Math.Min(same, 18);
        var written = new List<byte> { (byte)(same - 4), Distance, 0 };
        var literals = length - same;
        written.Add(literals >= 15 ? (byte)0xF0 : (byte)(literals << 4));
        for (var left = literals - 15; left >= 0; left -= 255)
            written.Add((byte)Math.Min(left, 255));
        written.AddRange(page[(at + same)..(at + length)]);
        written.CopyTo(block);
        return written.Count;
    }
}
