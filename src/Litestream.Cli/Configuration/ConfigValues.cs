using System.Globalization;

namespace Litestream.Cli.Configuration;

/// <summary>The types of a configuration's values, read from text. Each throws an error of the form <c>field: text (got value)</c>.</summary>
internal static class ConfigValues
{
    private static readonly (string Suffix, long Factor)[] s_sizes =
    [
        ("kib", 1L << 10),
        ("mib", 1L << 20),
        ("gib", 1L << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("k", 1_000),
        ("m", 1_000_000),
        ("g", 1_000_000_000),
        ("b", 1),
    ];

    public static TimeSpan Duration(string field, string text, ConfigPlace? place = null)
    {
        if (GoDuration.TryParse(text, out var value))
            return value;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _))
            throw ConfigError.Field(field, "a duration needs a unit", text, $"{text.Trim()}s for seconds; units are ns us ms s m h", place);
        var hint = text.Contains('d', StringComparison.Ordinal)
            ? "hours instead of days, for example 24h"
            : "for example 30s, 1h30m; units are ns us ms s m h";
        throw ConfigError.Field(field, "not a duration", text, hint, place);
    }

    public static bool Bool(string field, string text, ConfigPlace? place = null) =>
        TryBool(text, out var value) ? value : throw ConfigError.Field(field, "must be true or false", text, null, place);

    public static bool TryBool(string text, out bool value)
    {
        value = text.Trim().ToLowerInvariant() is "true" or "yes" or "on" or "y" or "t" or "1";
        return value || text.Trim().ToLowerInvariant() is "false" or "no" or "off" or "n" or "f" or "0";
    }

    public static long Int(string field, string text, ConfigPlace? place = null)
    {
        var digits = text.Replace("_", "", StringComparison.Ordinal);
        return long.TryParse(
            digits,
            NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture,
            out var value
        )
            ? value
            : throw ConfigError.Field(field, "must be a whole number", text, null, place);
    }

    /// <summary>File permissions: octal digits, with or without <c>0</c> or <c>0o</c> in front.</summary>
    public static int Octal(string field, string text, ConfigPlace? place = null)
    {
        var digits = text.Trim();
        if (digits.StartsWith("0o", StringComparison.OrdinalIgnoreCase))
            digits = digits[2..];
        var value = 0;
        foreach (var c in digits)
            value =
                c is >= '0' and <= '7' && value <= 0x1FF
                    ? value * 8 + (c - '0')
                    : throw ConfigError.Field(field, "must be octal permissions", text, "0600", place);
        return digits.Length > 0 ? value : throw ConfigError.Field(field, "must be octal permissions", text, "0600", place);
    }

    /// <summary>Bytes: a number with <c>KB MB GB</c> (powers of 1000), <c>KiB MiB GiB</c> (powers of 1024), <c>K M G</c> (powers of 1000), or alone.</summary>
    public static long Bytes(string field, string text, ConfigPlace? place = null)
    {
        var number = text.Trim().ToLowerInvariant();
        var factor = 1L;
        foreach (var (suffix, f) in s_sizes)
        {
            if (!number.EndsWith(suffix, StringComparison.Ordinal))
                continue;
            (number, factor) = (number[..^suffix.Length].TrimEnd(), f);
            break;
        }
        return
            decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && value <= long.MaxValue / factor
            ? (long)(value * factor)
            : throw ConfigError.Field(field, "not a number of bytes", text, "for example 5MB, 8MiB or 5242880", place);
    }

    /// <summary>Throws unless the duration is above zero.</summary>
    public static TimeSpan Positive(string field, TimeSpan value, ConfigPlace? place = null) =>
        value > TimeSpan.Zero ? value : throw ConfigError.Field(field, "must be greater than 0", GoDuration.Format(value), null, place);

    /// <summary>Throws when the duration is below zero.</summary>
    public static TimeSpan NotNegative(string field, TimeSpan value, ConfigPlace? place = null) =>
        value >= TimeSpan.Zero ? value : throw ConfigError.Field(field, "must not be less than 0", GoDuration.Format(value), null, place);
}
