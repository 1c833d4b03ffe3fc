using Litestream.Cli;
using Litestream.Cli.Logging;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Litestream.Tests.Cli;

public sealed class SlogLoggerTests
{
    private static readonly FakeTimeProvider s_time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, 5, TimeSpan.Zero));

    [Fact]
    public void Text_MessageAndValues_AreQuotedWhereNeeded() =>
        Assert.Equal(
            "time=2026-03-01T12:00:00.005Z level=INFO msg=\"syncing database\" path=/a.db to=\"a \\\"b\\\"\" took=1.5s\n",
            Write(
                LogType.Text,
                log => log.Info("syncing database", ("path", "/a.db"), ("to", "a \"b\""), ("took", TimeSpan.FromSeconds(1.5)))
            )
        );

    [Fact]
    public void Text_ValueStandsInTheMessage_IsNotRepeated() =>
        Assert.Equal(
            "time=2026-03-01T12:00:00.005Z level=WARN msg=\"/a.db: failed\" error=boom\n",
            Write(LogType.Text, log => log.LogWarning(new InvalidOperationException("boom"), "{DatabasePath}: failed", "/a.db"))
        );

    [Fact]
    public void Json_EveryValue_HasItsName() =>
        Assert.Equal(
            "{\"time\":\"2026-03-01T12:00:00.005Z\",\"level\":\"ERROR\",\"msg\":\"/a.db: 3 <left>\",\"database-path\":\"/a.db\",\"count\":3}\n",
            Write(LogType.Json, log => log.LogError("{DatabasePath}: {Count} <left>", "/a.db", 3))
        );

    [Fact]
    public void Text_Template_WritesValuesAsElsewhere() =>
        Assert.Equal(
            "time=2026-03-01T12:00:00.005Z level=ERROR msg=\"next try in 1.5s, done: true, and more\"\n",
            Write(LogType.Text, log => log.LogError("next try in {Delay}, done: {Done}, and more", TimeSpan.FromSeconds(1.5), true))
        );

    [Fact]
    public void Pretty_IsShort() => Assert.Equal("12:00:00.005 INF hello n=1\n", Write(LogType.Pretty, log => log.Info("hello", ("n", 1))));

    [Fact]
    public void Text_LineBreaks_StayInOneLine() =>
        Assert.Equal(1, Write(LogType.Text, log => log.Info("a\nb", ("c", "d\r\ne"))).Count(c => c == '\n'));

    [Fact]
    public void Level_BelowTheLeast_IsNotWritten() => Assert.Equal("", Write(LogType.Text, log => log.LogTrace("x")));

    private static string Write(LogType type, Action<ILogger> write)
    {
        using var output = new StringWriter();
        using var provider = new SlogLoggerProvider(output, new LogSettings(LogLevel.Debug, type), s_time);
        write(provider.CreateLogger("x"));
        return output.ToString();
    }
}
