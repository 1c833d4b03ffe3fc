using Litestream.Restore;
using Xunit;

namespace Litestream.Tests.Restore;

public class PageSetTests
{
    [Fact]
    public void FirstMissing_RandomSets_AgreesWithAPlainSet()
    {
        for (var seed = 1; seed <= 200; seed++)
        {
            var random = new Random(seed);
            var last = (uint)random.Next(1, 200_000);
            var except = (uint)random.Next(1, 200_000);
            var set = new PageSet();
            var without = Enumerable.Range(0, random.Next(4)).Select(_ => (uint)random.Next(1, (int)last + 1)).ToHashSet();
            for (uint n = 1; n <= last; n++)
            {
                if (n != except && !without.Contains(n))
                    set.Add(n);
            }
            without.Remove(except);
            uint? expected = without.Count == 0 ? null : without.Min();
            Assert.True(expected == set.FirstMissing(last, except), $"seed {seed}");
            Assert.True((expected ?? (last + 1 == except ? last + 2 : last + 1)) == set.FirstMissing(last + 2, except), $"seed {seed}");
        }
    }

    [Fact]
    public void FirstMissing_HugeNumbers_AreQuickAndSmall()
    {
        var set = new PageSet();
        set.Add(uint.MaxValue);
        set.Add(1);
        Assert.Equal(2u, set.FirstMissing(uint.MaxValue, 5));
        Assert.Null(set.FirstMissing(0, 5));
        Assert.Null(set.FirstMissing(1, 5));
        Assert.Null(set.FirstMissing(2, 2));
        Assert.Equal(3u, set.FirstMissing(uint.MaxValue, 2));
        set.Clear();
        Assert.Equal(1u, set.FirstMissing(1, 5));
    }

    [Fact]
    public void AscendingContainsAndAdd_RandomSets_AgreeWithAPlainSet()
    {
        var random = new Random(3);
        var (first, second, plain) = (new PageSet(), new PageSet(), new SortedSet<uint>());
        for (var i = 0; i < 2000; i++)
        {
            var page = (uint)random.Next(1, i % 3 == 0 ? 500_000 : 300);
            plain.Add(page);
            (i % 2 == 0 ? first : second).Add(page);
        }
        first.Add(second);
        Assert.Equal(plain, first.Ascending());
        for (uint page = 1; page < 1000; page++)
            Assert.Equal(plain.Contains(page), first.Contains(page));
        for (uint start = 250; start < 600; start++)
            Assert.Equal(
                Enumerable.Range((int)start, 400).Select(p => (uint)p).Cast<uint?>().FirstOrDefault(p => !plain.Contains(p!.Value)),
                first.FirstMissing(start, start + 399, 0)
            );
    }
}
