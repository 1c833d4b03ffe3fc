using System.Globalization;
using Microsoft.AspNetCore.Html;

namespace Datasette.Litestream.Status;

/// <summary>Numbers, sizes and times as the page says them. Times are UTC.</summary>
internal static class StatusText
{
    private static readonly string[] Units = ["kB", "MB", "GB", "TB"];

    /// <summary>"0 bytes", "512 bytes", "128 kB", "18.4 MB".</summary>
    public static string Bytes(long bytes)
    {
        if (bytes < 1024)
            return bytes == 1 ? "1 byte" : string.Create(CultureInfo.InvariantCulture, $"{Math.Max(bytes, 0)} bytes");
        double value = bytes;
        var unit = -1;
        while (value >= 1023.95 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }
        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + Units[unit];
    }

    /// <summary>"47,738".</summary>
    public static string Count(double value) =>
        value.ToString(Math.Abs(value % 1) < 1e-9 ? "#,0" : "#,0.######", CultureInfo.InvariantCulture);

    /// <summary>"1 transaction", "31 transactions".</summary>
    public static string Count(long count, string one) => $"{Count(count)} {one}{(count == 1 ? "" : "s")}";

    /// <summary>"0 s", "28 min 56 s", "3 h 11 min", "4 d 2 h".</summary>
    public static string Span(TimeSpan span)
    {
        if (span < TimeSpan.FromMinutes(1))
            return string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, (int)span.TotalSeconds)} s");
        if (span < TimeSpan.FromHours(1))
            return Two((int)span.TotalMinutes, "min", span.Seconds, "s");
        return span < TimeSpan.FromDays(1)
            ? Two((int)span.TotalHours, "h", span.Minutes, "min")
            : Two((int)span.TotalDays, "d", span.Hours, "h");
    }

    /// <summary>How long ago, "2 s ago".</summary>
    public static string Ago(DateTimeOffset time, DateTimeOffset now) => Span(now - time) + " ago";

    /// <summary>The time of day, with the date when it was another day: "14:32:07", "4 Oct 18:00:00".</summary>
    public static string Clock(DateTimeOffset time, DateTimeOffset now) =>
        time.ToUniversalTime()
            .ToString(time.UtcDateTime.Date == now.UtcDateTime.Date ? "HH:mm:ss" : "d MMM HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>The moment as machines read it.</summary>
    public static string Machine(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture);

    /// <summary>A <c>time</c> element; holds digits and names of months only.</summary>
    public static HtmlString Time(DateTimeOffset time, DateTimeOffset now, string suffix = "") =>
        new($"<time datetime=\"{Machine(time)}\">{Clock(time, now)}{suffix}</time>");

    private static string Two(int big, string bigUnit, int small, string smallUnit) =>
        small == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{big} {bigUnit}")
            : string.Create(CultureInfo.InvariantCulture, $"{big} {bigUnit} {small} {smallUnit}");
}
