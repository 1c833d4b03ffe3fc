using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Responses;

/// <summary>
/// Values to JSON text. One place for what the format promises: 64-bit integers exact, REAL in shortest form with a decimal point, BLOB as
/// base64 objects, infinities as null unless asked for.
/// </summary>
internal static class JsonBody
{
    /// <summary>As the original: everything outside ASCII escaped, so that a line separator cannot break a script.</summary>
    private static readonly JsonWriterOptions Plain = new() { SkipValidation = true };

    public static ReadOnlyMemory<byte> ToBytes(object? value, bool infinity = false)
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        using (var writer = new Utf8JsonWriter(buffer, Plain))
        {
            Write(writer, value, infinity);
        }
        return buffer.WrittenMemory;
    }

    /// <summary>For people: letters of all scripts as they are, lines indented.</summary>
    public static string ToText(object? value, int indent)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        var options = new JsonWriterOptions
        {
            Indented = true,
            IndentSize = indent,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            SkipValidation = true,
        };
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            Write(writer, value, false);
        }
        return System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static void Write(Utf8JsonWriter writer, object? value, bool infinity)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case int number:
                writer.WriteNumberValue(number);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case double number:
                WriteReal(writer, number, infinity);
                break;
            case byte[] blob:
                writer.WriteStartObject();
                writer.WriteBoolean("$base64", true);
                writer.WriteBase64String("encoded", blob);
                writer.WriteEndObject();
                break;
            case JsonNode node:
                WriteNode(writer, node, infinity);
                break;
            default:
                WriteComposite(writer, value, infinity);
                break;
        }
    }

    private static void WriteComposite(Utf8JsonWriter writer, object value, bool infinity)
    {
        switch (value)
        {
            case ExpandedValue expanded:
                writer.WriteStartObject();
                writer.WritePropertyName("value");
                Write(writer, expanded.Value, infinity);
                writer.WritePropertyName("label");
                Write(writer, expanded.Label, infinity);
                writer.WriteEndObject();
                break;
            case JsonRows rows:
                WriteRows(writer, rows, infinity);
                break;
            case JsonRow row:
                WriteRow(writer, Keys(row.Columns), row.Values, infinity);
                break;
            case IEnumerable<KeyValuePair<string, object?>> map:
                writer.WriteStartObject();
                foreach (var (key, item) in map)
                {
                    writer.WritePropertyName(key);
                    Write(writer, item, infinity);
                }
                writer.WriteEndObject();
                break;
            case IEnumerable<object?> list:
                writer.WriteStartArray();
                foreach (var item in list)
                {
                    Write(writer, item, infinity);
                }
                writer.WriteEndArray();
                break;
            default:
                throw new InvalidOperationException($"No JSON form for {value.GetType().Name}");
        }
    }

    private static void WriteRows(Utf8JsonWriter writer, JsonRows rows, bool infinity)
    {
        var keys = rows.AsLists ? [] : Keys(rows.Columns);
        writer.WriteStartArray();
        foreach (var row in rows.Rows)
        {
            if (!rows.AsLists)
            {
                WriteRow(writer, keys, row, infinity);
                continue;
            }
            writer.WriteStartArray();
            foreach (var value in row)
            {
                Write(writer, value, infinity);
            }
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
    }

    private static void WriteRow(Utf8JsonWriter writer, (JsonEncodedText Name, int Index)[] keys, object?[] row, bool infinity)
    {
        writer.WriteStartObject();
        foreach (var (name, index) in keys)
        {
            writer.WritePropertyName(name);
            Write(writer, row[index], infinity);
        }
        writer.WriteEndObject();
    }

    /// <summary>The names of a row, escaped once for all rows. Of a name that comes twice the last value counts, at the place of the first.</summary>
    private static (JsonEncodedText Name, int Index)[] Keys(IReadOnlyList<string> columns)
    {
        var places = new OrderedDictionary<string, int>(columns.Count, StringComparer.Ordinal);
        for (var i = 0; i < columns.Count; i++)
        {
            places[columns[i]] = i;
        }
        var keys = new (JsonEncodedText, int)[places.Count];
        for (var i = 0; i < keys.Length; i++)
        {
            var (name, index) = places.GetAt(i);
            keys[i] = (JsonEncodedText.Encode(name), index);
        }
        return keys;
    }

    private static void WriteReal(Utf8JsonWriter writer, double number, bool infinity)
    {
        if (double.IsFinite(number))
        {
            WriteShortest(writer, number);
        }
        else if (infinity)
        {
            writer.WriteRawValue(
                double.IsPositiveInfinity(number) ? "Infinity"
                    : double.IsNegativeInfinity(number) ? "-Infinity"
                    : "NaN",
                true
            );
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    private static void WriteShortest(Utf8JsonWriter writer, double number)
    {
        Span<byte> text = stackalloc byte[32];
        number.TryFormat(text, out var length, "R", CultureInfo.InvariantCulture);
        if (text[..length].IndexOfAny((byte)'.', (byte)'E') < 0)
        {
            ".0"u8.CopyTo(text[length..]);
            length += 2;
        }
        writer.WriteRawValue(text[..length], skipInputValidation: true);
    }

    private static void WriteNode(Utf8JsonWriter writer, JsonNode node, bool infinity)
    {
        switch (node)
        {
            case JsonObject map:
                writer.WriteStartObject();
                foreach (var (key, item) in map)
                {
                    writer.WritePropertyName(key);
                    Write(writer, item, infinity);
                }
                writer.WriteEndObject();
                break;
            case JsonArray list:
                writer.WriteStartArray();
                foreach (var item in list)
                {
                    Write(writer, item, infinity);
                }
                writer.WriteEndArray();
                break;
            default:
                node.WriteTo(writer);
                break;
        }
    }
}
