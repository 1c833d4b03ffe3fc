using System.Globalization;
using Datasette.Pages;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>What went wrong, as JSON for programs and as a page for people.</summary>
internal static class ErrorResponse
{
    public static Response Json(int status, IReadOnlyList<string> errors, JsonMap? context = null)
    {
        var body = new JsonMap
        {
            { "ok", false },
            { "error", string.Join("; ", errors) },
            { "errors", errors.ToArray() },
        };
        foreach (var (key, value) in context ?? [])
        {
            body.Add(key, value);
        }
        body.Add("status", status);
        return Respond.Json(body, status);
    }

    public static Response Json(int status, string error) => Json(status, [error]);

    public static async ValueTask<Response> PageAsync(
        IDatasette datasette,
        HttpContext context,
        int status,
        string message,
        string? title = null,
        ErrorHint? hint = null
    )
    {
        // An unknown path has no more to say than its number.
        message = message == "404" ? "404: there is no page at this address." : message;
        if (status == StatusCodes.Status403Forbidden && message.All(c => char.IsAsciiLetterLower(c) || c == '-'))
        {
            // The name of the permission alone.
            message = $"This needs the permission {message}.";
        }
        var heading = title ?? (status == StatusCodes.Status403Forbidden ? "Forbidden" : $"Error {status}");
        var layout = await datasette.LayoutAsync(context, heading, "error");
        var model = new ErrorModel(layout, heading, message, status, datasette.UrlPath("/")) { Hint = hint ?? ErrorHint.None };
        return Respond.Html(Error.Create(model), status, Template(status, heading, message));
    }

    /// <summary>Templates of error pages: one for each status, one for all.</summary>
    private static PageTemplate Template(int status, string heading, string message) =>
        new("error", string.Create(CultureInfo.InvariantCulture, $"{status}.html"), "error.html")
        {
            Variables = () =>
                new JsonMap
                {
                    { "ok", false },
                    { "status", status },
                    { "error", message },
                    { "heading", heading },
                },
        };

    /// <summary>The page for a form that another site sent.</summary>
    public static async ValueTask<Response> CsrfAsync(IDatasette datasette, HttpContext context, string problem)
    {
        var layout = await datasette.LayoutAsync(context, "CSRF check failed", "error");
        var message = $"{problem}. Nothing was changed; go back to this site and send the form again.";
        const string Heading = "Form origin check failed";
        return Respond.Html(
            Error.Create(new ErrorModel(layout, Heading, message, 403, datasette.UrlPath("/"))),
            403,
            Template(403, Heading, message)
        );
    }

    /// <summary>JSON if the path ends in .json; a missing right is answered so also to those who ask for or send JSON.</summary>
    public static bool WantsJson(HttpContext context, string path, int status) =>
        path.EndsWith(".json", StringComparison.Ordinal)
        || status == StatusCodes.Status403Forbidden
            && (
                context.Request.Headers.Accept.ToString().Contains("application/json", StringComparison.Ordinal)
                || context.Request.ContentType == "application/json"
            );
}
