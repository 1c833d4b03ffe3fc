using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

/// <summary>LZ4 frames of any length, read as a stream.</summary>
public sealed class Lz4FrameStreamTests
{
    public static TheoryData<int, bool, bool, bool, bool, int> Descriptors() => Lz4FrameTests.Descriptors();

    [Theory]
    [MemberData(nameof(Descriptors))]
    public async Task Read_EveryLegalDescriptor_GivesTheContentAndNoPartOfItAlone(
        int blockSizeId,
        bool dependent,
        bool blockChecksum,
        bool contentSize,
        bool contentChecksum,
        int kind
    )
    {
        var random = new Random(blockSizeId);
        var content = kind == 2 ? new byte[9000] : LtxSamples.RandomPage(random, 9000);
        if (kind == 1)
            random.NextBytes(content);
        var frame = Lz4FrameTests.Build(content, blockSizeId, dependent, blockChecksum, contentSize, contentChecksum, kind == 1, 4000);
        Assert.Equal(content, await ReadAsync(frame));
        for (var cut = 0; cut < frame.Length; cut += 1 + (cut / 40))
            Assert.Contains("ends inside", await ProblemAsync(frame[..cut]), StringComparison.Ordinal);
        Assert.Contains("follow", await ProblemAsync([.. frame, 0]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_ManyBlocksOfFourMegabytes_DoesNotHoldThemAll()
    {
        var content = new byte[40 << 20];
        new Random(1).NextBytes(content.AsSpan(0, 1 << 20));
        content.AsSpan(0, 1 << 20).CopyTo(content.AsSpan(30 << 20));
        var frame = Lz4FrameTests.Build(content, 7, false, true, true, true, false, 4 << 20);
        Assert.Equal(content, await ReadAsync(frame));
    }

    [Fact]
    public async Task Read_WrongChecksumsAndSizes_AreRefused()
    {
        var content = LtxSamples.RandomPage(new Random(3), 5000);
        var frame = Lz4FrameTests.Build(content, 4, false, false, false, true, false, 1500);
        Assert.Contains(
            "checksum of the LZ4 content",
            await ProblemAsync([.. frame[..^1], (byte)(frame[^1] ^ 1)]),
            StringComparison.Ordinal
        );
        var blocks = Lz4FrameTests.Build(content, 4, false, true, false, true, false, 1500, wrongBlockChecksum: true);
        Assert.Contains("checksum of an LZ4 block", await ProblemAsync(blocks), StringComparison.Ordinal);
        var longer = Lz4FrameTests.Build([.. content, .. content], 4, false, false, false, false, false, 1500);
        var sized = Lz4FrameTests.Build(content, 4, false, false, true, false, false, 1500);
        Assert.Contains("longer than the 5000 bytes", await ProblemAsync([.. sized[..15], .. longer[7..]]), StringComparison.Ordinal);
        Assert.Contains("its frame says 5000", await ProblemAsync([.. sized[..15], 0, 0, 0, 0]), StringComparison.Ordinal);
        Assert.Contains("impossible LZ4 block", await ProblemAsync([.. frame[..7], 1, 0, 0, 0x7f]), StringComparison.Ordinal);
        Assert.Contains("impossible LZ4 block", await ProblemAsync([.. frame[..7], 0, 0, 0, 0x80]), StringComparison.Ordinal);
        Assert.Contains("was expected", await ProblemAsync([1, 2, 3, 4, 5, 6, 7]), StringComparison.Ordinal);
    }

    [Fact]
    public void Hash_InPieces_IsTheHashOfTheWhole()
    {
        var random = new Random(5);
        var bytes = new byte[1000];
        random.NextBytes(bytes);
        for (var length = 0; length < 200; length++)
        {
            var running = new XxHash32.Running();
            for (int at = 0, step; at < length; at += step)
            {
                step = Math.Min(random.Next(0, 40), length - at);
                running.Add(bytes.AsSpan(at, step));
            }
            Assert.Equal(XxHash32.Hash(bytes.AsSpan(0, length)), running.Value());
        }
    }

    private static async Task<byte[]> ReadAsync(byte[] frame)
    {
        await using var stream = new Lz4FrameStream(new MemoryStream(frame), frame.Length);
        using var content = new MemoryStream();
        await stream.CopyToAsync(content, TestContext.Current.CancellationToken);
        return content.ToArray();
    }

    private static async Task<string> ProblemAsync(byte[] frame)
    {
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => ReadAsync(frame));
        Assert.Equal(LitestreamError.Corrupt, failure.Error);
        return failure.Message;
    }
}
