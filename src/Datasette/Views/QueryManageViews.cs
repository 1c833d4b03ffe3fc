using System.Text.Json;
using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Users' own stored queries: stored, changed, deleted; by JSON and by forms.</summary>
internal static class QueryManageViews
{
    public static async Task<IResult> AnalyzeAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("store-query", database.Name);
        var sql = v.Args["sql"] ?? "";
        var (analysis, problem) = await ExecuteWriteView.TryAnalyzeAsync(v, database, sql);
        var hasSql = sql.Trim().Length > 0;
        return ExecuteWriteView.NoFrames(
            Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "unstable", IndexView.Unstable },
                    { "parameters", SqlParameters.Names(sql) },
                    { "analysis_error", problem },
                    { "analysis_rows", analysis?.ToJson(withAllowed: true) ?? [] },
                    { "has_sql", hasSql },
                    { "analysis_is_write", analysis?.IsWrite == true },
                    { "save_disabled", !hasSql || problem is not null || analysis!.IsWrite && analysis.Rows.Any(row => !row.IsAllowed) },
                }
            )
        );
    }

    public static async Task<IResult> StoreAsync(ViewContext v) =>
        ExecuteWriteView.NoFrames(
            !v.IsPost ? await StorePageAsync(v)
            : IsForm(v) ? await StoreFormAsync(v)
            : await WriteViews.AsJsonAsync(() => StoreJsonAsync(v))
        );

    public static async Task<IResult> UpdateAsync(ViewContext v) =>
        ExecuteWriteView.NoFrames(await WriteViews.AsJsonAsync(() => UpdateJsonAsync(v)));

    public static async Task<IResult> DeleteAsync(ViewContext v) =>
        ExecuteWriteView.NoFrames(
            !v.IsPost ? await DeletePageAsync(v)
            : IsForm(v) ? await DeleteFormAsync(v)
            : await WriteViews.AsJsonAsync(() => DeleteJsonAsync(v))
        );

    public static async Task<IResult> EditAsync(ViewContext v) =>
        ExecuteWriteView.NoFrames(v.IsPost ? await EditFormAsync(v) : await EditPageAsync(v));

    private static bool IsForm(ViewContext v) => v.Http.Request.HasFormContentType;

    private static async Task<Database> EnsureMayStoreAsync(ViewContext v)
    {
        var database = v.Database;
        foreach (var action in new[] { "execute-sql", "store-query" })
        {
            if (!await v.AllowedAsync(action, database.Name))
            {
                throw new DatasetteException(403, $"Permission denied: need {action}");
            }
        }
        return database;
    }

    private static async Task<IResult> StoreJsonAsync(ViewContext v)
    {
        var database = await EnsureMayStoreAsync(v);
        using var body = await RequestBody.ReadJsonAsync(v);
        if (
            body.RootElement.ValueKind != JsonValueKind.Object
            || !body.RootElement.TryGetProperty("query", out var given)
            || given.ValueKind != JsonValueKind.Object
        )
        {
            throw new DatasetteException(400, "JSON must contain a query dictionary");
        }
        var query = await StoreAsync(v, database, ForeignJson.Of(given)!.AsObject());
        return Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "unstable", IndexView.Unstable },
                { "query", query.ToJson() },
            },
            201
        );
    }

    private static async Task<StoredQuery> StoreAsync(ViewContext v, Database database, JsonObject given)
    {
        var query = StoredQueryRequest.New(given, database.Name, v.Actor?.Id);
        var schema = await database.SchemaAsync(v.Ct);
        if (schema.Relation(query.Name) is not null)
        {
            throw new DatasetteException(400, "Query name conflicts with a table or view");
        }
        if (v.App.Queries.Find(database.Name, query.Name) is not null)
        {
            throw new DatasetteException(400, "Query already exists");
        }
        query = await CheckedAsync(v, database, query);
        await v.App.Queries.SaveAsync(query, v.Ct);
        return query;
    }

    /// <summary>Reading or writing is what the SQL does, not what somebody says; and nobody stores what they may not run.</summary>
    private static async Task<StoredQuery> CheckedAsync(ViewContext v, Database database, StoredQuery query)
    {
        StoredQueryRequest.CheckParameters(query);
        var analysis = await WriteAnalysis.OfAsync(v, database, query.Sql);
        if (analysis.IsWrite)
        {
            if (!await v.AllowedAsync("execute-write-sql", database.Name))
            {
                throw new DatasetteException(403, "Permission denied: need execute-write-sql");
            }
            analysis.EnsureAllowed();
            if (query.Text("on_success_message_sql") is { } message)
            {
                _ = await StoredWriteView.MessageAnalysisAsync(v, database, message);
            }
        }
        else
        {
            SqlCheck.EnsureSelect(query.Sql);
            if (StoredQuery.WriteOptions.Any(option => !string.IsNullOrEmpty(query.Text(option))))
            {
                throw new DatasetteException(400, "Writable query fields require writable SQL");
            }
        }
        return query with { IsWrite = analysis.IsWrite };
    }

    /// <exception cref="DatasetteException">404 without the query, 403 without the right or for one of the configuration.</exception>
    private static async Task<(Database Database, StoredQuery Query)> FindAsync(ViewContext v, string action)
    {
        var database = v.Database;
        var query = v.App.Queries.Find(database.Name, v.TableName) ?? throw new DatasetteException(404, $"Query not found: {v.TableName}");
        if (!await v.AllowedAsync(action, database.Name, query.Name))
        {
            throw new DatasetteException(403, $"Permission denied: need {action}");
        }
        return query.IsTrusted
            ? throw new DatasetteException(403, "Trusted queries belong to the configuration and cannot be changed here")
            : (database, query);
    }

    private static async Task<IResult> UpdateJsonAsync(ViewContext v)
    {
        var (database, query) = await FindAsync(v, "update-query");
        using var body = await RequestBody.ReadJsonAsync(v);
        var root = body.RootElement;
        if (
            root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("update", out var update)
            || update.ValueKind != JsonValueKind.Object
        )
        {
            throw new DatasetteException(400, "JSON must contain an update dictionary");
        }
        var unknown = root.EnumerateObject().Select(p => p.Name).Where(name => name is not ("update" or "return")).ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Invalid keys: " + string.Join(", ", unknown.Order(StringComparer.Ordinal)));
        }
        var changed = await ChangeAsync(v, database, query, ForeignJson.Of(update)!.AsObject());
        var answer = new JsonMap { { "ok", true } };
        if (root.TryGetProperty("return", out var wanted) && InsertRequest.IsTrue(wanted))
        {
            answer.Add("query", changed.ToJson());
        }
        return Respond.Json(answer);
    }

    private static async Task<StoredQuery> ChangeAsync(ViewContext v, Database database, StoredQuery query, JsonObject update)
    {
        var changed = StoredQueryRequest.Changed(query, update);
        if (changed.Sql != query.Sql || StoredQuery.WriteOptions.Any(update.ContainsKey) || update.ContainsKey("parameters"))
        {
            changed = await CheckedAsync(v, database, changed);
        }
        await v.App.Queries.SaveAsync(changed, v.Ct);
        return changed;
    }

    private static async Task<IResult> DeleteJsonAsync(ViewContext v)
    {
        var (_, query) = await FindAsync(v, "delete-query");
        await v.App.Queries.DeleteAsync(query, v.Ct);
        return Respond.Json(new JsonMap { { "ok", true } });
    }

    private static async Task<IResult> DeleteFormAsync(ViewContext v)
    {
        var (database, query) = await FindAsync(v, "delete-query");
        await v.App.Queries.DeleteAsync(query, v.Ct);
        v.App.AddMessage(v.Http, $"Query \"{query.Title ?? query.Name}\" deleted");
        return Respond.RedirectTo(v.App.UrlOf(database) + "/-/queries");
    }

    private static async Task<IResult> StoreFormAsync(ViewContext v)
    {
        var database = await EnsureMayStoreAsync(v);
        var form = await RequestBody.ReadFormAsync(v);
        try
        {
            var query = await StoreAsync(v, database, StoredQueryRequest.OfForm(form, isNew: true));
            v.App.AddMessage(v.Http, $"Query \"{query.Title ?? query.Name}\" saved");
            return Respond.RedirectTo(v.App.UrlOf(database, query.Name));
        }
        catch (DatasetteException e) when (e.Status == 400)
        {
            return await FormPageAsync(v, database, "Create query", "/-/queries/store", form, e.Errors, isNew: true, 400);
        }
    }

    private static async Task<IResult> StorePageAsync(ViewContext v)
    {
        var database = await EnsureMayStoreAsync(v);
        return await FormPageAsync(v, database, "Create query", "/-/queries/store", v.Args, [], isNew: true);
    }

    private static async Task<IResult> EditFormAsync(ViewContext v)
    {
        var (database, query) = await FindAsync(v, "update-query");
        var form = await RequestBody.ReadFormAsync(v);
        try
        {
            var changed = await ChangeAsync(v, database, query, StoredQueryRequest.OfForm(form, isNew: false));
            v.App.AddMessage(v.Http, $"Query \"{changed.Title ?? changed.Name}\" updated");
            return Respond.RedirectTo(v.App.UrlOf(database, changed.Name));
        }
        catch (DatasetteException e) when (e.Status == 400)
        {
            return await FormPageAsync(
                v,
                database,
                "Edit query",
                $"/{TildeEncoding.Encode(query.Name)}/-/edit",
                form,
                e.Errors,
                false,
                400
            );
        }
    }

    private static async Task<IResult> EditPageAsync(ViewContext v)
    {
        var (database, query) = await FindAsync(v, "update-query");
        var now = QueryArgs.FromPairs([
            new("sql", query.Sql),
            new("title", query.Title ?? ""),
            new("description", query.Description ?? ""),
            new("is_private", query.IsPrivate ? "1" : ""),
            .. StoredQuery.WriteOptions.Select(option => KeyValuePair.Create(option, query.Text(option) ?? "")),
        ]);
        return await FormPageAsync(v, database, "Edit query", $"/{TildeEncoding.Encode(query.Name)}/-/edit", now, [], isNew: false);
    }

    private static async Task<IResult> FormPageAsync(
        ViewContext v,
        Database database,
        string title,
        string path,
        QueryArgs values,
        IReadOnlyList<string> errors,
        bool isNew,
        int status = 200
    )
    {
        var fields = new List<ToolField>();
        if (isNew)
        {
            fields.Add(new("name", "text", "Name, as in its address", values["name"] ?? ""));
        }
        fields.Add(new("title", "text", "Title", values["title"] ?? ""));
        fields.Add(new("description", "text", "Description", values["description"] ?? ""));
        fields.Add(new("sql", "textarea", "SQL", values["sql"] ?? ""));
        fields.Add(
            new("is_private", "checkbox", "Private: only you see it")
            {
                IsChecked = isNew && !values.Has("sql") || values.Flag("is_private"),
            }
        );
        fields.AddRange(
            StoredQuery.WriteOptions.Select(option => new ToolField(
                option,
                "text",
                option.Replace('_', ' ') + " (writing queries only)",
                values[option] ?? ""
            ))
        );
        var layout = await v.App.LayoutAsync(v.Http, $"{database.Name}: {title}", "query-form", await Crumbs.OfAsync(v, database));
        var page = new ToolModel(layout, title)
        {
            Errors = errors,
            Forms = [new("post", v.App.UrlOf(database) + path, "Save query", [new(null, fields)])],
        };
        return Respond.Html(ToolPage.Create(page), status);
    }

    private static async Task<IResult> DeletePageAsync(ViewContext v)
    {
        var (database, query) = await FindAsync(v, "delete-query");
        var layout = await v.App.LayoutAsync(v.Http, $"{database.Name}: Delete query", "query-delete", await Crumbs.OfAsync(v, database));
        var page = new ToolModel(layout, "Delete query")
        {
            Intro = [$"The stored query \"{query.Title ?? query.Name}\" will be gone for everyone."],
            Output = query.Sql,
            Forms = [new("post", v.App.UrlOf(database, query.Name) + "/-/delete", "Delete query", []) { Class = "query-delete-form" }],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }
}
