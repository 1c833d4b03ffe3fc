using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Logging;

/// <summary>Writes log lines in the form of Litestream: <c>time=... level=INFO msg="..." key=value</c>, JSON, or short lines for people.</summary>
/// <remarks>Lines are written whole, one at a time; safe from any thread.</remarks>
internal sealed class SlogLoggerProvider(TextWriter output, LogSettings settings, TimeProvider time) : ILoggerProvider
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, ILogger> _loggers = new(StringComparer.Ordinal);

    public ILogger CreateLogger(string categoryName) => _loggers.GetOrAdd(categoryName, _ => new SlogLogger(this));

    public void Dispose() { }

    private void Write(LogLevel level, string message, IReadOnlyList<KeyValuePair<string, object?>> attributes)
    {
        var now = time.GetLocalNow();
        var line = settings.Type switch
        {
            LogType.Json => Json(now, level, message, attributes),
            LogType.Pretty => Pretty(now, level, message, attributes),
            _ => Text(now, level, message, attributes),
        };
        lock (_gate)
        {
            output.Write(line + "\n");
            output.Flush();
        }
    }

    private static string Text(DateTimeOffset now, LogLevel level, string message, IReadOnlyList<KeyValuePair<string, object?>> attributes)
    {
        var line = new StringBuilder("time=")
            .Append(Time(now))
            .Append(" level=")
            .Append(Name(level))
            .Append(" msg=")
            .Append(Quote(message));
        foreach (var (name, value) in attributes)
            line.Append(' ').Append(name).Append('=').Append(Quote(Show(value)));
        return line.ToString();
    }

    private static string Pretty(
        DateTimeOffset now,
        LogLevel level,
        string message,
        IReadOnlyList<KeyValuePair<string, object?>> attributes
    )
    {
        var line = new StringBuilder(now.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture))
            .Append(' ')
            .Append(Name(level)[..3])
            .Append(' ')
            .Append(message);
        foreach (var (name, value) in attributes)
            line.Append(' ').Append(name).Append('=').Append(Quote(Show(value)));
        return line.ToString();
    }

    private static string Json(DateTimeOffset now, LogLevel level, string message, IReadOnlyList<KeyValuePair<string, object?>> attributes)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("time", Time(now));
            writer.WriteString("level", Name(level));
            writer.WriteString("msg", message);
            foreach (var (name, value) in attributes)
                WriteValue(writer, name, value);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static void WriteValue(Utf8JsonWriter writer, string name, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNull(name);
                break;
            case bool flag:
                writer.WriteBoolean(name, flag);
                break;
            case int or long or short or byte or uint or sbyte or ushort:
                writer.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumber(name, number);
                break;
            default:
                writer.WriteString(name, Show(value));
                break;
        }
    }

    private static string Time(DateTimeOffset now) =>
        now.ToString(
            now.Offset == TimeSpan.Zero ? "yyyy-MM-dd'T'HH:mm:ss.fff'Z'" : "yyyy-MM-dd'T'HH:mm:ss.fffzzz",
            CultureInfo.InvariantCulture
        );

    private static string Name(LogLevel level) =>
        level switch
        {
            LogLevel.Trace => "TRACE",
            LogLevel.Debug => "DEBUG",
            LogLevel.Information => "INFO",
            LogLevel.Warning => "WARN",
            _ => "ERROR",
        };

    private static string Show(object? value) =>
        value switch
        {
            null => "",
            TimeSpan span => GoDuration.Format(span),
            bool flag => flag ? "true" : "false",
            DateTimeOffset moment => Time(moment.ToUniversalTime()),
            Exception e => e.Message,
            string text => text,
            IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString() ?? "",
        };

    private static string Quote(string text)
    {
        var plain = text.Length > 0;
        foreach (var c in text)
            plain &= c is not (' ' or '"' or '=' or '\\') && !char.IsControl(c);
        if (plain)
            return text;
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
            _ = c switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                _ when char.IsControl(c) => quoted.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ => quoted.Append(c),
            };
        return quoted.Append('"').ToString();
    }

    private sealed class SlogLogger(SlogLoggerProvider owner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= owner.Level && logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (!IsEnabled(logLevel))
                return;
            var message = Message(state as IReadOnlyList<KeyValuePair<string, object?>>) ?? formatter(state, exception);
            var attributes = new List<KeyValuePair<string, object?>>();
            if (state is IReadOnlyList<KeyValuePair<string, object?>> values)
                foreach (var (name, value) in values)
                    if (name != "{OriginalFormat}" && owner.IsNews(message, value))
                        attributes.Add(new(Kebab(name), value));
            if (exception is not null && !message.Contains(exception.Message, StringComparison.Ordinal))
                attributes.Add(new("error", exception.Message));
            owner.Write(logLevel, message, attributes);
        }
    }

    private LogLevel Level => settings.Level;

    // A template's message with its values written as elsewhere in the line (a duration as 1s); null when the state has no template.
    private static string? Message(IReadOnlyList<KeyValuePair<string, object?>>? values)
    {
        if (values is not [.., { Key: "{OriginalFormat}", Value: string template }])
            return null;
        var message = new StringBuilder(template.Length + 64);
        for (var i = 0; i < template.Length; )
        {
            var open = template.IndexOf('{', i);
            var close = open < 0 ? -1 : template.IndexOf('}', open);
            if (close < 0)
                return message.Append(template, i, template.Length - i).ToString();
            var name = template[(open + 1)..close];
            var found = values.FirstOrDefault(v => v.Key == name);
            if (found.Key is null)
                return null; // With a format or escaped braces: the platform's own formatter knows.
            message.Append(template, i, open - i).Append(Show(found.Value));
            i = close + 1;
        }
        return message.ToString();
    }

    // Machines want every value by its name; people do not want to read twice what the message says already.
    private bool IsNews(string message, object? value) =>
        settings.Type == LogType.Json
        || (Show(value) is var text && (text.Length == 0 || !message.Contains(text, StringComparison.Ordinal)));

    private static string Kebab(string name)
    {
        var result = new StringBuilder(name.Length + 4);
        foreach (var c in name)
        {
            if (char.IsAsciiLetterUpper(c) && result.Length > 0 && result[^1] != '-')
                result.Append('-');
            result.Append(char.ToLowerInvariant(c));
        }
        return result.ToString();
    }
}
