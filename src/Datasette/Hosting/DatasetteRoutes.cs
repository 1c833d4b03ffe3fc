using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Views;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Hosting;

/// <summary>The whole URL space on one page. The first pattern that matches the raw path wins; those of plugins come before all.</summary>
internal sealed class DatasetteRoutes
{
    private const string Db = @"/(?<database>[^/.]+)";
    private const string Table = Db + @"/(?<table>[^/.]+)";
    private const string Row = Db + @"/(?<table>[^/]+?)/(?<pks>[^/]+?)";
    private const string Format = @"(\.(?<format>\w+))?";
    private const string Json = @"(\.(?<format>json))?";
    private const int RememberedPaths = 1000;
    private readonly List<Route> routes = [];
    private readonly ConcurrentDictionary<string, (Route Route, Match Match)> known = new(StringComparer.Ordinal);
    private int knownCount;

    public DatasetteRoutes(DatasetteApp app)
    {
        foreach (var plugin in app.Plugins)
        {
            AddRoutesOf(plugin, app);
        }
        foreach (var (mount, folder) in app.Options.StaticMounts)
        {
            Add(
                $"^/{Regex.Escape(mount)}/(?<path>.*)$",
                "GET",
                async v =>
                    await StaticFiles.FromFolderAsync(
                        folder,
                        v.Segment("path"),
                        v.Http,
                        v.Args["_hash"],
                        app.Databases.Append(app.Catalog.Database).Select(database => database.Path).OfType<string>()
                    )
            );
        }
        Get(@"^/$|^/\.json$|^/-/$|^/-/\.json$", IndexView.ShowAsync);
        Get("^/-$", v => Found(Respond.RedirectTo(app.UrlPath(v.Args.ToPath("/-/")), 301)));
        Get("^/favicon.ico$", v => Found(StaticFiles.Favicon()));
        Get("^/-/static/(?<path>.*)$", v => Found(StaticFiles.Own(v.Segment("path"), v.Http, v.Args["_hash"])));
        Get("^/-/static-plugins/(?<plugin>[^/]+)/(?<path>.*)$", v => Found(PluginStatic(v)));
        Get($@"^/-/versions{Json}$", SpecialViews.VersionsAsync);
        Get($@"^/-/plugins{Json}$", SpecialViews.PluginsAsync);
        Get($@"^/-/settings{Json}$", SpecialViews.SettingsAsync);
        Get($@"^/-/config{Json}$", SpecialViews.ConfigAsync);
        Get($@"^/-/databases{Json}$", SpecialViews.DatabasesAsync);
        Get($@"^/-/actor{Json}$", SpecialViews.ActorAsync);
        Get($@"^/-/actions{Json}$", SpecialViews.ActionsAsync);
        Get($@"^/-/threads{Json}$", SpecialViews.ThreadsAsync);
        Get(@"^/-/schema(\.(?<format>json|md))?$", SchemaViews.InstanceAsync);
        Get($@"^{Db}/-/schema(\.(?<format>json|md))?$", SchemaViews.DatabaseAsync);
        Get($"^/-/jump{Json}$", JumpView.ShowAsync);
        Get("^/-/api$", ApiExplorerView.ShowAsync);
        Add("^/-/create-token$", "GET POST", CreateTokenView.ShowAsync);
        Get($"^/-/queries{Json}$", QueryListView.AllAsync);
        Get($"^/-/allowed{Json}$", PermissionViews.AllowedAsync);
        Get($"^/-/rules{Json}$", PermissionViews.RulesAsync);
        Get($"^/-/check{Json}$", PermissionViews.CheckAsync);
        Add("^/-/permissions$", "GET POST", PermissionViews.PlaygroundAsync);
        Get("^/-/allow-debug$", DebugViews.AllowAsync);
        Get("^/-/patterns$", DebugViews.PatternsAsync);
        Get("^/-/debug/autocomplete$", DebugViews.AutocompleteAsync);
        Add("^/-/messages$", "GET POST", v => v.IsPost ? MessageViews.PostAsync(v) : MessageViews.ShowAsync(v));
        Get("^/-/auth-token$", AuthViews.TokenAsync);
        Add("^/-/logout$", "GET POST", AuthViews.LogoutAsync);
        Get("^/:memory:(?<rest>.*)$", v => Found(Respond.RedirectTo(app.UrlPath(v.Args.ToPath("/_memory" + v.Segment("rest"))), 301)));
        Get(@"^/(?<database>[^/]+?)\.db$", DatabaseView.DownloadAsync);
        Get($"^{Db}{Format}$", DatabaseView.ShowAsync, "GET, HEAD");
        Get($"^{Db}/-/queries{Json}$", QueryListView.OfDatabaseAsync);
        Get($"^{Db}/-/queries/analyze$", QueryManageViews.AnalyzeAsync);
        Add($"^{Db}/-/queries/store$", "GET POST", QueryManageViews.StoreAsync);
        Add($"^{Db}/-/execute-write$", "GET POST", ExecuteWriteView.ShowAsync);
        Get($"^{Db}/-/execute-write/analyze$", ExecuteWriteView.AnalyzeAsync);
        Get($@"^{Db}/-/durability/(?<transaction>\w+)$", DurableWrites.ShowAsync);
        Post($"^{Db}/-/create$", CreateTableView.PostAsync);
        Get($"^{Db}/-/foreign-key-targets$", ForeignKeyViews.TargetsAsync);
        Get($"^{Db}/-/query{Format}$", QueryView.ShowAsync, "GET, HEAD");
        Get($"^{Db}/-/query/parameters$", QueryView.ParametersAsync);
        Get($"^{Table}/-/definition$", QueryView.DefinitionAsync);
        Add($"^{Table}/-/edit$", "GET POST", QueryManageViews.EditAsync);
        Post($"^{Table}/-/update$", QueryManageViews.UpdateAsync);
        Add($"^{Table}/-/delete$", "GET POST", QueryManageViews.DeleteAsync);
        Add($"^{Table}{Format}$", "GET POST OPTIONS", TableView.ShowAsync);
        Get($"^{Row}{Format}$", RowView.ShowAsync);
        Get($@"^{Table}/-/schema(\.(?<format>json|md))?$", SchemaViews.TableAsync);
        Get($"^{Table}/-/fragment$", FragmentView.ShowAsync);
        Get($"^{Table}/-/autocomplete$", AutocompleteView.ShowAsync);
        Post($"^{Table}/-/insert$", WriteViews.InsertAsync);
        Post($"^{Table}/-/upsert$", WriteViews.UpsertAsync);
        Post($"^{Table}/-/set-column-type$", SetColumnTypeView.PostAsync);
        Post($"^{Table}/-/alter$", AlterTableView.PostAsync);
        Get($"^{Table}/-/foreign-key-suggestions$", ForeignKeyViews.SuggestionsAsync);
        Post($"^{Table}/-/drop$", DropTableView.PostAsync);
        Post($"^{Row}/-/update$", RowWriteViews.UpdateAsync);
        Post($"^{Row}/-/delete$", RowWriteViews.DeleteAsync);
    }

