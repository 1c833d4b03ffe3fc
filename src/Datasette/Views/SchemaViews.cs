using System.Text;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>The statements that make databases and tables: page, JSON or Markdown.</summary>
internal static class SchemaViews
{
    private const string AllSql = "select sql, tbl_name from sqlite_master where sql is not null";

    public static async Task<IResult> InstanceAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("view-instance");
        var parts = new List<(string Name, string Sql)>();
        foreach (var resource in await v.App.Rights.ListAsync("view-database", v.Actor, null, v.Ct))
        {
            if (v.App.Databases[resource.Parent] is { } database)
            {
                parts.Add((database.Name, await TextOrReasonAsync(v, database)));
            }
        }
        if (v.Format == "json")
        {
            var list = parts.Select(part => (object)new JsonMap { { "database", part.Name }, { "schema", part.Sql } }).ToList();
            return Respond.Json(new JsonMap { { "ok", true }, { "schemas", list } });
        }
        return v.Format == "md"
            ? Markdown(parts)
            : await PageAsync(v, "Schema for all databases", "Schema for all databases", parts, await Crumbs.OfAsync(v));
    }

    /// <summary>Where one database cannot be read, the others still are.</summary>
    private static async Task<string> TextOrReasonAsync(ViewContext v, Database database)
    {
        if (database.IsUnreadable)
        {
            return "-- This database cannot be read now";
        }
        try
        {
            return await TextAsync(v, database);
        }
        catch (Microsoft.Data.Sqlite.SqliteException e)
        {
            return "-- This database cannot be read: " + SqlErrors.Message(e);
        }
    }

    /// <summary>The right is asked for before the database is looked up: who may not see it must not learn whether it exists.</summary>
    public static async Task<IResult> DatabaseAsync(ViewContext v)
    {
        var name = TildeEncoding.Decode(v.DatabaseSegment);
        await EnsureAsync(v, "view-database", name, null);
        if (v.App.Databases[name] is not { } database)
        {
            return NotFound(v, "Database not found");
        }
        var sql = await TextAsync(v, database);
        if (v.Format == "json")
        {
            return Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "database", name },
                    { "schema", sql },
                }
            );
        }
        return v.Format == "md"
            ? Markdown([(name, sql)])
            : await PageAsync(v, $"Schema for {name}", $"Schema for {name}", [("", sql)], await Crumbs.OfAsync(v, database));
    }

    public static async Task<IResult> TableAsync(ViewContext v)
    {
        var name = TildeEncoding.Decode(v.DatabaseSegment);
        await EnsureAsync(v, "view-table", name, v.TableName);
        if (v.App.Databases[name] is not { } database)
        {
            return NotFound(v, "Database not found");
        }
        if ((await database.SchemaAsync(v.Ct)).Relation(v.TableName) is not { } relation)
        {
            return NotFound(v, "Table not found");
        }
        var sql = relation.Definition.Count > 0 ? relation.Definition[0] : "";
        if (v.Format == "json")
        {
            return Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "database", name },
                    { "table", relation.Name },
                    { "schema", sql },
                }
            );
        }
        var full = $"{name}.{relation.Name}";
        return v.Format == "md"
            ? Markdown([(full, sql)])
            : await PageAsync(
                v,
                $"Schema for {full}",
                $"Schema for {relation.Name}",
                [("", sql)],
                await Crumbs.OfAsync(v, database, relation.Name)
            );
    }

    private static async ValueTask EnsureAsync(ViewContext v, string action, string database, string? table)
    {
        if (!await v.AllowedAsync(action, database, table))
        {
            throw new DatasetteException(403, action);
        }
    }

    /// <summary>The statements of what this visitor may know of.</summary>
    private static async Task<string> TextAsync(ViewContext v, Database database)
    {
        var rows = (await database.ExecuteAsync(AllSql, ct: v.Ct)).Rows;
        var known = await v.AllowedAsync("execute-sql", database.Name)
            ? null
            : (await v.App.Rights.ListAsync("view-table", v.Actor, database.Name, v.Ct)).Select(resource => resource.Child!).ToHashSet();
        return string.Join(";\n", rows.Where(row => known is null || known.Contains((string)row[1]!)).Select(row => (string)row[0]!));
    }

    private static Response NotFound(ViewContext v, string message) =>
        v.Format == "json" ? ErrorResponse.Json(404, message) : Respond.PlainText(message, 404);

    private static Response Markdown(IReadOnlyList<(string Name, string Sql)> parts)
    {
        var text = new StringBuilder();
        foreach (var (name, sql) in parts)
        {
            text.Append(text.Length > 0 ? "\n" : "").Append($"# Schema for {name}\n\n```sql\n{sql}\n```\n");
        }
        return Respond.PlainText(text.ToString());
    }

    private static async Task<Response> PageAsync(
        ViewContext v,
        string title,
        string heading,
        IReadOnlyList<(string Name, string Sql)> parts,
        IReadOnlyList<MenuLink> crumbs
    )
    {
        var layout = await v.App.LayoutAsync(v.Http, title, "schema", crumbs);
        var alternate = v.Absolute(v.PathWithFormat("json"));
        var sections = parts.Select(part => new TextLink(part.Sql, part.Name)).ToList();
        return Respond.Html(
            SchemaSlice.Create(new SchemaModel(layout with { AlternateUrl = alternate }, heading, sections)),
            200,
            new PageTemplate("schema", "schema.html")
        );
    }
}
