using System.Text.Json;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>Writing SQL by hand: a page, what the SQL would do, and doing it.</summary>
internal static class ExecuteWriteView
{
    private const string ParameterPrefix = "_sql_param_";
    private const string Required = "SQL is required";

    public static async Task<IResult> ShowAsync(ViewContext v) => NoFrames(v.IsPost ? await PostAsync(v) : await GetAsync(v));

    /// <summary>Nobody may show these pages inside theirs and have a visitor click unseen.</summary>
    public static IResult NoFrames(IResult answer) =>
        answer is Response response
            ? response.With("Content-Security-Policy", "frame-ancestors 'none'").With("X-Frame-Options", "DENY")
            : answer;

    public static async Task<IResult> AnalyzeAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("execute-write-sql", database.Name);
        var sql = v.Args["sql"] ?? "";
        var (analysis, problem) = await TryAnalyzeAsync(v, database, sql);
        var reason = DisabledReason(database, sql, analysis, problem);
        return NoFrames(
            Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "unstable", IndexView.Unstable },
                    { "parameters", SqlParameters.Names(sql) },
                    { "analysis_error", problem },
                    { "analysis_rows", analysis?.ToJson(withAllowed: true) ?? [] },
                    { "execute_disabled", reason is not null },
                    { "execute_disabled_reason", reason },
                }
            )
        );
    }

    /// <summary>The analysis, or why there is none.</summary>
    public static async Task<(WriteAnalysis? Analysis, string? Problem)> TryAnalyzeAsync(ViewContext v, Database database, string sql)
    {
        if (string.IsNullOrWhiteSpace(sql))
        {
            return (null, null);
        }
        try
        {
            return (await WriteAnalysis.OfAsync(v, database, sql), null);
        }
        catch (DatasetteException e)
        {
            return (null, e.Message);
        }
    }

    /// <summary>Why a statement cannot be run by this visitor; null when it can.</summary>
    private static string? DisabledReason(Database database, string sql, WriteAnalysis? analysis, string? problem) =>
        !database.IsMutable ? "Database is immutable"
        : string.IsNullOrWhiteSpace(sql) ? Required
        : problem
            ?? (
                !analysis!.IsWrite ? "Use /-/query for read-only SQL; this endpoint only executes writes"
                : analysis.Rows.All(row => row.IsAllowed) ? null
                : "You do not have all the permissions this SQL needs"
            );

    private static async Task<IResult> PostAsync(ViewContext v)
    {
        var isJson = v.Http.Request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) == true;
        var database = v.Database;
        if (!isJson)
        {
            return await PostFormAsync(v, database);
        }
        try
        {
            await EnsureAsync(v, database);
            var (sql, given) = await ReadJsonAsync(v);
            var (outcome, analysis) = await RunAsync(v, database, sql, given);
            return Json(outcome, analysis);
        }
        catch (Exception e) when (e is DatasetteException or SqliteException)
        {
            return e is DatasetteException known
                ? ErrorResponse.Json(known.Status, known.Errors)
                : ErrorResponse.Json(400, SqlErrors.Message((SqliteException)e));
        }
    }

    /// <summary>The page again, with what was done or what is wrong, and with all that was typed.</summary>
    private static async Task<IResult> PostFormAsync(ViewContext v, Database database)
    {
        await EnsureAsync(v, database);
        var (sql, given) = await ReadFormAsync(v);
        string Value(string name) => given.GetValueOrDefault(name) as string ?? "";
        try
        {
            var (outcome, analysis) = await RunAsync(v, database, sql, given);
            return await PageAsync(v, sql, Value, (analysis, null), outcome, null, 200);
        }
        catch (Exception e) when (e is DatasetteException or SqliteException)
        {
            var (status, message) = e is DatasetteException known
                ? (known.Status, known.Message)
                : (400, SqlErrors.Message((SqliteException)e));
            return await PageAsync(v, sql, Value, await TryAnalyzeAsync(v, database, sql), null, message, status);
        }
    }

    private static async Task EnsureAsync(ViewContext v, Database database)
    {
        if (!await v.AllowedAsync("execute-write-sql", database.Name))
        {
            throw new DatasetteException(403, "Permission denied: need execute-write-sql");
        }
        WriteViews.EnsureMutable(database);
    }

    private static async Task<(WriteOutcome Outcome, WriteAnalysis Analysis)> RunAsync(
        ViewContext v,
        Database database,
        string sql,
        Dictionary<string, object?> given
    )
    {
        if (string.IsNullOrWhiteSpace(sql))
        {
            throw new DatasetteException(400, Required);
        }
        var names = SqlParameters.Names(sql);
        if (names.Any(MagicParameters.IsMagic))
        {
            throw new DatasetteException(400, "Magic parameters are not allowed");
        }
        var analysis = await WriteAnalysis.OfAsync(v, database, sql);
        var unknown = given.Keys.Where(name => !names.Contains(name)).Order(StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Unknown parameters: " + string.Join(", ", unknown));
        }
        if (!analysis.IsWrite)
        {
            throw new DatasetteException(400, "Use /-/query for read-only SQL; this endpoint only executes writes");
        }
        analysis.EnsureAllowed();
        var guard = await analysis.GuardAsync(v);
        var filled =
            analysis.InsertedInto is { } name && await v.AllowedAsync("view-table", database.Name, name)
                ? (await database.SchemaAsync(v.Ct)).Table(name)
                : null;
        var outcome = await DurableWrites.WriteAsync(
            v,
            database,
            connection =>
            {
                var done = guard.Run(connection, () => SqlWriter.Run(connection, sql, given));
                return done.RowCount == 1 && filled is not null
                    ? done with
                    {
                        InsertedRow = SqlWriter.InsertedRow(connection, filled),
                    }
                    : done;
            },
            WriteTurn.Alone
        );
        return (outcome, analysis);
    }

    private static async Task<(string Sql, Dictionary<string, object?> Parameters)> ReadJsonAsync(ViewContext v)
    {
        using var body = await RequestBody.ReadJsonAsync(v);
        var root = body.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new DatasetteException(400, "JSON must be a dictionary");
        }
        var unknown = root.EnumerateObject().Select(p => p.Name).Where(name => name is not ("sql" or "params")).Distinct().ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Invalid keys: " + string.Join(", ", unknown.Order(StringComparer.Ordinal)));
        }
        var sql = root.TryGetProperty("sql", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "";
        var parameters = new Dictionary<string, object?>(StringComparer.Ordinal);
        if (root.TryGetProperty("params", out var given) && given.ValueKind != JsonValueKind.Null)
        {
            if (given.ValueKind != JsonValueKind.Object)
            {
                throw new DatasetteException(400, "params must be a dictionary");
            }
            foreach (var pair in given.EnumerateObject())
            {
                parameters[pair.Name] = CellValues.Of(pair.Value);
            }
        }
        return (sql, parameters);
    }

    private static async Task<(string Sql, Dictionary<string, object?> Parameters)> ReadFormAsync(ViewContext v)
    {
        var form = await RequestBody.ReadFormAsync(v);
        var sql = form["sql"] ?? "";
        var parameters = SqlParameters
            .Names(sql)
            .ToDictionary(name => name, name => (object?)(form[ParameterPrefix + name] ?? form[name] ?? ""));
        return (sql, parameters);
    }

    private static Response Json(WriteOutcome outcome, WriteAnalysis analysis) =>
        Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "message", outcome.Message },
                { "rowcount", outcome.RowCount },
                { "rows", new JsonRows(outcome.Columns, outcome.Rows) },
                { "truncated", outcome.IsTruncated },
                { "analysis", analysis.ToJson(withAllowed: false) },
            }
        );

    private static async Task<IResult> GetAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("execute-write-sql", database.Name);
        var table =
            v.Args["table"] is { } name && await v.AllowedAsync("view-table", database.Name, name)
                ? (await database.SchemaAsync(v.Ct)).Table(name)
                : null;
        var sql = SqlTemplates.Sql(v.Args["template"], table) ?? v.Args["sql"] ?? "";
        string Value(string name) => v.Args[ParameterPrefix + name] ?? v.Args[name] ?? "";
        return await PageAsync(v, sql, Value, await TryAnalyzeAsync(v, database, sql), null, null, 200);
    }

    private static async Task<IResult> PageAsync(
        ViewContext v,
        string sql,
        Func<string, string> valueOf,
        (WriteAnalysis? Analysis, string? Problem) found,
        WriteOutcome? outcome,
        string? error,
        int status
    )
    {
        var database = v.Database;
        const string Heading = "Write to this database";
        var layout = await v.App.LayoutAsync(
            v.Http,
            Heading,
            $"execute-write db-{TildeEncoding.CssClass(database.Name)}",
            await Crumbs.OfAsync(v, database)
        );
        var script = new ExtraAsset(v.App.UrlPath(StaticFiles.Href("write.js")), IsModule: true);
        var reason = outcome is null ? DisabledReason(database, sql, found.Analysis, found.Problem) : null;
        var page = new WriteSqlModel
        {
            Layout = layout with { ExtraScripts = [script, .. layout.ExtraScripts] },
            Heading = Heading,
            Color = database.Color,
            Action = v.App.UrlOf(database) + "/-/execute-write",
            Sql = sql,
            Parameters = SqlParameters.Names(sql).Select(name => new ParameterModel(name, valueOf(name))).ToList(),
            Operations = (found.Analysis?.Rows ?? [])
                .Select(row => new OperationModel(
                    row.Access.Operation,
                    row.Access.Table ?? "",
                    row.Access.Source,
                    row.Required ?? "",
                    row.IsAllowed
                ))
                .ToList(),
            Templates = database.IsMutable ? await SqlTemplates.OfAsync(v, database, await database.SchemaAsync(v.Ct)) : null,
            DisabledReason = reason,
            // Without a script an empty editor must be able to be sent when it is not empty any more.
            IsDisabled = reason is not null && reason != Required,
            Error = error,
            Result = outcome?.Message,
            RowHref = outcome?.InsertedRow is { } key ? $"{v.App.UrlOf(database, found.Analysis!.InsertedInto!)}/{key}" : null,
            Rows = outcome is { Rows.Count: > 0 }
                ? QueryPageBuilder.Rows(v, database, outcome.Columns, outcome.Rows, hasBlobs: false)
                : null,
            IsTruncated = outcome?.IsTruncated == true,
        };
        return Respond.Html(WriteSql.Create(page), status);
    }
}
