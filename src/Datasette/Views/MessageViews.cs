using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Lets whoever writes a plugin see what flash messages look like: only the sender gets the message.</summary>
internal static class MessageViews
{
    public static async Task<IResult> PostAsync(ViewContext v)
    {
        if (!v.Http.Request.HasFormContentType)
        {
            throw new DatasetteException(400, "A form is expected: application/x-www-form-urlencoded");
        }
        var form = QueryArgs.Parse(System.Text.Encoding.UTF8.GetString(await RequestBody.ReadAsync(v)));
        var kinds = form["message_type"] switch
        {
            "WARNING" => [MessageKind.Warning],
            "ERROR" => [MessageKind.Error],
            "all" => [MessageKind.Info, MessageKind.Warning, MessageKind.Error],
            _ => new[] { MessageKind.Info },
        };
        foreach (var kind in kinds)
        {
            v.App.AddMessage(v.Http, form["message"] ?? "", kind);
        }
        return Respond.RedirectTo(v.App.UrlPath("/"));
    }
}
