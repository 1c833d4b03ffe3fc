using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>The write interface. All answers are JSON, whatever the path ends in.</summary>
internal static class WriteViews
{
    public static Task<IResult> InsertAsync(ViewContext v) => AsJsonAsync(() => InsertRowsAsync(v));

    private static async Task<IResult> InsertRowsAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        var table = schema.Relation(v.TableName) switch
        {
            TableSchema found => found,
            ViewSchema view => throw new DatasetteException(404, $"Table not found: {view.Name}"),
            _ => throw new DatasetteException(404, "Table not found"),
        };
        await EnsureAsync(v, "insert-row", database, table, "Permission denied");
        if (!database.IsMutable)
        {
            throw new DatasetteException(403, "Database is immutable");
        }
        using var body = await RequestBody.ReadJsonAsync(v);
        var request = InsertRequest.Parse(body.RootElement, table, v.App.Settings.MaxInsertRows);
        if (request.Alter)
        {
            await EnsureAsync(v, "alter-table", database, table, "Permission denied for alter-table");
        }
        if (request.Replace)
        {
            await EnsureAsync(v, "update-row", database, table, "Permission denied: need update-row to use \"replace\"");
        }
        var (columns, rows) = await database.WriteAsync(connection => new RowInserter(connection, table, request).Run(), v.Ct);
        await v.App.Hooks.TrackEventAsync(
            v.App,
            new DatasetteEvent("insert-rows", v.Actor, database.Name, table.Name, request.Rows.Count),
            v.Ct
        );
        var answer = new JsonMap { { "ok", true } };
        if (request.Return)
        {
            answer.Add("rows", new JsonRows(columns, rows));
        }
        return Respond.Json(answer, 201);
    }

    private static async ValueTask EnsureAsync(ViewContext v, string action, Database database, TableSchema table, string message)
    {
        if (!await v.AllowedAsync(action, database.Name, table.Name))
        {
            throw new DatasetteException(403, message);
        }
    }

    private static async Task<IResult> AsJsonAsync(Func<Task<IResult>> write)
    {
        try
        {
            return await write();
        }
        catch (DatasetteException e)
        {
            return ErrorResponse.Json(e.Status, e.Errors);
        }
        catch (SqliteException e)
        {
            return ErrorResponse.Json(400, SqlErrors.Message(e));
        }
    }
}
