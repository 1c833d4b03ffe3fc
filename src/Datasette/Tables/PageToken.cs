using System.Globalization;
using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>The token of the next page: the sort value, if any, and the key of the last row (H140). Pure.</summary>
/// <remarks>
/// Components are tilde-encoded texts joined by commas, which SQLite's affinity turns back into what they were. Where it would not (no
/// affinity, a BLOB, NULL) the component begins with <c>$</c>, which tilde encoding never writes: <c>$null</c>, <c>$i15</c>, <c>$r1.5</c>, <c>$b</c> and hex, <c>$t</c> for
/// a token that would be empty.
/// </remarks>
internal static class PageToken
{
    private const string EmptyText = "$t";

    /// <summary>Writes the token of a row.</summary>
    /// <param name="values">Sort value first if there is one, then the key.</param>
    /// <param name="columns">The columns of the values; null for rowid.</param>
    public static string Write(IReadOnlyList<object?> values, IReadOnlyList<ColumnInfo?> columns)
    {
        var token = string.Join(',', values.Select((value, i) => WriteComponent(value, columns[i])));
        // A blank argument means no token, and that would be the first page again.
        return token.Length == 0 ? EmptyText : token;
    }

    /// <summary>Reads a token. Null when it has too few components: then it is ignored.</summary>
    /// <param name="token">The token.</param>
    /// <param name="columns">The columns of its values; null for rowid.</param>
    public static List<object?>? Read(string token, IReadOnlyList<ColumnInfo?> columns)
    {
        var components = token.Split(',');
        return components.Length < columns.Count ? null : [.. columns.Select((column, i) => ReadComponent(components[i], column))];
    }

    /// <summary>A value as one component of a key in a URL or of a token.</summary>
    public static string Text(object? value)
    {
        return value switch
        {
            null => "None",
            double real => SqlText.Real(real),
            byte[] bytes => Convert.ToHexString(bytes),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
    }

    private static string WriteComponent(object? value, ColumnInfo? column)
    {
        var isUntyped = IsUntyped(column);
        return value switch
        {
            null => "$null",
            byte[] bytes => "$b" + Convert.ToHexString(bytes),
            long whole when isUntyped => "$i" + whole.ToString(CultureInfo.InvariantCulture),
            double real when isUntyped => "$r" + TildeEncoding.Encode(real.ToString("R", CultureInfo.InvariantCulture)),
            _ => TildeEncoding.Encode(Text(value)),
        };
    }

    // ANY is NUMERIC to most tables and nothing to a STRICT one; the mark is right for both.
    private static bool IsUntyped(ColumnInfo? column) =>
        column is not null && (column.Affinity == "BLOB" || column.Type.Equals("ANY", StringComparison.OrdinalIgnoreCase));

    private static object? ReadComponent(string text, ColumnInfo? column)
    {
        if (text == "$null")
        {
            return null;
        }

        if (text == EmptyText)
        {
            return "";
        }

        if (text.StartsWith("$i", StringComparison.Ordinal) && long.TryParse(text.AsSpan(2), CultureInfo.InvariantCulture, out var whole))
        {
            return whole;
        }

        if (
            text.StartsWith("$r", StringComparison.Ordinal)
            && double.TryParse(TildeEncoding.Decode(text[2..]), CultureInfo.InvariantCulture, out var real)
        )
        {
            return real;
        }

        if (text.StartsWith("$b", StringComparison.Ordinal) && text.Length % 2 == 0 && text.AsSpan(2).IndexOfAnyExcept(HexDigits) < 0)
        {
            return Convert.FromHexString(text.AsSpan(2));
        }

        var decoded = TildeEncoding.Decode(text);
        return column?.Affinity == "TEXT" || IsUntyped(column) ? decoded : Number(decoded);
    }

    // SQLite would make the same number of the text, but it may miss the last bit of a REAL, and then a page repeats or loses a row.
    private static object Number(string text)
    {
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
        {
            return whole;
        }

        const NumberStyles Real = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return text switch
        {
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            _ when text.AsSpan().ContainsAnyInRange('0', '9') && double.TryParse(text, Real, CultureInfo.InvariantCulture, out var real) =>
                real,
            _ => text,
        };
    }

    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");
}
