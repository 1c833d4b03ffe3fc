using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Litestream.Benchmarks;

/// <summary>Appends log lines to a file, with the milliseconds between them. Kept in memory until the end, so that it costs the engine next to nothing.</summary>
internal sealed class FileLoggerProvider(string path) : ILoggerProvider, ILogger
{
    private readonly List<(DateTimeOffset At, string Line)> _lines = [];

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        var line = formatter(state, exception);
        lock (_lines)
            _lines.Add((TimeProvider.System.GetUtcNow(), line));
    }

    public void Dispose()
    {
        lock (_lines)
        {
            File.AppendAllLines(path, _lines.Select(l => l.At.ToString("HH:mm:ss.fff ", CultureInfo.InvariantCulture) + l.Line));
            _lines.Clear();
        }
    }
}
