using System.Globalization;
using System.Text;

namespace Litestream.Cli;

/// <summary>Durations as Litestream's configuration writes them: numbers with units, for example <c>1h30m</c>, <c>1.5s</c>, <c>200ms</c>.</summary>
/// <remarks>Units are <c>ns us µs ms s m h</c>; there are no days. Stateless, safe on any thread.</remarks>
public static class GoDuration
{
    /// <summary>Reads a duration. Parts below 100 ns are cut off.</summary>
    /// <param name="text">For example <c>1h30m</c>; a sign may stand in front; only <c>0</c> may stand without a unit.</param>
    /// <param name="value">The duration; zero when the text is none.</param>
    /// <returns>False when the text is no duration or too large for a <see cref="TimeSpan"/>.</returns>
    public static bool TryParse(string? text, out TimeSpan value)
    {
        value = default;
        var rest = text.AsSpan().Trim();
        var negative = rest is ['-', ..];
        if (rest is ['-' or '+', ..])
            rest = rest[1..];
        if (rest is "0")
            return true;
        if (rest.IsEmpty)
            return false;

        decimal ticks = 0;
        while (!rest.IsEmpty)
        {
            if (!TryTakePart(ref rest, out var part))
                return false;
            ticks += part;
            if (ticks > long.MaxValue)
                return false;
        }
        value = TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
        return true;
    }

    /// <summary>Writes a duration as Go does: <c>1h30m0s</c>, <c>5m0s</c>, <c>1.5s</c>, <c>200ms</c>, <c>0s</c>.</summary>
    public static string Format(TimeSpan value)
    {
        if (value == TimeSpan.Zero)
            return "0s";
        var text = new StringBuilder();
        if (value < TimeSpan.Zero)
            text.Append('-');
        var ticks = Math.Abs((decimal)value.Ticks);
        if (ticks < TimeSpan.TicksPerSecond)
        {
            var (scale, unit) =
                ticks >= TimeSpan.TicksPerMillisecond ? (TimeSpan.TicksPerMillisecond, "ms") : (TimeSpan.TicksPerMicrosecond, "µs");
            return text.Append(Number(ticks / scale)).Append(unit).ToString();
        }
        var hours = decimal.Truncate(ticks / TimeSpan.TicksPerHour);
        var minutes = decimal.Truncate(ticks % TimeSpan.TicksPerHour / TimeSpan.TicksPerMinute);
        if (hours > 0)
            text.Append(Number(hours)).Append('h');
        if (hours > 0 || minutes > 0)
            text.Append(Number(minutes)).Append('m');
        return text.Append(Number(ticks % TimeSpan.TicksPerMinute / TimeSpan.TicksPerSecond)).Append('s').ToString();
    }

    private static bool TryTakePart(ref ReadOnlySpan<char> rest, out decimal ticks)
    {
        ticks = 0;
        var digits = rest.IndexOfAnyExcept("0123456789.");
        if (digits <= 0)
            return false;
        if (!decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return false;
        rest = rest[digits..];
        var length = rest.IndexOfAny("0123456789.") is var next && next < 0 ? rest.Length : next;
        var scale = rest[..length] switch
        {
            "ns" => 0.01m,
            "us" or "µs" or "μs" => TimeSpan.TicksPerMicrosecond,
            "ms" => TimeSpan.TicksPerMillisecond,
            "s" => TimeSpan.TicksPerSecond,
            "m" => TimeSpan.TicksPerMinute,
            "h" => TimeSpan.TicksPerHour,
            _ => 0m,
        };
        rest = rest[length..];
        if (scale == 0 || number > long.MaxValue / scale)
            return false;
        ticks = number * scale;
        return true;
    }

    private static string Number(decimal value) => value.ToString("0.#########", CultureInfo.InvariantCulture);
}
