using System.Globalization;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>Headers of answers that show rows.</summary>
internal static class PageHeaders
{
    /// <summary>Addresses of rows may be private: they are not told to sites that a page links to.</summary>
    public static void NoReferrer(ViewContext v) => v.Http.Response.Headers["Referrer-Policy"] = "no-referrer";

    /// <summary>How long a proxy may keep the answer: the setting, or <c>_ttl</c>.</summary>
    public static Response Cached(ViewContext v, Response answer)
    {
        if (v.App.Options.NoCache || answer.Status != 200 || answer.Has("Cache-Control"))
        {
            return answer;
        }
        var seconds = v.App.Settings.DefaultCacheTtl;
        if (v.Args["_ttl"] is { Length: > 0 } text && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var asked))
        {
            seconds = asked;
        }
        if (v.Actor is not null || v.State.MessagesShown && v.Http.Request.Cookies.ContainsKey(Messages.Cookie))
        {
            // What was made for one visitor is kept by nobody between.
            return answer.With(
                "Cache-Control",
                seconds == 0 ? "private, no-cache" : string.Create(CultureInfo.InvariantCulture, $"private, max-age={seconds}")
            );
        }
        return answer.With("Cache-Control", seconds == 0 ? "no-cache" : string.Create(CultureInfo.InvariantCulture, $"max-age={seconds}"));
    }
}
