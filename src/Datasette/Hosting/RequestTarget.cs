using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Datasette.Hosting;

/// <summary>The path and query string of a request as they were sent: undecoded, because <c>%2F</c> and <c>/</c> are different here.</summary>
internal static class RequestTarget
{
    public static (string Path, string QueryString) Split(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        if (target.Length == 0)
        {
            target = context.Request.Path.ToUriComponent() + context.Request.QueryString.ToUriComponent();
        }
        // Absolute form, as proxies send it: scheme and authority are no part of the path.
        if (target[0] != '/' && target.IndexOf("://", StringComparison.Ordinal) is var scheme and > 0)
        {
            var slash = target.IndexOf('/', scheme + 3);
            target = slash < 0 ? "/" : target[slash..];
        }
        var question = target.IndexOf('?', StringComparison.Ordinal);
        return question < 0 ? (target, "") : (target[..question], target[(question + 1)..]);
    }
}
