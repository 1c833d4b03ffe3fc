namespace Datasette.Responses;

/// <summary>Values of the header Link.</summary>
internal static class HtmlLinks
{
    /// <summary>Points to the same page as JSON.</summary>
    public static string Alternate(string url) => $"<{Inside(url)}>; rel=\"alternate\"; type=\"application/json+datasette\"";

    /// <summary>Points to the next page.</summary>
    public static string Next(string url) => $"<{Inside(url)}>; rel=\"next\"";

    // Who sends these as they are must not write the rest of the header.
    private static string Inside(string url) =>
        url.Replace("<", "%3C", StringComparison.Ordinal)
            .Replace(">", "%3E", StringComparison.Ordinal)
            .Replace("\"", "%22", StringComparison.Ordinal);
}
