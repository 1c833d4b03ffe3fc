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
        var buffer = new ArrayBufferWriter<byte>(4096);
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
                writer.WriteStartArray();
                foreach (var row in rows.Rows)
                {
                    WriteRow(writer, rows.Columns, row, rows.AsLists, infinity);
                }
                writer.WriteEndArray();
                break;
            case JsonRow row:
                WriteRow(writer, row.Columns, row.Values, false, infinity);
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

    private static void WriteRow(Utf8JsonWriter writer, IReadOnlyList<string> columns, object?[] row, bool asList, bool infinity)
    {
        if (asList)
        {
            writer.WriteStartArray();
            foreach (var value in row)
            {
                Write(writer, value, infinity);
            }
            writer.WriteEndArray();
            return;
        }
        writer.WriteStartObject();
        for (var i = 0; i < columns.Count; i++)
        {
            // A name that comes twice: the last one counts, at the place of the first.
            var last = i;
            var first = true;
            for (var j = 0; j < columns.Count; j++)
            {
                if (j != i && columns[j] == columns[i])
                {
                    first &= j > i;
                    last = Math.Max(last, j);
                }
            }
            if (first)
            {
                writer.WritePropertyName(columns[i]);
                Write(writer, row[last], infinity);
            }
        }
        writer.WriteEndObject();
    }

    private static void WriteReal(Utf8JsonWriter writer, double number, bool infinity)
    {
        if (double.IsFinite(number))
        {
            writer.WriteRawValue(Shortest(number), skipInputValidation: true);
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

    private static string Shortest(double number)
    {
        var text = number.ToString("R", CultureInfo.InvariantCulture);
        return text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text;
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
