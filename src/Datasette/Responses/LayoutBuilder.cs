using System.Text.Json.Nodes;
using Datasette.Pages;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;

namespace Datasette.Responses;

/// <summary>Puts together the frame of a page: what plugins, actor, messages and configuration say.</summary>
internal sealed class LayoutBuilder(IDatasette app, PageHooks hooks)
{
    private static readonly string[] ActorNames = ["display", "name", "username", "login", "id"];

    public async ValueTask<LayoutModel> MakeAsync(HttpContext context, string title, string bodyClass, IReadOnlyList<MenuLink>? crumbs)
    {
        var state = RequestState.Of(context);
        var messages = state.MessagesShown ? [] : Messages.Read(app, context);
        state.MessagesShown = true;
        var page = state.Page ?? new PageContext(bodyClass.Split(' ')[0], new PageSubject(), [], state.Actor, context);
        var layout = Bare(state, title, bodyClass, crumbs) with { Messages = messages };
        return state.WithoutPlugins
            ? layout
            : layout with
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
            ExtraStyles = Assets("extra_css_urls"),
            ExtraScripts = Assets("extra_js_urls"),
            HomeHref = app.UrlPath("/"),
            JumpHref = app.UrlPath("/-/jump"),
            LogoutHref = app.UrlPath("/-/logout"),
            Version = ProductInfo.Version,
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

    private List<ExtraAsset> Assets(string key)
    {
        var all = new List<ExtraAsset>();
        foreach (var item in app.Config.Root[key] as JsonArray ?? [])
        {
            if (item is JsonValue url)
            {
                all.Add(new(AssetUrl(url.ToString()), null, false));
            }
            else if (item is JsonObject asset && asset["url"] is { } address)
            {
                all.Add(
                    new(
                        AssetUrl(address.ToString()),
                        asset["sri"]?.ToString(),
                        asset["module"] is JsonValue module && module.ToString() == "true"
                    )
                );
            }
        }
        return all;
    }

    private IEnumerable<ExtraAsset> Assets(IReadOnlyList<ExtraAsset> assets) =>
        assets.Select(asset => asset with { Url = AssetUrl(asset.Url) });

    private string AssetUrl(string url) => url.StartsWith('/') && !url.StartsWith("//", StringComparison.Ordinal) ? app.UrlPath(url) : url;
}

/// <summary>What this program is.</summary>
internal static class ProductInfo
{
    public const string Name = "Datasette for .NET";

    public static string Version { get; } = typeof(ProductInfo).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
