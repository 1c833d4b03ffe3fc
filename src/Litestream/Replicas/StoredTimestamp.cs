using System.Globalization;

namespace Litestream.Replicas;

/// <summary>The time of an LTX file as Litestream keeps it in an object's metadata.</summary>
public static class StoredTimestamp
{
    /// <summary>Name of the metadata entry.</summary>
    public const string MetadataKey = "litestream-timestamp";

    /// <summary>RFC 3339 in UTC, fraction without trailing zeros.</summary>
    public static string Format(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    /// <summary>Reads RFC 3339 with any fraction and offset; digits below 100 ns are cut off.</summary>
    public static bool TryParse(string? text, out DateTimeOffset time)
    {
        time = default;
        if (text is null)
            return false;
        if (text.IndexOf('.', StringComparison.Ordinal) is >= 0 and var dot)
        {
            var end = dot + 1;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            if (end - dot > 8)
                text = string.Concat(text.AsSpan(0, dot + 8), text.AsSpan(end));
        }
        return DateTimeOffset.TryParseExact(
            text,
            ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out time
        );
    }
}
