using Microsoft.Extensions.Logging;

namespace Litestream.Tests.Simulation;

/// <summary>What the engine says, among what happens.</summary>
/// <param name="trace">Where it is written.</param>
/// <param name="folder">Left out, since it has another name in each life.</param>
internal sealed class TraceLoggers(Trace trace, string folder) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new Line(trace, folder);

    public void AddProvider(ILoggerProvider provider) { }

    public void Dispose() { }

    private sealed class Line(Trace trace, string folder) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (IsEnabled(logLevel))
                trace.Say("log: " + formatter(state, exception).Replace(folder, "", StringComparison.Ordinal));
        }
    }
}
