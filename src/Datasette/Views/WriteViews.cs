using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>The write interface. All answers are JSON, whatever the path ends in.</summary>
internal static class WriteViews
{
    public static Task<IResult> InsertAsync(ViewContext v) => AsJsonAsync(() => InsertRowsAsync(v, isUpsert: false));

    public static Task<IResult> UpsertAsync(ViewContext v) => AsJsonAsync(() => InsertRowsAsync(v, isUpsert: true));

    private static async Task<IResult> InsertRowsAsync(ViewContext v, bool isUpsert)
    {
        var (database, table) = await TableAsync(v);
        if (isUpsert)
        {
            const string both = "Permission denied: need both insert-row and update-row";
            await EnsureAsync(v, "insert-row", database, table, both);
            await EnsureAsync(v, "update-row", database, table, both);
        }
        else
        {
            await EnsureAsync(v, "insert-row", database, table, "Permission denied");
        }
        EnsureMutable(database);
        using var body = await RequestBody.ReadJsonAsync(v);
        var request = InsertRequest.Parse(body.RootElement, table, v.App.Settings.MaxInsertRows, isUpsert);
        if (isUpsert && (request.Ignore || request.Replace))
        {
            throw new DatasetteException(400, "Upsert does not support ignore or replace");
        }
        if (request.Replace)
        {
            await EnsureAsync(v, "update-row", database, table, "Permission denied: need update-row to use \"replace\"");
        }
        if (request.Alter)
        {
            await EnsureAsync(v, "alter-table", database, table, "Permission denied for alter-table");
        }
        ColumnTypes.Check(v, database.Name, table.Name, request.Rows);
        var (columns, rows) = await DurableWrites.WriteAsync(
            v,
            database,
            connection => isUpsert ? new RowUpserter(connection, table, request).Run() : new RowInserter(connection, table, request).Run(),
            request.Alter ? WriteTurn.Alone : WriteTurn.Grouped
        );
        await v.App.Hooks.TrackEventAsync(
            v.App,
            new DatasetteEvent(isUpsert ? "upsert-rows" : "insert-rows", v.Actor, database.Name, table.Name, request.Rows.Count),
            v.Ct
        );
        var answer = new JsonMap { { "ok", true } };
        if (request.Return)
        {
            answer.Add("rows", new JsonRows(columns, rows));
        }
        return Respond.Json(answer, isUpsert ? 200 : 201);
    }

    /// <summary>The table of the address, for a write: views are no tables.</summary>
    /// <exception cref="DatasetteException">404.</exception>
    public static async Task<(Database Database, TableSchema Table)> TableAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        return schema.Relation(v.TableName) switch
        {
            TableSchema found => (database, found),
            ViewSchema view => throw new DatasetteException(404, $"Table not found: {view.Name}"),
            _ => throw new DatasetteException(404, "Table not found"),
        };
    }

    /// <exception cref="DatasetteException">403.</exception>
    public static void EnsureMutable(Database database)
    {
        if (!database.IsMutable)
        {
            throw new DatasetteException(403, "Database is immutable");
        }
    }

    /// <exception cref="DatasetteException">403 with this message.</exception>
    public static async ValueTask EnsureAsync(ViewContext v, string action, Database database, TableSchema table, string message)
    {
        if (!await v.AllowedAsync(action, database.Name, table.Name))
        {
            throw new DatasetteException(403, message);
        }
    }

    /// <summary>Every failure of a write is JSON.</summary>
    public static async Task<IResult> AsJsonAsync(Func<Task<IResult>> write)
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
