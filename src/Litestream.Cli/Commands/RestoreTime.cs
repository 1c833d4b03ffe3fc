using System.Globalization;

namespace Litestream.Cli.Commands;

/// <summary>The value of <c>-timestamp</c>: RFC 3339, or <c>DURATION ago</c>.</summary>
internal static class RestoreTime
{
    private const string Ago = " ago";

    /// <exception cref="CliException">The text is neither.</exception>
    public static DateTimeOffset Parse(string text, TimeProvider time)
    {
        var trimmed = text.Trim();
        if (trimmed.EndsWith(Ago, StringComparison.OrdinalIgnoreCase))
        {
            var now = time.GetUtcNow();
            return TryDuration(trimmed[..^Ago.Length].Trim(), out var back) && back >= TimeSpan.Zero && back.Ticks <= now.Ticks
                ? now - back
                : throw Invalid(text);
        }
        return TryRfc3339(trimmed, out var moment) ? moment : throw Invalid(text);
    }

    // As in the configuration, and whole days and weeks in front, which people think in: 3d, 1w2d, 1d12h.
    private static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = default;
        var rest = text.AsSpan();
        foreach (var (unit, days) in new[] { ('w', 7), ('d', 1) })
        {
            var end = rest.IndexOfAnyExceptInRange('0', '9');
            if (end <= 0 || rest[end] != unit)
                continue;
            if (!int.TryParse(rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > 1_000_000)
                return false;
            duration += TimeSpan.FromDays((double)number * days);
            rest = rest[(end + 1)..].TrimStart();
            if (rest.IsEmpty)
                return true;
        }
        if (!GoDuration.TryParse(rest.ToString(), out var clock))
            return false;
        duration += clock;
        return true;
    }

    // 2026-01-31T12:00:00[.fraction](Z|+01:00). A fraction finer than 100 ns is cut.
    private static bool TryRfc3339(string text, out DateTimeOffset moment)
    {
        moment = default;
        const int Seconds = 19;
        if (text.Length <= Seconds || text[10] is not ('T' or 't' or ' '))
            return false;
        var zone = text.AsSpan(Seconds);
        var fraction = 0L;
        if (zone[0] == '.')
        {
            var digits = zone[1..].IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0)
                return false;
            var kept = string.Concat(zone.Slice(1, Math.Min(digits, 7)), "0000000")[..7];
            fraction = long.Parse(kept, NumberStyles.None, CultureInfo.InvariantCulture);
            zone = zone[(digits + 1)..];
        }
        if (!TryZone(zone, out var offset))
            return false;
        if (!DateTime.TryParseExact(text.AsSpan(0, 10), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            return false;
        if (!TimeSpan.TryParseExact(text.AsSpan(11, 8), @"hh\:mm\:ss", CultureInfo.InvariantCulture, out var clock))
            return false;
        var local = day + clock + TimeSpan.FromTicks(fraction);
        if (local.Ticks - offset.Ticks is < 0 or > 3155378975999999999)
            return false;
        moment = new DateTimeOffset(local, offset);
        return true;
    }

    private static bool TryZone(ReadOnlySpan<char> text, out TimeSpan offset)
    {
        offset = default;
        if (text is "Z" or "z")
            return true;
        if (
            text is not ['+' or '-', _, _, ':', _, _]
            || !TimeSpan.TryParseExact(text[1..], @"hh\:mm", CultureInfo.InvariantCulture, out offset)
        )
            return false;
        if (text[0] == '-')
            offset = -offset;
        return offset.Duration() <= TimeSpan.FromHours(14);
    }

    private static CliException Invalid(string text) =>
        new($"invalid -timestamp value: {text}")
        {
            Hint = "-timestamp 2026-01-31T12:00:00Z, with an offset as +01:00, or \"15m ago\", \"2h ago\", \"3d ago\"",
        };
}