    /// <summary>All patterns in the order in which they are tried, with the methods they answer; none: the handler decides itself.</summary>
    public IReadOnlyList<(Regex Pattern, string Methods)> All => routes.Select(route => (route.Pattern, route.Methods)).ToList();

    /// <summary>A pattern and who answers it. No methods: the handler decides itself.</summary>
    /// <param name="Pattern">What the path must match.</param>
    /// <param name="Part">A part that every such path has, so that most others need no look at the pattern.</param>
    /// <param name="Methods">Which methods it answers, with blanks between.</param>
    /// <param name="Allow">What OPTIONS tells.</param>
    /// <param name="Handler">Who answers.</param>
    private sealed record Route(Regex Pattern, string Part, string Methods, string? Allow, Func<ViewContext, Task<IResult>> Handler);

    public Task<IResult> AnswerAsync(DatasetteApp app, HttpContext context, RequestState state)
    {
        if (Find(state.Path) is not ({ } route, { } match))
        {
            throw new DatasetteException(StatusCodes.Status404NotFound, "404");
        }
        var method = HttpMethods.IsHead(context.Request.Method) ? "GET" : context.Request.Method;
        if (route.Methods.Length > 0 && !route.Methods.Split(' ').Contains(method))
        {
            return Found(
                HttpMethods.IsOptions(method) ? Respond.PlainText("ok").With("Allow", route.Allow) : MethodNotAllowed(context, state)
            );
        }
        return route.Handler(new ViewContext(app, context, match));
    }

