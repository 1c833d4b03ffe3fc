using Litestream.Cli;
using Xunit;

namespace Litestream.Tests.Cli;

public sealed class GoDurationTests
{
    [Theory]
    [InlineData("1h30m", 5_400_000_0000L)]
    [InlineData("1.5h", 5_400_000_0000L)]
    [InlineData("200ms", 200_0000L)]
    [InlineData("1s500ms", 1_500_0000L)]
    [InlineData("-2s", -2_000_0000L)]
    [InlineData("10us", 100L)]
    [InlineData("10µs", 100L)]
    [InlineData("100ns", 1L)]
    [InlineData("0", 0L)]
    [InlineData(".5s", 500_0000L)]
    public void TryParse_NumbersWithUnits_Sums(string text, long ticks)
    {
        Assert.True(GoDuration.TryParse(text, out var value));
        Assert.Equal(ticks, value.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("1.5")]
    [InlineData("1d")]
    [InlineData("s")]
    [InlineData("1h30")]
    [InlineData("1 h")]
    [InlineData("1..5s")]
    [InlineData("99999999999999h")]
    [InlineData("79228162514264337593543950335h")]
    [InlineData(null)]
    public void TryParse_AnythingElse_IsRefused(string? text) => Assert.False(GoDuration.TryParse(text, out _));

    [Theory]
    [InlineData("1s", "1s")]
    [InlineData("90s", "1m30s")]
    [InlineData("24h", "24h0m0s")]
    [InlineData("200ms", "200ms")]
    [InlineData("1500ms", "1.5s")]
    [InlineData("15us", "15µs")]
    [InlineData("0s", "0s")]
    [InlineData("-5m", "-5m0s")]
    public void Format_WritesAsGo(string text, string expected)
    {
        Assert.True(GoDuration.TryParse(text, out var value));
        Assert.Equal(expected, GoDuration.Format(value));
    }

    [Fact]
    public void Format_ThenTryParse_GivesTheSame() =>
        CsCheck.Check.Sample(
            CsCheck.Gen.Long[-1L << 60, 1L << 60],
            ticks =>
            {
                Assert.True(GoDuration.TryParse(GoDuration.Format(TimeSpan.FromTicks(ticks)), out var back));
                Assert.Equal(ticks, back.Ticks);
            }
        );
}
