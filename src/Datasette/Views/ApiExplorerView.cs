using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>A page to try the JSON interface with: a form for GET, one for POST, and examples for every table that the visitor sees.</summary>
internal static class ApiExplorerView
{
    public const string Docs = "https://docs.datasette.io/en/1.0a37/json_api.html";
    private static readonly JsonSerializerOptions Indented = new(Defaults.PlainJson.Options)
    {
        WriteIndented = true,
        IndentSize = 2,
        NewLine = "\n",
    };

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var address = v.App.UrlPath("/-/api");
        // Without a script the first form still works: it leads to the address itself.
        if (v.Args["path"] is { Length: > 0 } path && path.StartsWith('/'))
        {
            return Respond.RedirectTo(path);
        }
        var lists = new List<ToolLinks>();
        foreach (var database in v.App.Databases)
        {
            if (await ExamplesAsync(v, database) is { Count: > 0 } links)
            {
                lists.Add(new("Database: " + database.Name, links));
            }
        }
        var layout = await v.App.LayoutAsync(v.Http, "API Explorer", "api");
        var page = new ToolModel(layout, "API Explorer")
        {
            Intro = ["Use this tool to try out the JSON interface of this instance."],
            See = [new("Datasette API", Docs)],
            HasErrorPlace = true,
            Forms =
            [
                new("get", address, "GET", [new(null, [new("path", "text", "GET")])]) { Tool = "api-get" },
                new("post", address, "POST", [new(null, [new("path", "text", "POST"), new("json", "textarea", "JSON")])])
                {
                    Tool = "api-post",
                },
            ],
            Lists = lists,
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }

    /// <summary>The explorer, filled in with one call.</summary>
    public static string Call(ViewContext v, string path, JsonNode body) =>
        v.App.UrlPath("/-/api") + $"#path={QueryArgs.Escape(path)}&json={QueryArgs.Escape(body.ToJsonString(Indented))}&method=POST";

    private static async Task<List<TextLink>> ExamplesAsync(ViewContext v, Database database)
    {
        var links = new List<TextLink>();
        if (
            database.IsMutable
            && await v.AllowedAsync("view-database", database.Name)
            && await v.AllowedAsync("create-table", database.Name)
        )
        {
            var path = v.App.UrlOf(database) + "/-/create";
            links.Add(new(path, Call(v, path, NewTable())));
        }
        var schema = await database.KnownSchemaAsync(v.Ct);
        foreach (var resource in await v.App.Rights.ListAsync("view-table", v.Actor, database.Name, v.Ct))
        {
            if (schema.Table(resource.Child!) is { } table)
            {
                await AddTableAsync(v, database, table, links);
            }
        }
        return links;
    }

    private static async Task AddTableAsync(ViewContext v, Database database, TableSchema table, List<TextLink> links)
    {
        var path = v.App.UrlOf(database, table.Name);
        links.Add(new(path + ".json", $"{v.App.UrlPath("/-/api")}#method=GET&path={QueryArgs.Escape(path + ".json")}"));
        if (!database.IsMutable)
        {
            return;
        }
        var mayInsert = await v.AllowedAsync("insert-row", database.Name, table.Name);
        if (mayInsert)
        {
            var row = new JsonObject(
                table
                    .ColumnNames.Where(name => !table.PrimaryKeys.Contains(name))
                    .Select(name => KeyValuePair.Create(name, (JsonNode?)null))
            );
            var json = QueryArgs.Escape(Rows(row).ToJsonString(Indented));
            links.Add(
                new(path + "/-/insert", $"{v.App.UrlPath("/-/api")}#path={QueryArgs.Escape(path + "/-/insert")}&method=POST&json={json}")
            );
        }
        if (mayInsert && await v.AllowedAsync("update-row", database.Name, table.Name))
        {
            var row = new JsonObject();
            foreach (var key in table.RowKeys)
            {
                row[key] = $"<{key} (primary key)>";
            }
            foreach (var name in table.ColumnNames.Where(name => !table.PrimaryKeys.Contains(name)))
            {
                row[name] = $"<{name}>";
            }
            var json = QueryArgs.Escape(Rows(row).ToJsonString(Indented));
            links.Add(
                new(path + "/-/upsert", $"{v.App.UrlPath("/-/api")}#path={QueryArgs.Escape(path + "/-/upsert")}&method=POST&json={json}")
            );
        }
        if (await v.AllowedAsync("drop-table", database.Name, table.Name))
        {
            links.Add(new(path + "/-/drop", Call(v, path + "/-/drop", new JsonObject { ["confirm"] = false })));
        }
    }

    private static JsonObject Rows(JsonObject row) => new() { ["rows"] = new JsonArray(row) };

    /// <summary>A small table to begin with.</summary>
    public static JsonObject NewTable() =>
        new()
        {
            ["table"] = "new_table",
            ["columns"] = new JsonArray(
                new JsonObject { ["name"] = "id", ["type"] = "integer" },
                new JsonObject { ["name"] = "name", ["type"] = "text" }
            ),
            ["pk"] = "id",
        };
}
