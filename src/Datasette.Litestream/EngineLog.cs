using System.Globalization;
using Datasette.Litestream.Configuration;
using Microsoft.Extensions.Logging;

namespace Datasette.Litestream;

/// <summary>
/// The engine's log: every line goes, without secrets, to the host's log and into a bounded memory for the status page.
/// Safe on any thread; lives as long as the replication of one host.
/// </summary>
internal sealed class EngineLog : ILoggerFactory
{
    /// <summary>Characters kept for the page.</summary>
    public const int Capacity = 64 * 1024;

    /// <summary>Characters kept of one line.</summary>
    public const int LongestLine = 4 * 1024;

    private readonly ILoggerFactory _host;
    private readonly TimeProvider _time;

    // One note on a second lock (rule 8): lines come from every task of the engine, and no gate of a database covers them all.
    private readonly Lock _lock = new();
    private readonly Queue<string> _lines = new();
    private int _characters;
    private volatile Redactor _redactor = new();

    /// <summary>Creates the log.</summary>
    /// <param name="host">Where lines go besides the memory.</param>
    /// <param name="time">The clock of the lines.</param>
    public EngineLog(ILoggerFactory host, TimeProvider time)
    {
        _host = host;
        _time = time;
    }

    /// <summary>Knows the secrets from now on.</summary>
    public void Use(Redactor redactor) => _redactor = redactor;

    /// <summary>The newest lines, oldest first.</summary>
    public string Text()
    {
        lock (_lock)
            return string.Join('\n', _lines);
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new Line(this, _host.CreateLogger(categoryName));

    /// <summary>Not supported: the host's own providers hear everything.</summary>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("add providers to the host's logger factory");

    /// <summary>Does nothing; the host owns its factory.</summary>
    public void Dispose() { }

    private void Add(LogLevel level, string message)
    {
        var time = _time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        var word = level switch
        {
            LogLevel.Trace => "TRACE",
            LogLevel.Debug => "DEBUG",
            LogLevel.Information => "INFO ",
            LogLevel.Warning => "WARN ",
            _ => "ERROR",
        };
        var line = $"{time} {word} {message.ReplaceLineEndings(" ")}";
        if (line.Length > LongestLine)
            line = line[..(LongestLine - 1)] + "…";
        lock (_lock)
        {
            _lines.Enqueue(line);
            _characters += line.Length + 1;
            while (_characters > Capacity)
                _characters -= _lines.Dequeue().Length + 1;
        }
    }

    private sealed class Line(EngineLog log, ILogger host) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => host.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information || host.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            var text = formatter(state, exception);
            if (exception is not null)
                text += $" ({exception.GetType().Name}: {exception.Message})";
            text = log._redactor.Text(text);
            // The exception itself is not handed on: its text may hold what was just taken out.
            if (host.IsEnabled(logLevel))
                host.Log(logLevel, eventId, text, null, static (line, _) => line);
            if (logLevel >= LogLevel.Information)
                log.Add(logLevel, text);
        }
    }
}
