using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Templates;

/// <summary>The variables of a page: its own, those that all pages have, those of plugins.</summary>
internal static class PageGlobals
{
    public static void Fill(PageValues values, IDatasette datasette, HttpContext context, HtmlResponse page, LayoutModel? layout)
    {
        var state = RequestState.Of(context);
        var view = page.Template?.View ?? "";
        values.Add("view_name", () => view);
        values.Add("datasette_version", () => ProductInfo.Version);
        values.Add("base_url", () => datasette.UrlPath("/"));
        values.Add("request", () => Request(datasette, context, state));
        values.Add("actor", () => state.Actor?.Json);
        values.Add("instance", () => datasette.Config.Metadata);
        if (layout is not null)
        {
            AddLayout(values, layout);
        }
        values.Add(page.Template?.Variables?.Invoke() ?? []);
        if (layout is not null)
        {
            values.Add(layout.TemplateVars);
        }
    }

    private static void AddLayout(PageValues values, LayoutModel layout)
    {
        values.Add("body_class", () => layout.BodyClass);
        values.Add("breadcrumbs", () => layout.Crumbs.Select(Link));
        values.Add("menu_links", () => layout.MenuLinks.Select(Link));
        values.Add(
            "footer_links",
            () =>
                layout.FooterLinks.Select(link => new JsonMap
                {
                    { "label", link.Label },
                    { "text", link.Text },
                    { "href", link.Href },
                })
        );
        values.Add(
            "flash_messages",
            () =>
                layout.Messages.Select(message => new JsonMap
                {
                    { "text", message.Text },
                    { "kind", message.Kind.ToString().ToLowerInvariant() },
                })
        );
        values.Add("extra_css_urls", () => layout.ExtraStyles.Select(Asset));
        values.Add("extra_js_urls", () => layout.ExtraScripts.Select(Asset));
        values.Add("actor_name", () => layout.ActorName);
        values.Add("show_logout", () => layout.ShowLogout);
        values.Add("logout_url", () => layout.LogoutHref);
        values.Add("alternate_url_json", () => layout.AlternateUrl);
    }

    private static JsonMap Link(MenuLink link) => new() { { "label", link.Label }, { "href", link.Href } };

    private static JsonMap Asset(ExtraAsset asset) =>
        new()
        {
            { "url", asset.Url },
            { "sri", asset.Integrity },
            { "module", asset.IsModule },
        };

    private static JsonMap Request(IDatasette datasette, HttpContext context, RequestState state)
    {
        var args = new JsonMap();
        foreach (var group in state.Args.Pairs.GroupBy(pair => pair.Key))
        {
            args.Add(group.Key, group.First().Value);
        }
        var scheme = datasette.Settings.ForceHttpsUrls ? "https" : context.Request.Scheme;
        var full = state.Args.ToPath(state.FullPath);
        return new JsonMap
        {
            { "method", context.Request.Method },
            { "path", state.FullPath },
            { "full_path", full },
            { "query_string", state.Args.Raw },
            { "host", context.Request.Host.Value },
            { "url", $"{scheme}://{context.Request.Host.Value}{full}" },
            { "args", args },
        };
    }
}
