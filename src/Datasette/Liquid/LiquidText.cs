using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Datasette.Liquid;

/// <summary>Values as text, as numbers, as truth, and compared.</summary>
internal static class LiquidText
{
    /// <summary>Only nil and false are not true: the empty text and zero are, as everywhere in Liquid.</summary>
    public static bool IsTrue(object? value) => value is not (null or false or BlankMark);

    public static string Of(object? value) =>
        value switch
        {
            null or BlankMark => "",
            string text => text,
            SafeHtml html => html.Html,
            bool flag => flag ? "true" : "false",
            decimal number => number.ToString(CultureInfo.InvariantCulture),
            IReadOnlyList<object?> list => Join(list),
            LiquidMap map => LiquidJson.ToText(map),
            _ => value.ToString() ?? "",
        };

    /// <summary>A number, also of a text that is one; 0 for the rest.</summary>
    public static decimal Number(object? value) => TryNumber(value, out var number) ? number : 0;

    public static bool TryNumber(object? value, out decimal number)
    {
        if (value is decimal given)
        {
            number = given;
            return true;
        }
        number = 0;
        return value is string text && decimal.TryParse(text.AsSpan().Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out number);
    }

    public static bool AreEqual(object? left, object? right) =>
        (left, right) switch
        {
            (BlankMark mark, _) => mark.Matches(right),
            (_, BlankMark mark) => mark.Matches(left),
            (null, null) => true,
            (null, _) or (_, null) => false,
            (bool a, bool b) => a == b,
            (decimal a, decimal b) => a == b,
            (string or SafeHtml, string or SafeHtml) => Of(left) == Of(right),
            _ => ReferenceEquals(left, right),
        };

    /// <summary>Order of two values of a kind; null (no comparison holds) for values of different kinds.</summary>
    public static int? Compare(object? left, object? right) =>
        (left, right) switch
        {
            (string or SafeHtml, string or SafeHtml) => string.CompareOrdinal(Of(left), Of(right)),
            _ when TryNumber(left, out var a) && TryNumber(right, out var b) => a.CompareTo(b),
            _ => null,
        };

    private static string Join(IReadOnlyList<object?> list)
    {
        var text = new StringBuilder();
        foreach (var item in list)
        {
            text.Append(Of(item));
            if (text.Length > LiquidLimits.Characters)
            {
                throw LiquidLimits.TooLarge();
            }
        }
        return text.ToString();
    }
}

/// <summary>Values as JSON.</summary>
internal static class LiquidJson
{
    private const int MaxDepth = 20;

    // Letters of all scripts stay; what could end a script element is written as a number.
    private static readonly JsonWriterOptions Compact = new()
    {
        Encoder = JavaScriptEncoder.Create(System.Text.Unicode.UnicodeRanges.All),
        MaxDepth = 64,
    };
    private static readonly JsonWriterOptions Indented = Compact with { Indented = true, IndentSize = 4 };

    public static string ToText(object? value, bool indented = false)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, indented ? Indented : Compact))
        {
            Write(writer, value, 0);
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter writer, object? value, int depth)
    {
        if (depth > MaxDepth)
        {
            throw LiquidLimits.TooNested();
        }
        if (writer.BytesCommitted + writer.BytesPending > LiquidLimits.Characters)
        {
            throw LiquidLimits.TooLarge();
        }
        switch (value)
        {
            case null or BlankMark:
                writer.WriteNullValue();
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case decimal number:
                writer.WriteNumberValue(number);
                break;
            case IReadOnlyList<object?> list:
                writer.WriteStartArray();
                foreach (var item in list)
                {
                    Write(writer, item, depth + 1);
                }
                writer.WriteEndArray();
                break;
            case LiquidMap map:
                writer.WriteStartObject();
                foreach (var key in map.Keys)
                {
                    writer.WritePropertyName(key);
                    Write(writer, map.Find(key), depth + 1);
                }
                writer.WriteEndObject();
                break;
            default:
                writer.WriteStringValue(LiquidText.Of(value));
                break;
        }
    }
}
