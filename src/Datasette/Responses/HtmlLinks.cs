namespace Datasette.Responses;

/// <summary>Values of the header Link.</summary>
internal static class HtmlLinks
{
    /// <summary>Points to the same page as JSON.</summary>
    public static string Alternate(string url) => $"<{url}>; rel=\"alternate\"; type=\"application/json+datasette\"";

    /// <summary>Points to the next page.</summary>
    public static string Next(string url) => $"<{url}>; rel=\"next\"";
}
