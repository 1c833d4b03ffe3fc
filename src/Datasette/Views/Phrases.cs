using System.Globalization;

namespace Datasette.Views;

/// <summary>Numbers as people read them.</summary>
internal static class Phrases
{
    public static string Number(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary><c>1 row</c>, <c>1,001 rows</c>.</summary>
    public static string Count(long number, string noun) => $"{Number(number)} {noun}{(number == 1 ? "" : "s")}";
}
