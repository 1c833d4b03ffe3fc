using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Datasette.Views;

/// <summary>Values of JSON to values of cells: scalars as they are, bytes by their envelope, everything else as JSON text.</summary>
internal static class CellValues
{
    /// <exception cref="DatasetteException">400: bytes that are no base64, an integer beyond 64 bits.</exception>
    public static object? Of(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.Undefined => null,
            JsonValueKind.True => 1L,
            JsonValueKind.False => 0L,
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number => Number(value),
            JsonValueKind.Object => Envelope(value),
            _ => JsonText(value),
        };

    private static object Number(JsonElement value)
    {
        if (value.TryGetInt64(out var integer))
        {
            return integer;
        }
        if (value.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0)
        {
            throw new DatasetteException(400, $"{value.GetRawText()} does not fit into a 64-bit integer");
        }
        return value.GetDouble();
    }

    private static object? Envelope(JsonElement value)
    {
        var count = value.EnumerateObject().Count();
        if (
            count == 2
            && value.TryGetProperty("$base64", out var flag)
            && flag.ValueKind == JsonValueKind.True
            && value.TryGetProperty("encoded", out var encoded)
        )
        {
            if (encoded.ValueKind == JsonValueKind.String && encoded.TryGetBytesFromBase64(out var bytes))
            {
                return bytes;
            }
            throw new DatasetteException(400, "Invalid $base64 encoded value");
        }
        // One level of escaping, so that an object that looks like an envelope can be stored as it is.
        return count == 1 && value.TryGetProperty("$raw", out var raw)
            ? raw.ValueKind is JsonValueKind.Object or JsonValueKind.Array
                ? JsonText(raw)
                : Of(raw)
            : JsonText(value);
    }

    /// <summary>JSON text with a space behind commas and colons, as other tools have stored it for years.</summary>
    public static string JsonText(JsonElement value)
    {
        var text = new StringBuilder();
        Append(text, value);
        return text.ToString();
    }

    private static void Append(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                foreach (var (i, property) in value.EnumerateObject().Index())
                {
                    text.Append(i > 0 ? ", " : "");
                    AppendString(text, property.Name);
                    text.Append(": ");
                    Append(text, property.Value);
                }
                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (var (i, item) in value.EnumerateArray().Index())
                {
                    text.Append(i > 0 ? ", " : "");
                    Append(text, item);
                }
                text.Append(']');
                break;
            case JsonValueKind.String:
                AppendString(text, value.GetString()!);
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }

    private static void AppendString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }
        text.Append('"');
    }
}
