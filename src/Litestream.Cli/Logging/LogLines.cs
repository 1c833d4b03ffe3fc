using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Logging;

/// <summary>Log lines of the command itself: a fixed message with named values.</summary>
internal static class LogLines
{
    public static void Info(this ILogger log, string message, params (string Name, object? Value)[] values) =>
        Write(log, LogLevel.Information, message, values);

    public static void Warn(this ILogger log, string message, params (string Name, object? Value)[] values) =>
        Write(log, LogLevel.Warning, message, values);

    private static void Write(ILogger log, LogLevel level, string message, (string Name, object? Value)[] values)
    {
        if (log.IsEnabled(level))
            log.Log(level, default, new Line(message, values), null, static (line, _) => line.Message);
    }

    private sealed class Line(string message, (string Name, object? Value)[] values)
        : List<KeyValuePair<string, object?>>(values.Select(v => new KeyValuePair<string, object?>(v.Name, v.Value)))
    {
        public string Message => message;
    }
}
