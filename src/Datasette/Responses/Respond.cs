using System.Text;
using System.Text.Json.Nodes;
using Datasette.Pages;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using RazorSlices;

namespace Datasette.Responses;

/// <summary>Makes answers. The content types are those of the whole host.</summary>
public static class Respond
{
    internal const string JsonType = "application/json; charset=utf-8";
    internal const string TextType = "text/plain; charset=utf-8";
    internal const string HtmlType = "text/html; charset=utf-8";

    /// <summary>A page made by a slice. The slice's model must be complete: rendering happens while the answer is sent. The answer disposes the slice.</summary>
    /// <param name="slice">The page.</param>
    /// <param name="status">HTTP status, 200 by default.</param>
    public static IResult Page(RazorSlice slice, int status = 200) => Html(slice, status);

    /// <summary>A page in the host's frame: <see cref="Plugins.IDatasette.LayoutAsync"/> makes the frame.</summary>
    /// <param name="layout">The frame.</param>
    /// <param name="content">What stands in it; the caller has escaped what needs it.</param>
    /// <param name="status">HTTP status, 200 by default.</param>
    public static IResult Page(LayoutModel layout, IHtmlContent content, int status = 200) =>
        Html(ContentPage.Create(new ContentModel(layout, content)), status);

    /// <summary>HTML as text, sent as it is: the caller has escaped what needs it.</summary>
    public static IResult Html(string html, int status = 200) => Bytes(Encoding.UTF8.GetBytes(html), HtmlType, status);

    /// <summary>Plain text.</summary>
    public static IResult Text(string text, int status = 200) => PlainText(text, status);

    /// <summary>JSON.</summary>
    public static IResult Json(JsonNode? json, int status = 200) => Json((object?)json, status);

    /// <summary>Sends the visitor elsewhere, with an empty body.</summary>
    /// <param name="location">An address on this host or an absolute one; a run of slashes at its start becomes one.</param>
    /// <param name="status">302 by default.</param>
    public static IResult Redirect(string location, int status = 302) => RedirectTo(location, status);

    internal static Response Html(RazorSlice slice, int status, PageTemplate? template = null) =>
        new HtmlResponse(slice) { Status = status, Template = template };

    internal static Response PlainText(string text, int status = 200) => Bytes(Encoding.UTF8.GetBytes(text), TextType, status);

    internal static Response Json(object? json, int status = 200, bool infinity = false) =>
        Bytes(JsonBody.ToBytes(json, infinity), JsonType, status);

    internal static Response Bytes(ReadOnlyMemory<byte> body, string contentType, int status = 200) =>
        new BytesResponse(body) { Status = status, ContentType = contentType };

    internal static Response RedirectTo(string location, int status = 302) =>
        new BytesResponse(default) { Status = status, ContentType = "text/plain" }.With("Location", SafeLocation(location));

    /// <summary>A location that starts with two slashes or a backslash would lead to another host.</summary>
    internal static string SafeLocation(string location)
    {
        location = Printable(location);
        var length = 0;
        while (length < location.Length && location[length] is '/' or '\\')
        {
            length++;
        }
        return length > 0 ? "/" + location[length..] : location;
    }

    /// <summary>Whether a location stays on this host, whatever a browser makes of it.</summary>
    internal static bool IsLocal(string location) =>
        location.StartsWith('/')
        && !location[1..].StartsWith('/')
        && !location.Contains('\\', StringComparison.Ordinal)
        && Printable(location) == location;

    /// <summary>What no header may hold is percent-encoded; browsers drop tabs and line ends, and what is left could start with two slashes.</summary>
    private static string Printable(string location)
    {
        if (!location.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            return location;
        }
        var text = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(location))
        {
            text.Append(b is >= (byte)'!' and <= (byte)'~' ? ((char)b).ToString() : $"%{b:X2}");
        }
        return text.ToString();
    }
}
