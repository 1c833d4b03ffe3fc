using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>SQL by hand and stored queries: page, JSON, CSV, or the bytes of a cell.</summary>
internal static class QueryView
{
    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        await v.EnsureAllowedAsync("execute-sql", database.Name);
        EnsureFormat(v);
        var sql = v.Args["sql"];
        if (string.IsNullOrWhiteSpace(sql))
        {
            if (v.Format is not null)
            {
                throw new DatasetteException(400, "?sql= is required");
            }
            return await new QueryPageBuilder(v, database, null, "", []).MakeAsync(null, null);
        }
        try
        {
            SqlCheck.EnsureSelect(sql);
        }
        catch (DatasetteException e) when (v.Format is null)
        {
            var address = v.App.UrlOf(database);
            var hint = new ErrorHint(null, [new($"All tables of {database.Name}", address)])
            {
                Sql = sql,
                SqlAction = address + "/-/query",
            };
            return await ErrorResponse.PageAsync(v.App, v.Http, e.Status, e.Message, "Invalid SQL", hint);
        }
        VisitorSql.Begin();
        await AttachedRights.EnsureAsync(v, database, sql);
        var names = SqlParameters.Names(sql);
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            // A name that begins with an underscore belongs to stored queries: nobody gives it a value here.
            if (v.Args[name] is { } given)
            {
                values[name] = given;
            }
            else if (!MagicParameters.IsMagic(name))
            {
                values[name] = "";
            }
        }
        return await AnswerAsync(v, database, null, sql, names, values);
    }

    public static async Task<IResult> StoredAsync(ViewContext v, Database database, StoredQuery query)
    {
        if (!await v.AllowedAsync("view-query", database.Name, query.Name))
        {
            throw new DatasetteException(403, "You do not have permission to view this query");
        }
        EnsureFormat(v);
        if (v.IsPost)
        {
            return await StoredWriteView.PostAsync(v, database, query);
        }
        if (!query.IsTrusted && !query.IsWrite)
        {
            await v.EnsureAllowedAsync("execute-sql", database.Name);
            VisitorSql.Begin();
            await AttachedRights.EnsureAsync(v, database, query.Sql);
        }
        var names = query.Parameters.Count > 0 ? query.Parameters : SqlParameters.Names(query.Sql);
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var name in names.Concat(SqlParameters.Names(query.Sql)).Distinct())
        {
            // What writes is not run by looking at it, and so needs no values.
            values[name] = MagicParameters.IsMagic(name) && !query.IsWrite ? await MagicParameters.ValueAsync(v, name) : v.Args[name] ?? "";
        }
        var answer = await AnswerAsync(v, database, query, query.Sql, names.Where(name => !MagicParameters.IsMagic(name)).ToList(), values);
        return answer is Response response ? PageHeaders.Cached(v, response) : answer;
    }

    /// <summary>The parameters of SQL while it is typed.</summary>
    public static async Task<IResult> ParametersAsync(ViewContext v)
    {
        await v.EnsureAllowedAsync("execute-sql", v.Database.Name);
        var unknown = v.Args.Pairs.Select(pair => pair.Key).Where(key => key != "sql").Distinct().Order(StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
        {
            return ErrorResponse.Json(400, "Invalid keys: " + string.Join(", ", unknown));
        }
        var names = SqlParameters.Names(v.Args["sql"] ?? "");
        if (names.Any(MagicParameters.IsMagic))
        {
            return ErrorResponse.Json(400, "Magic parameters are not allowed");
        }
        return NoFrames(
            Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "unstable", IndexView.Unstable },
                    { "parameters", names },
                }
            )
        );
    }

    /// <summary>What a stored query is made of.</summary>
    public static async Task<IResult> DefinitionAsync(ViewContext v)
    {
        var database = v.Database;
        if (StoredQueries.Find(v.App, database.Name, v.TableName) is not { } query)
        {
            return ErrorResponse.Json(404, $"Query not found: {v.TableName}");
        }
        if (!await v.AllowedAsync("view-query", database.Name, query.Name))
        {
            return ErrorResponse.Json(403, "You do not have permission to view this query");
        }
        return NoFrames(
            Respond.Json(
                new JsonMap
                {
                    { "ok", true },
                    { "unstable", IndexView.Unstable },
                    { "query", query.ToJson() },
                }
            )
        );
    }

    private static Response NoFrames(Response answer) => (Response)ExecuteWriteView.NoFrames(answer);

    private static void EnsureFormat(ViewContext v) => Formats.Ensure(v, "json", "csv", "blob");

    private static async Task<IResult> AnswerAsync(
        ViewContext v,
        Database database,
        StoredQuery? stored,
        string sql,
        IReadOnlyList<string> names,
        Dictionary<string, object?> values
    )
    {
        QueryResults? results = null;
        string? error = null;
        int? place = null;
        if (stored?.IsWrite == true)
        {
            return v.Format switch
            {
                "json" => await JsonAsync(v, database, stored, sql, values, new([], [], false, TimeSpan.Zero), null),
                null => await new QueryPageBuilder(v, database, stored, sql, names).MakeAsync(null, null),
                _ => throw new DatasetteException(400, "A query that writes gives no rows; send it as a form or as JSON"),
            };
        }
        try
        {
            results = await database.ExecuteAsync(sql, values, v.App.Settings.MaxReturnedRows, TableData.TimeLimit(v), v.Ct);
        }
        catch (SqliteException e)
        {
            error = SqlErrors.Message(e);
            place = SqlErrors.Place(e);
            ViewLog.SqlFailed(v, database.Name, error);
        }
        catch (QueryInterruptedException e)
        {
            ViewLog.SqlFailed(v, database.Name, e.Message);
            error = "SQL query took too long. The time limit is controlled by the sql_time_limit_ms setting.";
        }
        switch (v.Format)
        {
            case "json":
                return await JsonAsync(v, database, stored, sql, values, results, error);
            case null:
                return await new QueryPageBuilder(v, database, stored, sql, names).MakeAsync(results, error, place);
            case not ("csv" or "blob"):
                return await Formats.AnswerAsync(v, Formats.Of(v, database, stored, sql, results, error));
        }
        if (results is null)
        {
            throw new DatasetteException(400, error!);
        }
        return v.Format == "csv"
            ? TableCsv.Query(v, database, results.Columns, results.Rows, stored is null ? v.DatabaseSegment : v.TableSegment)
            : Blob(v, results);
    }

    private static async Task<Response> JsonAsync(
        ViewContext v,
        Database database,
        StoredQuery? stored,
        string sql,
        Dictionary<string, object?> values,
        QueryResults? results,
        string? error
    )
    {
        if (results is null)
        {
            return ErrorResponse.Json(400, [error!], new JsonMap { { "rows", Array.Empty<object>() }, { "truncated", false } });
        }
        var tail = new JsonMap();
        if (!DataShapes.HasNoFrame(v.Args))
        {
            await Available(v, database, stored, sql, values, results).FillAsync(v, tail);
        }
        tail.Add("truncated", results.Truncated);
        return DataShapes.Render(v.Args, new(results.Columns, results.Rows) { Tail = tail });
    }

    private static Extras Available(
        ViewContext v,
        Database database,
        StoredQuery? stored,
        string sql,
        Dictionary<string, object?> values,
        QueryResults results
    )
    {
        var extras = new Extras();
        extras.Add("columns", "Columns of the result", () => results.Columns);
        extras.Add(
            "render_cell",
            "HTML of cells that a plugin renders",
            () => Extras.RenderedCells(v, database.Name, null, results.Columns, results.Rows)
        );
        extras.Add("debug", "How the address was understood", () => new JsonMap { { "url_vars", Extras.UrlVars(v) } });
        extras.Add("request", "The request as the server saw it", () => Extras.RequestJson(v));
        extras.Add(
            "query",
            "The SQL and its parameters",
            () =>
                new JsonMap
                {
                    { "sql", sql },
                    { "params", Extras.ParametersJson(values.Where(pair => !MagicParameters.IsMagic(pair.Key)).ToDictionary()) },
                }
        );
        extras.Add(
            "metadata",
            "What is known of the query, or of the database",
            () => stored is null ? Metadata.Database(v.App, database.Name).ToJson() : stored.ToJson(withSource: false)
        );
        extras.Add("database", "Name of the database", () => database.Name);
        extras.Add("database_color", "Colour of the database", () => database.Color);
        extras.Add(
            "private",
            "Whether anonymous visitors do not see it",
            async () =>
                stored is null
                    ? await v.IsPrivateAsync("execute-sql", database.Name)
                    : await v.IsPrivateAsync("view-query", database.Name, stored.Name)
        );
        return extras;
    }

    /// <summary>The first row, or the one whose bytes have the given hash.</summary>
    private static Response Blob(ViewContext v, QueryResults results)
    {
        var column = v.Args["_blob_column"] ?? throw new DatasetteException(400, "?_blob_column= is required");
        var index = results.Columns.IndexOf(column);
        if (index < 0)
        {
            throw new DatasetteException(400, $"{column} is not a valid column");
        }
        var hash = v.Args["_blob_hash"];
        var found = results.Rows.FirstOrDefault(row => hash is null || Cells.Hash(Blobs.Bytes(row[index])) == hash);
        if (found is null)
        {
            throw new DatasetteException(400, "Link has expired - the requested binary content has changed or could not be found.");
        }
        return Blobs.Answer(Blobs.Bytes(found[index]), TildeEncoding.CssClass(column) + (hash is null ? "" : "-" + hash[..6]));
    }
}
