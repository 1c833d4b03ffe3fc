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

    public static async Task<IResult> ShowAsync(ViewContext v) => NoFrames(v.IsPost ? await PostAsync(v) : await PageAsync(v, null, null));

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
        var reason =
            !database.IsMutable ? "Database is immutable"
            : sql.Trim().Length == 0 ? "SQL is required"
            : problem
                ?? (
                    !analysis!.IsWrite ? "Use /-/query for read-only SQL; this endpoint only executes writes"
                    : analysis.Rows.All(row => row.IsAllowed) ? null
                    : "You do not have all the permissions this SQL needs"
                );
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

    private static async Task<IResult> PostAsync(ViewContext v)
    {
        var isJson = v.Http.Request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) == true;
        try
        {
            var (database, sql, outcome, analysis) = await RunAsync(v, isJson);
            return isJson ? Json(outcome, analysis) : await PageAsync(v, sql, outcome.Message);
        }
        catch (Exception e) when (isJson && e is DatasetteException or SqliteException)
        {
            return e is DatasetteException known
                ? ErrorResponse.Json(known.Status, known.Errors)
                : ErrorResponse.Json(400, SqlErrors.Message((SqliteException)e));
        }
    }

    private static async Task<(Database Database, string Sql, WriteOutcome Outcome, WriteAnalysis Analysis)> RunAsync(
        ViewContext v,
        bool isJson
    )
    {
        var database = v.Database;
        if (!await v.AllowedAsync("execute-write-sql", database.Name))
        {
            throw new DatasetteException(403, "Permission denied: need execute-write-sql");
        }
        WriteViews.EnsureMutable(database);
        var (sql, given) = isJson ? await ReadJsonAsync(v) : await ReadFormAsync(v);
        if (string.IsNullOrWhiteSpace(sql))
        {
            throw new DatasetteException(400, "SQL is required");
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
        var outcome = await DurableWrites.WriteAsync(
            v,
            database,
            connection => guard.Run(connection, () => SqlWriter.Run(connection, sql, given)),
            WriteTurn.Alone
        );
        return (database, sql, outcome, analysis);
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

    private static async Task<IResult> PageAsync(ViewContext v, string? sql, string? result)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("execute-write-sql", database.Name);
        sql ??= v.Args["sql"] ?? "";
        var (analysis, problem) = await TryAnalyzeAsync(v, database, sql);
        var layout = await v.App.LayoutAsync(
            v.Http,
            "Write to this database",
            $"execute-write db-{TildeEncoding.CssClass(database.Name)}",
            await Crumbs.OfAsync(v, database)
        );
        var fields = new List<ToolField> { new("sql", "textarea", "SQL", sql) };
        fields.AddRange(SqlParameters.Names(sql).Select(name => new ToolField(ParameterPrefix + name, "text", name)));
        var page = new ToolModel(layout, "Write to this database")
        {
            Intro = database.IsMutable
                ? ["Runs one statement that writes, in one transaction."]
                : ["This database is immutable: nothing can be written."],
            Errors = problem is null ? [] : [problem],
            Result = result,
            Forms = [new("post", v.App.UrlOf(database) + "/-/execute-write", "Execute", [new(null, fields)])],
            TablesHeading = "Query operations",
            Tables =
            [
                new(
                    "analysis-table",
                    ["Operation", "Table", "Needed", "Allowed"],
                    (analysis?.Rows ?? [])
                        .Select(row =>
                            (IReadOnlyList<string>)
                                [row.Access.Operation, row.Access.Table ?? "", row.Required ?? "", row.IsAllowed ? "yes" : "no"]
                        )
                        .ToList()
                ),
            ],
        };
        return Respond.Html(ToolPage.Create(page), 200);
    }
}
