using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>What browsers are told to forbid, on every answer.</summary>
internal static class SecurityHeaders
{
    private const string Policy = "Content-Security-Policy";

    /// <summary>Before the answer starts.</summary>
    public static void Apply(HttpContext context, IResult answer)
    {
        if (answer is not Response { ContentType: var type } response)
        {
            return;
        }
        var headers = context.Response.Headers;
        // Who asks decides what is shown: a cache between must keep the answers apart.
        headers.Append("Vary", "Cookie, Authorization");
        if (
            type.StartsWith("text/", StringComparison.Ordinal)
            || type.StartsWith("application/json", StringComparison.Ordinal)
            || type.StartsWith("application/binary", StringComparison.Ordinal)
        )
        {
            headers["X-Content-Type-Options"] = "nosniff";
        }
        if (type == Respond.HtmlType && !response.HasOwnPolicy && !headers.ContainsKey(Policy))
        {
            headers[Policy] = Scripts(context);
        }
    }

    /// <summary>Scripts come from this host and from where the configuration says; none stands in a page, so none can come with a value.</summary>
    private static string Scripts(HttpContext context)
    {
        var sources = new List<string> { "'self'" };
        foreach (var url in RequestState.Of(context).ScriptUrls)
        {
            // A path of this host is 'self'; two slashes are another host with the same scheme.
            if (Uri.TryCreate(url.StartsWith("//", StringComparison.Ordinal) ? "https:" + url : url, UriKind.Absolute, out var address))
            {
                if (address.Scheme is "http" or "https")
                {
                    sources.Add(
                        url.StartsWith("//", StringComparison.Ordinal) ? address.Authority : $"{address.Scheme}://{address.Authority}"
                    );
                }
            }
        }
        if (RequestState.Of(context).UsedNonce is { } nonce)
        {
            sources.Add($"'nonce-{nonce}'");
        }
        return $"script-src {string.Join(' ', sources.Distinct())}; script-src-attr 'none'; object-src 'none'; base-uri 'none'";
    }
}
