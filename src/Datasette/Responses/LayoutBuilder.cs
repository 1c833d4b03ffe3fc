using System.Text.Json.Nodes;
using Datasette.Pages;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>Puts together the frame of a page: what plugins, actor, messages and configuration say.</summary>
internal sealed class LayoutBuilder(IDatasette app, PageHooks hooks)
{
    private static readonly string[] ActorNames = ["display", "name", "username", "login", "id"];
    private readonly IReadOnlyList<ExtraAsset> styles = ExtraAssets.Read(app, "extra_css_urls");
    private readonly IReadOnlyList<ExtraAsset> scripts = ExtraAssets.Read(app, "extra_js_urls");

    public async ValueTask<LayoutModel> MakeAsync(HttpContext context, string title, string bodyClass, IReadOnlyList<MenuLink>? crumbs)
    {
        var state = RequestState.Of(context);
        var messages = state.MessagesShown ? [] : Messages.Read(app, context);
        state.MessagesShown = true;
        var page = state.Page ?? new PageContext(bodyClass.Split(' ')[0], new PageSubject(), [], state.Actor, context);
        var layout = Bare(state, title, bodyClass, crumbs) with { Messages = messages };
        if (!state.WithoutPlugins)
        {
            layout = layout with
            {
                MenuLinks = await hooks.MenuLinksAsync(app, state.Actor, context),
                TopRight = await hooks.TopRightAsync(app, state.Actor, context),
                Top = await hooks.TopAsync(app, page),
                ExtraStyles = [.. layout.ExtraStyles, .. Assets(await hooks.CssUrlsAsync(app, page))],
                ExtraScripts = [.. layout.ExtraScripts, .. Assets(await hooks.JsUrlsAsync(app, page))],
                BodyScripts = await hooks.BodyScriptsAsync(app, page),
                TemplateVars = await hooks.TemplateVarsAsync(app, page),
            };
        }
        state.ScriptUrls = layout.ExtraScripts.Select(script => script.Url).ToList();
        return layout.BodyScripts.Count > 0 ? layout with { ScriptNonce = state.Nonce } : layout;
    }

    private LayoutModel Bare(RequestState state, string title, string bodyClass, IReadOnlyList<MenuLink>? crumbs) =>
        new()
        {
            Title = title,
            BodyClass = bodyClass,
            Crumbs = crumbs ?? [new MenuLink("home", app.UrlPath("/"))],
            ActorName = state.Actor is { } actor ? NameOf(actor.Json) : null,
            ShowLogout = state.IsCookieActor,
            StyleHref = app.UrlPath(StaticFiles.Href("app.css")),
            ScriptHref = app.UrlPath(StaticFiles.Href("app.js")),
            ExtraStyles = styles,
            ExtraScripts = scripts,
            HomeHref = app.UrlPath("/"),
            JumpHref = app.UrlPath("/-/jump"),
            LogoutHref = app.UrlPath("/-/logout"),
            Version = ProductInfo.Version,
            HasMarks = state.HasMarks,
        };

    /// <summary>What an actor is called: the first of display, name, username, login, id.</summary>
    public static string NameOf(JsonObject actor)
    {
        foreach (var key in ActorNames)
        {
            if (actor[key] is JsonValue value && value.ToString() is { Length: > 0 } name)
            {
                return name;
            }
        }
        return actor.ToJsonString();
    }

    private IEnumerable<ExtraAsset> Assets(IReadOnlyList<ExtraAsset> assets) =>
        assets.Select(asset => asset with { Url = ExtraAssets.Url(app, asset.Url) });
}

/// <summary>What this program is.</summary>
internal static class ProductInfo
{
    public const string Name = "Datasette for .NET";

    public static string Version { get; } = typeof(ProductInfo).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
