using K4os.Compression.LZ4;
using Litestream.Ltx;
using Xunit;

namespace Litestream.Tests.Ltx;

/// <summary>Our blocks, read back by the LZ4 package.</summary>
public class Lz4BlockTests
{
    [Fact]
    public void Encode_EveryShortLength_IsReadBack()
    {
        for (var length = 1; length <= 600; length++)
        {
            AssertReadBack(new byte[length], $"{length} zeros");
            AssertReadBack([.. Enumerable.Range(0, length).Select(i => (byte)(i % 7))], $"{length} bytes of period 7");
            AssertReadBack([.. Enumerable.Range(0, length).Select(i => (byte)i)], $"{length} bytes of period 256");
        }
    }

    [Fact]
    public void Encode_RandomMixtures_AreReadBackAndNeverTooLong()
    {
        for (var seed = 1; seed <= 1500; seed++)
        {
            var random = new Random(seed);
            var length = random.Next(6) switch
            {
                0 => 65536,
                1 => random.Next(1, 65537),
                2 => 512,
                _ => 4096,
            };
            AssertReadBack(Mixture(random, length), $"seed {seed}");
        }
    }

    [Fact]
    public void Encode_TextOfALogTable_IsAsSmallAsThePackageMakesIt()
    {
        long ours = 0;
        long theirs = 0;
        var target = new byte[Lz4Block.MaxSize(4096)];
        for (var seed = 1; seed <= 200; seed++)
        {
            var page = LogPage(new Random(seed));
            ours += Lz4Block.Encode(page, target);
            theirs += LZ4Codec.Encode(page, target.AsSpan());
        }
        Assert.InRange(ours, 1, theirs * 103 / 100);
    }

    [Fact]
    public void Encode_TooLongOrTooLittleRoom_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Lz4Block.Encode(new byte[65537], new byte[100_000]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Lz4Block.Encode(new byte[512], new byte[Lz4Block.MaxSize(512) - 1]));
    }

    private static void AssertReadBack(byte[] page, string what)
    {
        // Guard bytes behind the room that is promised to be enough.
        var target = new byte[Lz4Block.MaxSize(page.Length) + 64];
        target.AsSpan(Lz4Block.MaxSize(page.Length)).Fill(0xa5);
        var size = Lz4Block.Encode(page, target.AsSpan(0, Lz4Block.MaxSize(page.Length)));
        Assert.True(size <= Lz4Block.MaxSize(page.Length), what);
        Assert.True(target.AsSpan(Lz4Block.MaxSize(page.Length)).IndexOfAnyExcept((byte)0xa5) < 0, $"{what}: wrote too far");
        var back = new byte[page.Length];
        Assert.True(LZ4Codec.Decode(target.AsSpan(0, size), back) == page.Length && back.AsSpan().SequenceEqual(page), what);
    }

    /// <summary>Random bytes, runs and repetitions of what came before, in pieces of all lengths.</summary>
    private static byte[] Mixture(Random random, int length)
    {
        var page = new byte[length];
        for (var at = 0; at < length; )
        {
            var piece = Math.Min(length - at, 1 + (int)Math.Pow(2, random.NextDouble() * 11));
            var target = page.AsSpan(at, piece);
            switch (random.Next(3))
            {
                case 0:
                    random.NextBytes(target);
                    break;
                case 1:
                    target.Fill((byte)random.Next(256));
                    break;
                default:
                    var from = random.Next(at + 1);
                    for (var i = 0; i < piece; i++)
                        target[i] = page[from + i];
                    break;
            }
            at += piece;
        }
        return page;
    }

    private static byte[] LogPage(Random random)
    {
        string[] words = ["request", "response", "database", "timeout", "order", "payment", "customer", "created", "failed", "retry"];
        var page = new byte[4096];
        for (var at = 0; at + 120 < page.Length; )
        {
            var line =
                $"2026-11-{random.Next(1, 31):00}T{random.Next(24):00}:{random.Next(60):00} INFO {string.Join(' ', random.GetItems(words, 9))} {random.Next():x8}\n";
            at += System.Text.Encoding.ASCII.GetBytes(line.AsSpan(0, Math.Min(line.Length, page.Length - at)), page.AsSpan(at));
        }
        return page;
    }
}