    /// <summary>The first route that matches. Trying fifty patterns costs more than a small write: what was found is remembered.</summary>
    private (Route? Route, Match? Match) Find(string path)
    {
        if (known.TryGetValue(path, out var found))
        {
            return found;
        }
        foreach (var route in routes)
        {
            if (path.Contains(route.Part, StringComparison.Ordinal) && route.Pattern.Match(path) is { Success: true } match)
            {
                Remember(path, route, match);
                return (route, match);
            }
        }
        return default;
    }

    private void Remember(string path, Route route, Match match)
    {
        // Many requests read it at once.
        if (!known.TryAdd(path, (route, Match.Synchronized(match))))
        {
            return;
        }
        if (Interlocked.Increment(ref knownCount) > RememberedPaths)
        {
            known.Clear();
            Volatile.Write(ref knownCount, 0);
        }
    }

    private static Response MethodNotAllowed(HttpContext context, RequestState state) =>
        state.Path.EndsWith(".json", StringComparison.Ordinal) || context.Request.ContentType == "application/json"
            ? ErrorResponse.Json(405, "Method not allowed")
            : Respond.PlainText("Method not allowed", 405);

    private void AddRoutesOf(DatasettePlugin plugin, DatasetteApp app)
    {
        foreach (var route in HookCall.Run(plugin, nameof(plugin.RegisterRoutes), p => p.RegisterRoutes(app).ToList()))
        {
            try
            {
                routes.Add(new(Compile(route.Pattern), "", "", null, v => AnswerOfAsync(plugin, route, v)));
            }
            catch (RegexParseException e)
            {
                throw new StartupException(
                    $"The plugin '{plugin.Name}' registers the route '{route.Pattern}', which is no regular expression: {e.Message}",
                    innerException: e
                );
            }
        }
    }

    /// <summary>Wrong SQL and SQL that takes too long are told as on the host's own pages; all else is the plugin's mistake.</summary>
    private static async Task<IResult> AnswerOfAsync(DatasettePlugin plugin, PluginRoute route, ViewContext v)
    {
        try
        {
            return await route.Handler(v.App, v.Http, v.Match);
        }
        catch (Exception e) when (PluginException.IsMistake(e) && e is not (SqliteException or QueryInterruptedException))
        {
            throw new PluginException(plugin, nameof(plugin.RegisterRoutes), e);
        }
    }

    private static Response PluginStatic(ViewContext v)
    {
        var name = Uri.UnescapeDataString(v.Segment("plugin"));
        var plugin =
            v.App.Plugins.FirstOrDefault(plugin => plugin.Name == name) ?? throw new DatasetteException(404, "404: File not found");
        return StaticFiles.OfPlugin(plugin, Uri.UnescapeDataString(v.Segment("path")), v.Http, v.Args["_hash"]);
    }

    private void Get(string pattern, Func<ViewContext, Task<IResult>> view, string? allow = null) => Add(pattern, "GET", view, allow);

    private void Post(string pattern, Func<ViewContext, Task<IResult>> view) => Add(pattern, "POST", view);

    private void Add(string pattern, string methods, Func<ViewContext, Task<IResult>> view, string? allow = null) =>
        routes.Add(new(Compile(pattern), PartOf(pattern), methods, allow, view));

    /// <summary>The letters at the start of a pattern, or behind the database, table or row that it starts with.</summary>
    private static string PartOf(string pattern)
    {
        if (pattern.Contains('|', StringComparison.Ordinal))
        {
            return "";
        }
        var start = 1;
        foreach (var segment in new[] { Row, Table, Db })
        {
            if (pattern.AsSpan(1).StartsWith(segment))
            {
                start += segment.Length;
                break;
            }
        }
        var end = start;
        while (end < pattern.Length && (char.IsAsciiLetter(pattern[end]) || pattern[end] is '/' or '-'))
        {
            end++;
        }
        // A letter before ? or * need not be there.
        return end < pattern.Length && pattern[end] is '?' or '*' or '{' ? pattern[start..(end - 1)] : pattern[start..end];
    }

    // In .NET $ also matches before a line end at the end; a name with one is another name.
    private static Regex Compile(string pattern) =>
        new(Regex.Replace(pattern, @"(?<!\\)\$(?=\||\)|\z)", @"\z"), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));

    private static Task<IResult> Found(Response response) => Task.FromResult<IResult>(response);
}
