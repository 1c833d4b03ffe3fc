using Datasette.Databases;
using Datasette.Permissions;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;

namespace Datasette.Plugins;

/// <summary>Calls the hooks of pages. Where no plugin overrides a hook, asking costs nothing.</summary>
internal sealed class PageHooks(Overriders overriders)
{
    private static readonly IReadOnlyDictionary<string, object?> NoVariables = new Dictionary<string, object?>();

    private readonly DatasettePlugin[] menu = overriders.Of(nameof(DatasettePlugin.MenuLinksAsync));
    private readonly DatasettePlugin[] topRight = overriders.Of(nameof(DatasettePlugin.TopRightAsync));
    private readonly DatasettePlugin[] states = overriders.Of(nameof(DatasettePlugin.DatabaseStateAsync));
    private readonly DatasettePlugin[] homepage = overriders.Of(nameof(DatasettePlugin.HomepageActionsAsync));
    private readonly DatasettePlugin[] database = overriders.Of(nameof(DatasettePlugin.DatabaseActionsAsync));
    private readonly DatasettePlugin[] table = overriders.Of(nameof(DatasettePlugin.TableActionsAsync));
    private readonly DatasettePlugin[] view = overriders.Of(nameof(DatasettePlugin.ViewActionsAsync));
    private readonly DatasettePlugin[] row = overriders.Of(nameof(DatasettePlugin.RowActionsAsync));
    private readonly DatasettePlugin[] query = overriders.Of(nameof(DatasettePlugin.QueryActionsAsync));
    private readonly DatasettePlugin[] jump = overriders.Of(nameof(DatasettePlugin.JumpItemsAsync));
    private readonly DatasettePlugin[] styles = overriders.Of(nameof(DatasettePlugin.ExtraCssUrlsAsync));
    private readonly DatasettePlugin[] scripts = overriders.Of(nameof(DatasettePlugin.ExtraJsUrlsAsync));
    private readonly DatasettePlugin[] bodyScripts = overriders.Of(nameof(DatasettePlugin.ExtraBodyScriptAsync));
    private readonly DatasettePlugin[] variables = overriders.Of(nameof(DatasettePlugin.ExtraTemplateVarsAsync));
    private readonly DatasettePlugin[] topHomepage = overriders.Of(nameof(DatasettePlugin.TopHomepageAsync));
    private readonly DatasettePlugin[] topDatabase = overriders.Of(nameof(DatasettePlugin.TopDatabaseAsync));
    private readonly DatasettePlugin[] topTable = overriders.Of(nameof(DatasettePlugin.TopTableAsync));
    private readonly DatasettePlugin[] topRow = overriders.Of(nameof(DatasettePlugin.TopRowAsync));
    private readonly DatasettePlugin[] topQuery = overriders.Of(nameof(DatasettePlugin.TopQueryAsync));
    private readonly DatasettePlugin[] topStoredQuery = overriders.Of(nameof(DatasettePlugin.TopStoredQueryAsync));

    public ValueTask<IReadOnlyList<MenuLink>> MenuLinksAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        AllAsync(menu, nameof(DatasettePlugin.MenuLinksAsync), p => p.MenuLinksAsync(datasette, actor, context));

    public ValueTask<IReadOnlyList<IHtmlContent>> TopRightAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        EachAsync(topRight, nameof(DatasettePlugin.TopRightAsync), p => p.TopRightAsync(datasette, actor, context));

    public ValueTask<IReadOnlyList<IHtmlContent>> DatabaseStateAsync(
        IDatasette datasette,
        Actor? actor,
        Database subject,
        HttpContext context
    ) => EachAsync(states, nameof(DatasettePlugin.DatabaseStateAsync), p => p.DatabaseStateAsync(datasette, actor, subject, context));

    public ValueTask<IReadOnlyList<MenuLink>> HomepageActionsAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        AllAsync(homepage, nameof(DatasettePlugin.HomepageActionsAsync), p => p.HomepageActionsAsync(datasette, actor, context));

    public ValueTask<IReadOnlyList<MenuLink>> DatabaseActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => AllAsync(database, nameof(DatasettePlugin.DatabaseActionsAsync), p => p.DatabaseActionsAsync(datasette, actor, page, context));

