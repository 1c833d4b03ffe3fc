using Litestream.Cli.Commands;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Litestream.Tests.Cli;

public sealed class RestoreTimeTests
{
    private static readonly DateTimeOffset s_now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.0000000+00:00")]
    [InlineData("2026-01-31t12:00:00z", "2026-01-31T12:00:00.0000000+00:00")]
    [InlineData("2026-01-31T13:30:00.25+01:30", "2026-01-31T12:00:00.2500000+00:00")]
    [InlineData("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.1234567+00:00")]
    [InlineData("2026-01-31T00:00:00-05:00", "2026-01-31T05:00:00.0000000+00:00")]
    [InlineData("15m ago", "2026-03-01T11:45:00.0000000+00:00")]
    [InlineData("1h30m AGO", "2026-03-01T10:30:00.0000000+00:00")]
    [InlineData("3d ago", "2026-02-26T12:00:00.0000000+00:00")]
    [InlineData("1w2d ago", "2026-02-20T12:00:00.0000000+00:00")]
    [InlineData("1d12h30m ago", "2026-02-27T23:30:00.0000000+00:00")]
    public void Parse_Rfc3339OrAgo_IsAMoment(string text, string expected) =>
        Assert.Equal(expected, RestoreTime.Parse(text, new FakeTimeProvider(s_now)).ToUniversalTime().ToString("O"));

    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("2026-01-31")]
    [InlineData("2026-01-31T12:00:00")]
    [InlineData("2026-01-31T12:00Z")]
    [InlineData("2026-02-30T12:00:00Z")]
    [InlineData("2026-01-31T25:00:00Z")]
    [InlineData("2026-01-31T12:00:00.Z")]
    [InlineData("2026-01-31T12:00:00+0100")]
    [InlineData("2026-01-31T12:00:00+25:00")]
    [InlineData("0001-01-01T00:00:00+14:00")]
    [InlineData("-5m ago")]
    [InlineData("5 ago")]
    [InlineData("d ago")]
    [InlineData("3d2w ago")]
    [InlineData("99999999d ago")]
    [InlineData("999999d ago")]
    [InlineData("3D ago")]
    public void Parse_AnythingElse_SaysHowToWriteIt(string text)
    {
        var e = Assert.Throws<CliException>(() => RestoreTime.Parse(text, new FakeTimeProvider(s_now)));
        Assert.Contains("15m ago", e.Hint, StringComparison.Ordinal);
    }
}
