using Datasette.Litestream.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Datasette.Litestream.Tests;

public sealed class EngineLogTests
{
    private readonly EngineLog _log = new(
        NullLoggerFactory.Instance,
        new FakeTimeProvider(new DateTimeOffset(2026, 10, 5, 14, 32, 9, 12, TimeSpan.Zero))
    );

    [Fact]
    public void Line_HasTimeLevelAndText()
    {
        _log.CreateLogger("x").LogWarning("hello {Name}", "world");

        Assert.Equal("2026-10-05T14:32:09.012Z WARN  hello world", _log.Text());
    }

    [Fact]
    public void P049_Memory_IsBoundedAndKeepsTheNewest()
    {
        var logger = _log.CreateLogger("x");
        for (var i = 0; i < 5000; i++)
            logger.LogInformation("line {Number} {Filler}", i, new string('x', 50));
        logger.LogInformation("{Long}", new string('y', 100_000));

        Assert.InRange(_log.Text().Length, 1, EngineLog.Capacity);
        Assert.Contains("line 4999", _log.Text());
        Assert.DoesNotContain("line 0 ", _log.Text());
        Assert.All(_log.Text().Split('\n'), line => Assert.InRange(line.Length, 1, EngineLog.LongestLine));
    }

    [Fact]
    public void P047_Secrets_AreTakenOutOfMessageAndException()
    {
        var redactor = new Redactor();
        redactor.AddSecret("sesame-open");
        _log.Use(redactor);

        _log.CreateLogger("x")
            .LogError(new InvalidOperationException("wrong key sesame-open\nat line 2"), "failed with {Key}", "sesame-open");

        var line = Assert.Single(_log.Text().Split('\n'));
        Assert.DoesNotContain("sesame", line);
        Assert.Contains("InvalidOperationException: wrong key ***REDACTED***", line);
    }
}
