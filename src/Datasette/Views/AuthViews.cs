using System.Text.Json.Nodes;
using Datasette.Defaults;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Signing in by the link of the start, and signing out.</summary>
internal static class AuthViews
{
    public static async Task<IResult> TokenAsync(ViewContext v)
    {
        if (v.Actor?.Id == "root")
        {
            return Respond.RedirectTo(v.App.UrlPath("/"));
        }
        switch (v.App.UseRootToken(v.Args["token"] ?? ""))
        {
            case LoginResult.Used:
                throw new DatasetteException(403, "Root token has already been used");
            case LoginResult.Wrong:
                throw new DatasetteException(403, "Invalid token");
            default:
                var actor = new JsonObject { ["id"] = "root" };
                Messages.SetCookie(v.App, v.Http, ActorCookie.CookieName, ActorCookie.Make(v.App, actor), isCredential: true);
                await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("login", new(actor)), v.Ct);
                return Respond.RedirectTo(v.App.UrlPath("/"));
        }
    }

    public static async Task<IResult> LogoutAsync(ViewContext v)
    {
        var home = v.App.UrlPath("/");
        if (v.IsPost)
        {
            Messages.ClearCookie(v.Http, ActorCookie.CookieName);
            v.App.AddMessage(v.Http, "You are now logged out", MessageKind.Warning);
            await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("logout", v.Actor), v.Ct);
            return Respond.RedirectTo(home);
        }
        if (v.Actor is not { } actor)
        {
            return Respond.RedirectTo(home);
        }
        var layout = await v.App.LayoutAsync(v.Http, "Log out", "logout");
        var page = new LogoutModel(layout, LayoutBuilder.NameOf(actor.Json), v.App.UrlPath("/-/logout"));
        return Respond.Html(Logout.Create(page), 200, new PageTemplate("logout", "logout.html"));
    }
}
