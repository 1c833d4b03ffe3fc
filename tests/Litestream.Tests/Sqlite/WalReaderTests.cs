using Litestream.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>Reading frames up to SQLite's own end, and never behind it (replication-engine §21 A).</summary>
public sealed class WalReaderTests : IDisposable
{
    private static readonly WalSalt OtherSalt = new(0xdead, 0xbeef);
    private readonly TempFolder _folder = new();

    public static TheoryData<int, bool> Shapes =>
        new(from size in new[] { 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536 } from big in new[] { false, true } select (size, big));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A1_A15_ValidWal_IsReadToItsEnd(int pageSize, bool bigEndian)
    {
        var builder = new WalBuilder(pageSize, bigEndian).Frame(1, 0, 1).Frame(2, 2, 2).Frame(2, 0, 3).Frame(3, 3, 4);
        using var wal = builder.Open(_folder);
        using var reader = new WalReader(wal, builder.End(), 0, null);
        List<(uint, uint, long, byte)> read = [];
        while (reader.Read())
            read.Add((reader.Header.PageNumber, reader.Header.CommitPages, reader.Frame, reader.Page[pageSize - 1]));
        Assert.Equal([(1, 0, 1, 1), (2, 2, 2, 2), (2, 0, 3, 3), (3, 3, 4, 4)], read);
        Assert.Equal(builder.End().LastChecksum, reader.Running);
        Assert.False(reader.Read());
    }

