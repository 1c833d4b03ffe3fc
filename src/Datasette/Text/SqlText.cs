using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Datasette.Text;

/// <summary>Pieces of SQL text that are safe for any name and any value.</summary>
public static class SqlText
{
    // Every word that SQLite's tokenizer knows, the non-reserved ones too: quoting one too many does no harm, one too few breaks a page.
    private static readonly FrozenSet<string> Keywords = (
        "abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case cast check "
        + "collate column commit conflict constraint create cross current current_date current_time current_timestamp database default "
        + "deferrable deferred delete desc detach distinct do drop each else end escape except exclude exclusive exists explain fail filter "
        + "first following for foreign from full generated glob group groups having if ignore immediate in index indexed initially inner "
        + "insert instead intersect into is isnull join key last left like limit match materialized natural no not nothing notnull null "
        + "nulls of offset on or order others outer over partition plan pragma preceding primary query raise range recursive references "
        + "regexp reindex release rename replace restrict returning right rollback row rows savepoint select set table temp temporary then "
        + "ties to transaction trigger unbounded union unique update using vacuum values view virtual when where window with within without "
        + "true false"
    )
        .Split(' ')
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>An identifier as SQL text: bare when SQLite reads it as a plain name, else between double quotes.</summary>
    /// <param name="identifier">Any table or column name.</param>
    public static string Quote(string identifier)
    {
        return IsPlainName(identifier) && !Keywords.Contains(identifier) ? identifier : QuoteAlways(identifier);
    }

    /// <summary>An identifier between double quotes, whatever it is.</summary>
    /// <param name="identifier">Any table or column name.</param>
    public static string QuoteAlways(string identifier) => "\"" + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>A text value as a SQL literal between single quotes.</summary>
    /// <param name="value">Any text without NUL characters.</param>
    public static string Literal(string value) => "'" + value.Replace("'", "''", StringComparison.Ordinal) + "'";

    /// <summary>A text for a LIKE pattern with <c>ESCAPE '\'</c>: its own <c>%</c>, <c>_</c> and <c>\</c> lose their meaning.</summary>
    /// <param name="value">Any text.</param>
    public static string EscapeLike(string value)
    {
        return value
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("%", "\\%", StringComparison.Ordinal)
            .Replace("_", "\\_", StringComparison.Ordinal);
    }

    /// <summary>What a visitor typed, as a full-text query in which nothing is an operator.</summary>
    /// <remarks>Quoted phrases are kept, an odd quote is closed, every other word is quoted. White space alone gives an empty text.</remarks>
    /// <param name="query">Any text.</param>
    public static string EscapeFts(string query)
    {
        if (query.AsSpan().Count('"') % 2 == 1)
        {
            query += "\"";
        }

        var result = new StringBuilder(query.Length + 8);
        foreach (var piece in SplitOutsideQuotes(query))
        {
            if (result.Length > 0)
            {
                result.Append(' ');
            }

            result.Append(piece.StartsWith('"') ? piece : "\"" + piece + "\"");
        }

        return result.ToString();
    }

    /// <summary>A REAL as the original writes it outside JSON: shortest round trip, always with a point or an exponent.</summary>
    /// <param name="value">Any value; infinities are <c>inf</c> and <c>-inf</c>.</param>
    public static string Real(double value)
    {
        if (double.IsInfinity(value))
        {
            return value > 0 ? "inf" : "-inf";
        }

        if (double.IsNaN(value))
        {
            return "nan";
        }

        var text = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        var sign = double.IsNegative(value) ? "-" : "";
        var end = text.IndexOf('E');
        var shift = end < 0 ? 0 : int.Parse(text.AsSpan(end + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = end < 0 ? text : text[..end];
        var point = mantissa.IndexOf('.');
        var all = mantissa.Replace(".", "", StringComparison.Ordinal);
        var digits = all.TrimStart('0');
        var exponent = (point < 0 ? mantissa.Length : point) - (all.Length - digits.Length) - 1 + shift;
        digits = digits.TrimEnd('0');
        return sign + (digits.Length == 0 ? "0.0" : WithDigits(digits, exponent));
    }

    private static string WithDigits(string digits, int exponent)
    {
        if (exponent is < -4 or >= 16)
        {
            var mantissa = digits.Length > 1 ? digits[..1] + "." + digits[1..] : digits;
            return mantissa + "e" + (exponent < 0 ? "-" : "+") + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
        }

        if (exponent < 0)
        {
            return "0." + new string('0', -exponent - 1) + digits;
        }

        return digits.Length <= exponent + 1
            ? digits.PadRight(exponent + 1, '0') + ".0"
            : digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    private static bool IsPlainName(string name)
    {
        if (name.Length == 0 || !(char.IsAsciiLetter(name[0]) || name[0] == '_'))
        {
            return false;
        }

        foreach (var c in name)
        {
            if (!(char.IsAsciiLetterOrDigit(c) || c == '_'))
            {
                return false;
            }
        }

        return true;
    }

    // Splits on white space and around "phrases"; the phrases keep their quotes and empty ones vanish.
    private static IEnumerable<string> SplitOutsideQuotes(string query)
    {
        var start = 0;
        while (start < query.Length)
        {
            if (char.IsWhiteSpace(query[start]))
            {
                start++;
                continue;
            }

            int end;
            if (query[start] == '"')
            {
                end = query.IndexOf('"', start + 1) + 1;
                if (end - start > 2)
                {
                    yield return query[start..end];
                }
            }
            else
            {
                end = start;
                while (end < query.Length && query[end] != '"' && !char.IsWhiteSpace(query[end]))
                {
                    end++;
                }

                yield return query[start..end];
            }

            start = end;
        }
    }
}
