using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Lets whoever writes a plugin see what flash messages look like: only the sender gets the message.</summary>
internal static class MessageViews
{
    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var layout = await v.App.LayoutAsync(v.Http, "Debug messages", "messages");
        var page = new ToolModel(layout, "Debug messages")
        {
            Intro = ["Set a message: it is shown once, on the next page you see."],
            Forms =
            [
                new(
                    "post",
                    v.App.UrlPath("/-/messages"),
                    "Add message",
                    [
                        new(
                            null,
                            [
                                new("message", "text", "Message"),
                                new("message_type", "select", "Message type")
                                {
                                    Options = [new("INFO", "INFO"), new("WARNING", "WARNING"), new("ERROR", "ERROR"), new("all", "all")],
                                },
                            ]
                        ),
                    ]
                ),
            ],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    public static async Task<IResult> PostAsync(ViewContext v)
    {
        var form = await RequestBody.ReadFormAsync(v);
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