    /// <summary>Of a table or of a view.</summary>
    public ValueTask<IReadOnlyList<MenuLink>> TableActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) =>
        page.IsView
            ? AllAsync(view, nameof(DatasettePlugin.ViewActionsAsync), p => p.ViewActionsAsync(datasette, actor, page, context))
            : AllAsync(table, nameof(DatasettePlugin.TableActionsAsync), p => p.TableActionsAsync(datasette, actor, page, context));

    public ValueTask<IReadOnlyList<MenuLink>> RowActionsAsync(IDatasette datasette, Actor? actor, PageSubject page, HttpContext context) =>
        AllAsync(row, nameof(DatasettePlugin.RowActionsAsync), p => p.RowActionsAsync(datasette, actor, page, context));

    public ValueTask<IReadOnlyList<MenuLink>> QueryActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => AllAsync(query, nameof(DatasettePlugin.QueryActionsAsync), p => p.QueryActionsAsync(datasette, actor, page, context));

    public ValueTask<IReadOnlyList<JumpItem>> JumpItemsAsync(IDatasette datasette, Actor? actor, string text, HttpContext context) =>
        AllAsync(jump, nameof(DatasettePlugin.JumpItemsAsync), p => p.JumpItemsAsync(datasette, actor, text, context));

    public ValueTask<IReadOnlyList<ExtraAsset>> CssUrlsAsync(IDatasette datasette, PageContext page) =>
        AllAsync(styles, nameof(DatasettePlugin.ExtraCssUrlsAsync), p => p.ExtraCssUrlsAsync(datasette, page));

    public ValueTask<IReadOnlyList<ExtraAsset>> JsUrlsAsync(IDatasette datasette, PageContext page) =>
        AllAsync(scripts, nameof(DatasettePlugin.ExtraJsUrlsAsync), p => p.ExtraJsUrlsAsync(datasette, page));

    public ValueTask<IReadOnlyList<BodyScript>> BodyScriptsAsync(IDatasette datasette, PageContext page) =>
        EachAsync(bodyScripts, nameof(DatasettePlugin.ExtraBodyScriptAsync), p => p.ExtraBodyScriptAsync(datasette, page));

    /// <summary>The variables of all plugins; where two give the same name, the first plugin wins.</summary>
    public async ValueTask<IReadOnlyDictionary<string, object?>> TemplateVarsAsync(IDatasette datasette, PageContext page)
    {
        if (variables.Length == 0)
        {
            return NoVariables;
        }
        var all = new Dictionary<string, object?>(StringComparer.Ordinal);
        var method = nameof(DatasettePlugin.ExtraTemplateVarsAsync);
        foreach (var some in await EachAsync(variables, method, p => p.ExtraTemplateVarsAsync(datasette, page)))
        {
            foreach (var (name, value) in some)
            {
                all.TryAdd(name, value);
            }
        }
        return all;
    }

    /// <summary>What stands at the top of the page, below its heading.</summary>
    public ValueTask<IReadOnlyList<IHtmlContent>> TopAsync(IDatasette datasette, PageContext page) =>
        page.View switch
        {
            "index" => EachAsync(topHomepage, nameof(DatasettePlugin.TopHomepageAsync), p => p.TopHomepageAsync(datasette, page)),
            "database" => EachAsync(topDatabase, nameof(DatasettePlugin.TopDatabaseAsync), p => p.TopDatabaseAsync(datasette, page)),
            "table" => EachAsync(topTable, nameof(DatasettePlugin.TopTableAsync), p => p.TopTableAsync(datasette, page)),
            "row" => EachAsync(topRow, nameof(DatasettePlugin.TopRowAsync), p => p.TopRowAsync(datasette, page)),
            "query" when page.Subject.Query is null => EachAsync(
                topQuery,
                nameof(DatasettePlugin.TopQueryAsync),
                p => p.TopQueryAsync(datasette, page)
            ),
            "query" => EachAsync(topStoredQuery, nameof(DatasettePlugin.TopStoredQueryAsync), p => p.TopStoredQueryAsync(datasette, page)),
            _ => ValueTask.FromResult<IReadOnlyList<IHtmlContent>>([]),
        };

    private static async ValueTask<IReadOnlyList<T>> AllAsync<T>(
        DatasettePlugin[] plugins,
        string method,
        Func<DatasettePlugin, ValueTask<IReadOnlyList<T>>> hook
    )
    {
        if (plugins.Length == 0)
        {
            return [];
        }
        var all = new List<T>();
        foreach (var plugin in plugins)
        {
            all.AddRange(await HookCall.RunAsync(plugin, method, hook));
        }
        return all;
    }

    private static async ValueTask<IReadOnlyList<T>> EachAsync<T>(
        DatasettePlugin[] plugins,
        string method,
        Func<DatasettePlugin, ValueTask<T?>> hook
    )
        where T : class
    {
        if (plugins.Length == 0)
        {
            return [];
        }
        var all = new List<T>();
        foreach (var plugin in plugins)
        {
            if (await HookCall.RunAsync(plugin, method, hook) is { } one)
            {
                all.Add(one);
            }
        }
        return all;
    }
}
