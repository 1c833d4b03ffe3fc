using Microsoft.AspNetCore.Http;

namespace Datasette.Hosting;

/// <summary>Whether a request that may change something comes from this site or from no browser at all. Pure.</summary>
internal static class CsrfRule
{
    /// <summary>Null when the request may pass, else what is wrong with it.</summary>
    public static string? Check(HttpRequest request, bool forceHttps)
    {
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method))
        {
            return null;
        }
        var bearer = request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase);
        if (bearer && request.Headers.Cookie.Count == 0)
        {
            return null;
        }
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site.Length > 0)
        {
            return site is "same-origin" or "none" ? null : $"Sec-Fetch-Site is {site}";
        }
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0)
        {
            return null;
        }
        var own = Parse($"{(forceHttps ? "https" : request.Scheme)}://{request.Host.Value}");
        return Parse(origin) is { } from && from == own ? null : "The form was sent from another site";
    }

    private static (string Scheme, string Host, int Port)? Parse(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && (uri.Scheme is "http" or "https")
            ? (uri.Scheme, uri.Host.ToLowerInvariant(), uri.Port)
            : null;
}
