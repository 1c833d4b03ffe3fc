using Litestream.Cli.Configuration;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli;

/// <summary>The form of log lines.</summary>
public enum LogType
{
    /// <summary><c>time=... level=INFO msg=... key=value</c>.</summary>
    Text,

    /// <summary>One JSON object a line.</summary>
    Json,

    /// <summary>Short lines for people.</summary>
    Pretty,
}

/// <summary>How and where to log. Immutable.</summary>
/// <param name="Level">Least level that is written. Default: information.</param>
/// <param name="Type">Form of the lines. Default: text.</param>
/// <param name="UseStandardError">Write to standard error instead of standard output. Default: false.</param>
public sealed record LogSettings(LogLevel Level = LogLevel.Information, LogType Type = LogType.Text, bool UseStandardError = false)
{
    private static readonly string[] s_levels = ["trace", "debug", "info", "warn", "error"];
    private static readonly string[] s_types = ["text", "json", "pretty"];

    internal string LevelName =>
        Level == LogLevel.Information ? "info"
        : Level == LogLevel.Warning ? "warn"
        : Level.ToString().ToLowerInvariant();

    internal static LogLevel ParseLevel(string field, string text, ConfigPlace? place = null) =>
        text.Trim().ToLowerInvariant() switch
        {
            "trace" => LogLevel.Trace,
            "debug" => LogLevel.Debug,
            "info" or "" => LogLevel.Information,
            "warn" or "warning" => LogLevel.Warning,
            "error" => LogLevel.Error,
            _ => throw ConfigError.Field(field, "unknown log level", text, string.Join(", ", s_levels), place),
        };

    internal static LogType ParseType(string field, string text, ConfigPlace? place = null) =>
        text.Trim().ToLowerInvariant() switch
        {
            "text" or "" => LogType.Text,
            "json" => LogType.Json,
            "pretty" => LogType.Pretty,
            _ => throw ConfigError.Field(field, "unknown log type", text, string.Join(", ", s_types), place),
        };
}
