using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>What the instance says about itself: the same JSON as data and on a page.</summary>
internal static class SpecialViews
{
    public static async Task<IResult> VersionsAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var sqlite = await SqliteFactsAsync(v);
        var own = new JsonMap { { "version", DatasetteApp.CompatibleVersion } };
        if (v.App.Options.VersionNote is { } note)
        {
            own.Add("note", note);
        }
        var map = new JsonMap
        {
            {
                "python",
                new JsonMap { { "version", null }, { "full", null } }
            },
            { "datasette", own },
            { "asgi", null },
            { "uvicorn", null },
            { "sqlite", sqlite },
            {
                "host",
                new JsonMap
                {
                    { "name", ProductInfo.Name },
                    { "version", ProductInfo.Version },
                    { "runtime", RuntimeInformation.FrameworkDescription },
                    { "os", RuntimeInformation.RuntimeIdentifier },
                }
            },
        };
        return await ShowAsync(v, "versions", map);
    }

    public static async Task<IResult> PluginsAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        return await ShowAsync(v, "plugins", PluginList.Of(v.App.Plugins, v.Args.Flag("all")));
    }

    public static async Task<IResult> SettingsAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        return await ShowAsync(v, "settings", v.App.Settings.ToJson());
    }

    public static async Task<IResult> ConfigAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        return await ShowAsync(v, "config", await ConfigSight.OfAsync(v));
    }

    public static async Task<IResult> DatabasesAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var visible = (await v.App.Rights.ListAsync("view-database", v.Actor, null, v.Ct)).Select(r => r.Parent).ToHashSet();
        var list = v
            .App.Databases.Where(database => visible.Contains(database.Name))
            .Select(database =>
                (object)
                    new JsonMap
                    {
                        { "name", database.Name },
                        { "route", database.Name },
                        { "path", database.GivenPath },
                        { "size", database.SizeBytes },
                        { "is_mutable", database.IsMutable && !database.IsMemory },
                        { "is_memory", database.IsMemory },
                        { "hash", database.Hash },
                    }
            );
        return await ShowAsync(v, "databases", new JsonMap { { "databases", list.ToList() } });
    }

    /// <summary>Needs no right: everyone may know who they are.</summary>
    public static Task<IResult> ActorAsync(ViewContext v) => ShowAsync(v, "actor", new JsonMap { { "actor", v.Actor?.Json } });

    public static async Task<IResult> ActionsAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("permissions-debug");
        var list = v
            .App.Actions.Values.OrderBy(action => action.Name, StringComparer.Ordinal)
            .Select(action =>
                (object)
                    new JsonMap
                    {
                        { "name", action.Name },
                        { "abbr", action.Abbreviation },
                        { "description", action.Description },
                        { "takes_parent", action.Kind != Permissions.ResourceKind.Global },
                        { "takes_child", action.Kind is Permissions.ResourceKind.Table or Permissions.ResourceKind.Query },
                        { "resource_class", action.Kind == Permissions.ResourceKind.Global ? null : action.Kind + "Resource" },
                        { "also_requires", action.AlsoRequires },
                    }
            );
        return await ShowAsync(v, "actions", new JsonMap { { "actions", list.ToList() } });
    }

    public static async Task<IResult> ThreadsAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("permissions-debug");
        var map = new JsonMap
        {
            { "num_threads", ThreadPool.ThreadCount },
            { "threads", Array.Empty<object>() },
            { "num_tasks", (int)Math.Min(ThreadPool.PendingWorkItemCount, int.MaxValue) },
            { "tasks", Array.Empty<object>() },
        };
        return await ShowAsync(v, "threads", map);
    }

    private static async Task<IResult> ShowAsync(ViewContext v, string name, object data)
    {
        if (v.Format == "json")
        {
            return Respond.Json(data is IEnumerable<KeyValuePair<string, object?>> or JsonObject ? WithOk(data) : data);
        }
        var file = name + ".json";
        var alternate = v.Absolute(v.PathWithFormat("json"));
        var layout = await v.App.LayoutAsync(v.Http, file, "show-json");
        var page = new ShowJsonModel(layout with { AlternateUrl = alternate }, file, JsonBody.ToText(data, indent: 4));
        var template = new PageTemplate("show_json", "show_json.html")
        {
            Variables = () =>
                new JsonMap
                {
                    { "filename", file },
                    { "data", data },
                    { "data_json", page.Json },
                },
        };
        return Respond.Html(ShowJson.Create(page), 200, template).With("Link", HtmlLinks.Alternate(alternate));
    }

    private static JsonMap WithOk(object data)
    {
        var map = new JsonMap { { "ok", true } };
        if (data is JsonObject node)
        {
            foreach (var (key, value) in node)
            {
                map.Add(key, value);
            }
            return map;
        }
        foreach (var (key, value) in (IEnumerable<KeyValuePair<string, object?>>)data)
        {
            map.Add(key, value);
        }
        return map;
    }

    private static async Task<JsonMap> SqliteFactsAsync(ViewContext v)
    {
        var (version, options, extensions) = await v.App.Catalog.Database.ReadAsync(
            connection =>
            {
                var version = (string)SqlStatement.Scalar(connection, "select sqlite_version()")!;
                var options = SqlStatement.Query(connection, "pragma compile_options").Select(row => (string)row[0]!).ToList();
                var functions = SqlStatement
                    .Query(connection, "select distinct name from pragma_function_list")
                    .Select(row => (string)row[0]!)
                    .ToHashSet();
                var extensions = new JsonMap();
                if (functions.Contains("json"))
                {
                    extensions.Add("json1", true);
                }
                if (functions.Contains("spatialite_version"))
                {
                    extensions.Add("spatialite", true);
                }
                return (version, options, extensions);
            },
            ct: v.Ct
        );
        var fts = new[] { "FTS5", "FTS4", "FTS3" }.Where(name =>
            options.Contains("ENABLE_" + name) || (name == "FTS3" && options.Contains("ENABLE_FTS4"))
        );
        return new JsonMap
        {
            { "version", version },
            { "fts_versions", fts.ToList<object?>() },
            { "extensions", extensions },
            { "compile_options", options.ToList<object?>() },
        };
    }
}
