using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace Datasette.Liquid;

/// <summary>Filters of texts. What comes out is text and is escaped when it is written, also when HTML went in; only raw and escape make HTML.</summary>
internal static partial class TextFilters
{
    public static void Register(Dictionary<string, FilterCall> filters)
    {
        filters["raw"] = (input, _, _) => new SafeHtml(LiquidText.Of(input));
        filters["escape"] = filters["e"] = (input, _, run) =>
            input is SafeHtml ? input : new SafeHtml(run.Encoder.Encode(LiquidText.Of(input)));
        filters["escape_once"] = (input, _, run) => new SafeHtml(run.Encoder.Encode(WebUtility.HtmlDecode(LiquidText.Of(input))));
        filters["json"] = filters["tojson"] = (input, _, _) => new SafeHtml(LiquidJson.ToText(input));
        filters["append"] = (input, arguments, _) => Joined(LiquidText.Of(input), LiquidText.Of(Argument(arguments, 0)));
        filters["prepend"] = (input, arguments, _) => Joined(LiquidText.Of(Argument(arguments, 0)), LiquidText.Of(input));
        filters["replace"] = (input, arguments, _) => Replace(input, arguments);
        filters["replace_first"] = (input, arguments, _) => ReplaceFirst(input, arguments);
        filters["remove"] = (input, arguments, _) => Replace(input, [Argument(arguments, 0), ""]);
        filters["remove_first"] = (input, arguments, _) => ReplaceFirst(input, [Argument(arguments, 0), ""]);
        filters["truncate"] = (input, arguments, _) => Truncate(LiquidText.Of(input), arguments);
        filters["truncatewords"] = (input, arguments, _) => TruncateWords(LiquidText.Of(input), arguments);
        filters["newline_to_br"] = (input, _, run) => WithBreaks(input, run);
        filters["date"] = (input, arguments, run) =>
            LiquidDates.Format(input is "now" or "today" ? run.Budget.Now : input, LiquidText.Of(Argument(arguments, 0)));
        filters["split"] = (input, arguments, _) => Split(LiquidText.Of(input), LiquidText.Of(Argument(arguments, 0)));
        Text(filters, "upcase", text => text.ToUpperInvariant());
        Text(filters, "downcase", text => text.ToLowerInvariant());
        Text(filters, "capitalize", text => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..]);
        Text(filters, "strip", text => text.Trim());
        Text(filters, "lstrip", text => text.TrimStart());
        Text(filters, "rstrip", text => text.TrimEnd());
        Text(filters, "strip_newlines", text => Lines().Replace(text, ""));
        Text(filters, "strip_html", text => WebUtility.HtmlDecode(Elements().Replace(text, "")));
        Text(filters, "url_encode", text => Uri.EscapeDataString(text).Replace("%20", "+", StringComparison.Ordinal));
        Text(filters, "url_decode", text => WebUtility.UrlDecode(text));
    }

    public static object? Argument(IReadOnlyList<object?> arguments, int i) => i < arguments.Count ? arguments[i] : null;

    private static void Text(Dictionary<string, FilterCall> filters, string name, Func<string, string> change) =>
        filters[name] = (input, _, _) => change(LiquidText.Of(input));

    /// <summary>Line by line: escaped, a line break would be a number.</summary>
    private static SafeHtml WithBreaks(object? input, LiquidRun run) =>
        new(string.Join("<br>\n", Lines().Split(LiquidText.Of(input)).Select(line => input is SafeHtml ? line : run.Encoder.Encode(line))));

    private static string Joined(string first, string second)
    {
        Ensure((long)first.Length + second.Length);
        return first + second;
    }

    private static string Replace(object? input, IReadOnlyList<object?> arguments)
    {
        var (text, sought, other) = (LiquidText.Of(input), LiquidText.Of(Argument(arguments, 0)), LiquidText.Of(Argument(arguments, 1)));
        if (sought.Length == 0)
        {
            return text;
        }
        Ensure(text.Length + (long)text.AsSpan().Count(sought) * (other.Length - sought.Length));
        return text.Replace(sought, other, StringComparison.Ordinal);
    }

    private static string ReplaceFirst(object? input, IReadOnlyList<object?> arguments)
    {
        var (text, sought, other) = (LiquidText.Of(input), LiquidText.Of(Argument(arguments, 0)), LiquidText.Of(Argument(arguments, 1)));
        var at = sought.Length == 0 ? -1 : text.IndexOf(sought, StringComparison.Ordinal);
        return at < 0 ? text : string.Concat(text.AsSpan(0, at), other, text.AsSpan(at + sought.Length));
    }

    private static string Truncate(string text, IReadOnlyList<object?> arguments)
    {
        var length = arguments.Count > 0 ? (int)Math.Clamp(LiquidText.Number(arguments[0]), 0, LiquidLimits.Characters) : 50;
        var ellipsis = arguments.Count > 1 ? LiquidText.Of(arguments[1]) : "...";
        if (text.Length <= length)
        {
            return text;
        }
        var kept = Math.Max(0, length - ellipsis.Length);
        // A character of two halves is not cut in two.
        kept -= kept > 0 && char.IsHighSurrogate(text[kept - 1]) ? 1 : 0;
        return string.Concat(text.AsSpan(0, kept), ellipsis);
    }

    private static string TruncateWords(string text, IReadOnlyList<object?> arguments)
    {
        var count = arguments.Count > 0 ? (int)Math.Clamp(LiquidText.Number(arguments[0]), 1, LiquidLimits.Items) : 15;
        var words = text.Split((char[]?)null, count + 1, StringSplitOptions.RemoveEmptyEntries);
        return words.Length <= count
            ? text
            : string.Join(' ', words.Take(count)) + (arguments.Count > 1 ? LiquidText.Of(arguments[1]) : "...");
    }

    private static object?[] Split(string text, string separator)
    {
        if (separator.Length == 0)
        {
            if (text.Length > 2 * LiquidLimits.Items)
            {
                throw LiquidLimits.TooManyItems();
            }
            return text.EnumerateRunes().Select(rune => (object?)rune.ToString()).ToArray();
        }
        if (text.AsSpan().Count(separator) >= LiquidLimits.Items)
        {
            throw LiquidLimits.TooManyItems();
        }
        return text.Length == 0 ? [] : text.Split(separator).ToArray<object?>();
    }

    internal static void Ensure(long length)
    {
        if (length > LiquidLimits.Characters)
        {
            throw LiquidLimits.TooLarge();
        }
    }

    [GeneratedRegex(@"\r\n|\n|\r")]
    private static partial Regex Lines();

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Elements();
}
