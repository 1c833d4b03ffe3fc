using Litestream.Replication;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>The guard against loops of files with the whole database: decisions alone, with a clock of numbers.</summary>
public sealed class FullFileGuardTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void B35_ThreeWithinTenMinutesPass_TheFourthWaits_AndEachFurtherOneTwiceAsLong()
    {
        var guard = new FullFileGuard();
        var now = Start;
        for (var i = 0; i < 3; i++)
        {
            Assert.Null(guard.NextAt(now));
            guard.Written(now);
            now = now.AddSeconds(1);
        }
        var waits = new List<double>();
        for (var i = 0; i < 7; i++)
        {
            var next = guard.NextAt(now);
            Assert.NotNull(next);
            Assert.NotNull(guard.NextAt(next.Value.AddTicks(-1)));
            Assert.Null(guard.NextAt(next.Value));
            waits.Add((next.Value - now).TotalSeconds);
            now = next.Value;
            guard.Written(now);
        }
        // Also when each is alone in its ten minutes: it is the same loop, only slower.
        Assert.Equal([29, 60, 120, 240, 480, 600, 600], waits);
    }

    [Fact]
    public void B35_SpreadOverHours_NeverWaits()
    {
        var guard = new FullFileGuard();
        for (var i = 0; i < 50; i++)
        {
            Assert.Null(guard.NextAt(Start.AddMinutes(4 * i)));
            Assert.False(guard.Count(Start.AddMinutes(4 * i)) > FullFileGuard.Most);
            guard.Written(Start.AddMinutes(4 * i));
        }
    }

    [Fact]
    public void B35_AfterACalmWindow_EverythingIsForgotten()
    {
        var guard = new FullFileGuard();
        for (var i = 0; i < 6; i++)
            guard.Written(Start);
        Assert.NotNull(guard.NextAt(Start.AddMinutes(3)));
        Assert.Equal(0, guard.Count(Start.AddMinutes(10)));
        Assert.True(guard.IsAlarming(Start.AddMinutes(13)));
        Assert.False(guard.IsAlarming(Start.AddMinutes(14))); // the window, behind the delay of four minutes
        guard.Written(Start.AddMinutes(14));
        Assert.Null(guard.NextAt(Start.AddMinutes(14)));
    }
}