    [Fact]
    public void A1_MoreFramesThanTheBufferHolds_AreAllRead()
    {
        var builder = new WalBuilder(4096);
        for (var i = 0; i < 700; i++)
            builder.Frame((uint)(i % 50) + 1, i % 7 == 6 ? 50u : 0, (byte)i);
        builder.Frame(1, 50, 0);
        using var wal = builder.Open(_folder);
        using var reader = new WalReader(wal, builder.End(), 0, null);
        for (var i = 0; i < 700; i++)
        {
            Assert.True(reader.Read());
            Assert.Equal(((uint)(i % 50) + 1, (byte)i), (reader.Header.PageNumber, reader.Page[77]));
        }
        Assert.True(reader.Read());
        Assert.False(reader.Read());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A1_StartInTheMiddle_WithAndWithoutAKnownChecksum_IsTheSame(int after)
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2).Frame(3, 3, 3).Frame(4, 4, 4);
        using var wal = builder.Open(_folder);
        foreach (WalChecksum? seed in new WalChecksum?[] { null, builder.End(after).LastChecksum })
        {
            using var reader = new WalReader(wal, builder.End(), after, seed);
            for (var frame = after + 1; frame <= 4; frame++)
            {
                Assert.True(reader.Read());
                Assert.Equal((uint)frame, reader.Header.PageNumber);
            }
            Assert.False(reader.Read());
        }
    }

    [Fact]
    public void A2_FrameOfAnotherLifeBehindTheEnd_IsNotLookedAt()
    {
        var builder = new WalBuilder().Frame(1, 1, 1);
        var old = new WalBuilder(salt: OtherSalt).Frame(9, 9, 9).Frame(8, 8, 8);
        using var wal = builder.Open(_folder, b => [.. b, .. old.ToArray()[(32 + old.FrameSize)..]]);
        Assert.Equal([1u], Pages(wal, builder.End()));
    }

    [Fact]
    public void A2_FrameOfAnotherLifeBeforeTheEnd_IsCorrupt()
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2);
        using var wal = builder.Open(_folder, b => Flip(b, 32 + builder.FrameSize + 8));
        var e = Assert.Throws<LitestreamException>(() => Pages(wal, builder.End()));
        Assert.Equal(LitestreamError.Corrupt, e.Error);
        Assert.Contains("frame 2 of 2: salt", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)] // page number
    [InlineData(4)] // commit size
    [InlineData(16)] // the checksum itself
    [InlineData(24)] // first byte of the page
    [InlineData(535)] // last byte of the page
    public void A3_FrameWithAWrongChecksumBeforeTheEnd_IsCorrupt_BehindItIsNotLookedAt(int at)
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2).Frame(3, 3, 3);
        using var wal = builder.Open(_folder, b => Flip(b, 32 + builder.FrameSize + at));
        Assert.Equal(LitestreamError.Corrupt, Assert.Throws<LitestreamException>(() => Pages(wal, builder.End())).Error);
        Assert.Equal([1u], Pages(wal, builder.End(1)));
    }

    [Fact]
    public void A3_ChainThatIsValidButEndsElsewhereThanSqlitesOwn_IsCorrupt()
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2);
        var other = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 99);
        using var wal = other.Open(_folder);
        var e = Assert.Throws<LitestreamException>(() => Pages(wal, builder.End()));
        Assert.Contains("SQLite's own", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A3_PageNumberZero_IsCorrupt()
    {
        var builder = new WalBuilder().Frame(0, 1, 1);
        using var wal = builder.Open(_folder);
        Assert.Throws<LitestreamException>(() => Pages(wal, builder.End()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(24)]
    [InlineData(300)]
    public void A9_PartialFrame_BehindTheEndIsNotLookedAt_BeforeItIsCorrupt(int bytesOfTheLastFrame)
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2);
        using var wal = builder.Open(_folder, b => b[..(32 + builder.FrameSize + bytesOfTheLastFrame)]);
        Assert.Equal([1u], Pages(wal, builder.End(1)));
        var e = Assert.Throws<LitestreamException>(() => Pages(wal, builder.End()));
        Assert.Contains("the file ends before it", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A11_RestartedWal_NewFramesOnly_AndAStartBehindAFrameOfTheOldLifeIsRefused()
    {
        var old = new WalBuilder(salt: OtherSalt).Frame(7, 7, 7).Frame(8, 8, 8).Frame(9, 9, 9);
        var now = new WalBuilder().Frame(1, 9, 1);
        using var wal = now.Open(_folder, b => [.. b, .. old.ToArray()[b.Length..]]);
        Assert.Equal([1u], Pages(wal, now.End()));
        // A position of the old life can never be gone on from, not even where its frame is still to be seen.
        var e = Assert.Throws<LitestreamException>(() => new WalReader(wal, now.End() with { LastFrame = 3 }, 2, null));
        Assert.Equal(LitestreamError.Corrupt, e.Error);
    }

    [Fact]
    public void B37_ValidLookingCommitsBehindSqlitesEnd_AreNeverRead()
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2).Frame(3, 3, 3).Frame(4, 4, 4);
        using var wal = builder.Open(_folder);
        Assert.Equal([1u, 2u], Pages(wal, builder.End(2)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void HeaderOfANewLife_WhileSqliteIsStillInTheOldOne_FramesAreReadAndProvedByTheEnd(bool tailDamaged)
    {
        var builder = new WalBuilder().Frame(1, 1, 1).Frame(2, 2, 2).Frame(3, 3, 3);
        var next = new WalBuilder(salt: OtherSalt).ToArray();
        using var wal = builder.Open(
            _folder,
            b =>
            {
                next.CopyTo(b, 0);
                return tailDamaged ? Flip(b, 32 + builder.FrameSize + 30) : b;
            }
        );
        if (tailDamaged)
            Assert.Throws<LitestreamException>(() => Pages(wal, builder.End()));
        else
            Assert.Equal([1u, 2u, 3u], Pages(wal, builder.End()));
    }

    [Theory]
    [InlineData(1L, 2L)] // the limit falls inside the first transaction
    [InlineData(2 * 536L, 2L)]
    [InlineData(2 * 536L + 1, 5L)] // inside the second
    [InlineData(6 * 536L, 6L)]
    [InlineData(long.MaxValue, 6L)]
    public void A12_PageMapWithALimit_StopsBehindTheCommitThatCrossesIt(long limit, long lastFrame)
    {
        var builder = new WalBuilder().Frame(1, 0, 1).Frame(2, 2, 2).Frame(1, 0, 3).Frame(3, 0, 4).Frame(2, 3, 5).Frame(4, 4, 6);
        using var wal = builder.Open(_folder);
        using var reader = new WalReader(wal, builder.End(), 0, null);
        var map = PageMap.Read(reader, 512, limit, TestContext.Current.CancellationToken);
        Assert.Equal((lastFrame, builder.End((int)lastFrame).Pages), (map.LastFrame, map.Commit));
        Assert.Equal(builder.End((int)lastFrame).LastChecksum, map.LastChecksum);
        Assert.All(map.SortedPages(), p => Assert.True(map.TryGetFrame(p, out var frame) && frame <= lastFrame));
    }

    [Fact]
    public void A12_LimitInTheMiddle_TheNextMapGoesOnWithoutAHole()
    {
        var builder = new WalBuilder();
        for (var i = 1u; i <= 20; i++)
            builder.Frame(i, i % 3 == 0 || i == 20 ? i : 0, (byte)i);
        using var wal = builder.Open(_folder);
        var pages = new List<uint>();
        WalChecksum? seed = null;
        for (long after = 0; after < 20; )
        {
            using var reader = new WalReader(wal, builder.End(), after, seed);
            var map = PageMap.Read(reader, 512, 1, TestContext.Current.CancellationToken);
            Assert.True(map.Commit > 0 && map.LastFrame > after);
            pages.AddRange(map.SortedPages());
            (after, seed) = (map.LastFrame, map.LastChecksum);
        }
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (uint)i), pages);
    }

    [Fact]
    public void A13_ALaterTransactionShrinksTheDatabase_PagesAboveItsEndAreAbsent()
    {
        var builder = new WalBuilder().Frame(1, 0, 1).Frame(8, 0, 2).Frame(9, 9, 3).Frame(2, 4, 4);
        using var wal = builder.Open(_folder);
        using var reader = new WalReader(wal, builder.End(), 0, null);
        var map = PageMap.Read(reader, 512, long.MaxValue, TestContext.Current.CancellationToken);
        Assert.Equal([1u, 2u], map.SortedPages());
        Assert.Equal(4u, map.Commit);
    }

    [Fact]
    public void A14_UncommittedTail_IsNotInTheMap_AndItsFrameDoesNotHideACommittedOne()
    {
        var builder = new WalBuilder().Frame(1, 0, 1).Frame(2, 2, 2).Frame(2, 0, 99).Frame(3, 0, 99);
        using var wal = builder.Open(_folder);
        using var reader = new WalReader(wal, builder.End(), 0, null);
        var map = PageMap.Read(reader, 512, long.MaxValue, TestContext.Current.CancellationToken);
        Assert.Equal([1u, 2u], map.SortedPages());
        Assert.True(map.TryGetFrame(2, out var frame));
        Assert.Equal((2L, 2L), (frame, map.LastFrame));
    }

    [Fact]
    public void A10_CancelledToken_EndsALongMap()
    {
        var builder = new WalBuilder();
        for (var i = 0; i < 5000; i++)
            builder.Frame(1, 1, 1);
        using var wal = builder.Open(_folder);
        using var reader = new WalReader(wal, builder.End(), 0, null);
        Assert.Throws<OperationCanceledException>(() => PageMap.Read(reader, 512, long.MaxValue, new CancellationToken(true)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(511)]
    [InlineData(1024)]
    public void A8_BufferOfAnotherSizeThanThePage_IsAnError(int size)
    {
        var builder = new WalBuilder().Frame(1, 0, 1).Frame(2, 2, 2);
        using var wal = builder.Open(_folder);
        Assert.Throws<ArgumentException>(() => wal.ReadFrame(1, 512, new byte[size]));
        var page = new byte[512];
        Assert.Equal(2u, wal.ReadFrame(2, 512, page)!.Value.PageNumber);
        Assert.Equal(2, page[511]);
    }

    [Theory]
    [InlineData(512, 9_000_001)]
    [InlineData(4096, 1_100_003)]
    [InlineData(65536, 70_001)]
    public void A16_WalOfMoreThanFourGiB_IsReadBehindIt(int pageSize, long before)
    {
        // A hole in the file stands for the frames before; the last of them says where the chain of checksums stands.
        var seed = new WalBuilder(pageSize).Frame(1, 1, 1);
        var behind = WalBuilder.Behind(seed.End()).Frame(5, 0, 7).Frame(6, 9, 8);
        var path = _folder.Combine("huge.db-wal");
        using (var file = File.Create(path))
        {
            file.Position = WalFrameHeader.OffsetOf(before, pageSize);
            file.Write(seed.ToArray().AsSpan(WalHeader.Size));
            file.Write(behind.ToArray());
        }
        using var wal = new WalFile(path);
        var end = behind.End() with { LastFrame = (uint)before + 2 };
        Assert.True(wal.LengthBytes > uint.MaxValue, $"{wal.LengthBytes} bytes");
        Assert.Equal(wal.LengthBytes, end.EndOffset);
        Assert.Equal(before + 2, WalFrameHeader.FrameEndingAt(end.EndOffset, pageSize));
        using var reader = new WalReader(wal, end, before, null);
        var map = PageMap.Read(reader, pageSize, long.MaxValue, TestContext.Current.CancellationToken);
        Assert.Equal((before + 2, 9u), (map.LastFrame, map.Commit));
        Assert.True(map.TryGetFrame(5, out var first));
        Assert.Equal(before + 1, first);
        var page = new byte[pageSize];
        Assert.Equal(6u, wal.ReadFrame(before + 2, pageSize, page)!.Value.PageNumber);
        Assert.Equal(8, page[pageSize - 1]);
    }

    private static List<uint> Pages(WalFile wal, WalIndexHeader end)
    {
        using var reader = new WalReader(wal, end, 0, null);
        var pages = new List<uint>();
        while (reader.Read())
            pages.Add(reader.Header.PageNumber);
        return pages;
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        bytes[at] ^= 0x40;
        return bytes;
    }

    public void Dispose() => _folder.Dispose();
}
