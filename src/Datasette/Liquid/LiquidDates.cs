using System.Globalization;
using System.Text;

namespace Datasette.Liquid;

/// <summary>Dates in the words of strftime, in English and as they are written: no time zone is applied to what has none.</summary>
internal static class LiquidDates
{
    /// <summary>The date of a text or of seconds since 1970, formatted; what is no date stays as it is.</summary>
    public static object? Format(object? input, string format)
    {
        if (!TryParse(input, out var date) || format.Length == 0)
        {
            return input;
        }
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i == format.Length - 1)
            {
                text.Append(format[i]);
                continue;
            }
            var plain = format[i + 1] == '-' && i + 2 < format.Length;
            i += plain ? 2 : 1;
            var part = Part(date, format[i]);
            text.Append(
                !plain ? part
                : part.TrimStart('0', ' ') is { Length: > 0 } digits ? digits
                : "0"
            );
        }
        return text.ToString();
    }

    private static bool TryParse(object? input, out DateTimeOffset date)
    {
        if (input is decimal seconds && seconds is > -62_135_596_800m and < 253_402_300_800m)
        {
            date = DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000));
            return true;
        }
        date = default;
        return input is string or SafeHtml
            && DateTimeOffset.TryParse(LiquidText.Of(input), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out date);
    }

    private static string Part(DateTimeOffset date, char what)
    {
        return what switch
        {
            'Y' => Of("yyyy"),
            'y' => Of("yy"),
            'm' => Of("MM"),
            'd' => Of("dd"),
            'e' => date.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'j' => date.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'H' => Of("HH"),
            'I' => Of("hh"),
            'M' => Of("mm"),
            'S' => Of("ss"),
            'L' => Of("fff"),
            'p' => Of("tt"),
            'a' => Of("ddd"),
            'A' => Of("dddd"),
            'b' or 'h' => Of("MMM"),
            'B' => Of("MMMM"),
            'F' => Of("yyyy-MM-dd"),
            'T' => Of("HH:mm:ss"),
            'R' => Of("HH:mm"),
            'D' => Of("MM/dd/yy"),
            'z' => Of("zzz").Replace(":", "", StringComparison.Ordinal),
            's' => date.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            'u' => (((int)date.DayOfWeek + 6) % 7 + 1).ToString(CultureInfo.InvariantCulture),
            '%' => "%",
            _ => "%" + what,
        };

        string Of(string format) => date.ToString(format, CultureInfo.InvariantCulture);
    }
}
