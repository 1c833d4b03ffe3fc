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
}
