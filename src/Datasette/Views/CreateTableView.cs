using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>Makes a table from columns, or from rows whose values say what it needs; adds the rows to one that is there.</summary>
internal static class CreateTableView
{
    public static Task<IResult> PostAsync(ViewContext v) => WriteViews.AsJsonAsync(() => CreateAsync(v));

    private static async Task<IResult> CreateAsync(ViewContext v)
    {
        var database = v.Database;
        await EnsureAsync(v, "create-table", database, null, "Permission denied");
        WriteViews.EnsureMutable(database);
        using var body = await RequestBody.ReadJsonAsync(v);
        var wishes = CreateTableRequest.Wishes(body.RootElement);
        var name = body.RootElement.GetProperty("table").GetString()!;
        if (wishes.Replace)
        {
            await EnsureAsync(v, "update-row", database, name, "Permission denied: need update-row");
        }
        if (wishes.HasRows)
        {
            await EnsureAsync(v, "insert-row", database, name, "Permission denied: need insert-row");
        }
        var schema = await database.SchemaAsync(v.Ct);
        var existing = schema.Table(name);
        if (existing is not null && wishes is { HasRows: true, Alter: true })
        {
            await EnsureAsync(v, "alter-table", database, name, "Permission denied: need alter-table");
        }
        var request = CreateTableRequest.Parse(body.RootElement);
        if (existing is not null && ChangesKey(request, existing))
        {
            throw new DatasetteException(400, "pk cannot be changed for existing table");
        }
        var columns = existing is null ? Columns(request, schema) : [];
        var sql = await DurableWrites.WriteAsync(v, database, connection => Run(connection, request, existing, columns), WriteTurn.Alone);
        await TrackAsync(v, database, request, existing is not null);
        return Respond.Json(Answer(v, database, request, sql), 201);
    }

    private static async Task TrackAsync(ViewContext v, Database database, CreateTableRequest request, bool isThere)
    {
        if (!isThere)
        {
            await v.App.Hooks.TrackEventAsync(v.App, new DatasetteEvent("create-table", v.Actor, database.Name, request.Table), v.Ct);
        }
        if (request.HasRows)
        {
            var happened = new DatasetteEvent("insert-rows", v.Actor, database.Name, request.Table, request.Rows.Count);
            await v.App.Hooks.TrackEventAsync(v.App, happened, v.Ct);
        }
    }

    private static JsonMap Answer(ViewContext v, Database database, CreateTableRequest request, string sql)
    {
        var path = v.App.UrlOf(database, request.Table);
        var map = new JsonMap
        {
            { "ok", true },
            { "database", database.Name },
            { "table", request.Table },
            { "table_url", v.Absolute(path) },
            { "table_api_url", v.Absolute(path + ".json") },
            { "schema", sql },
        };
        if (request.HasRows)
        {
            map.Add("row_count", request.Rows.Count);
        }
        return map;
    }

    private static async ValueTask EnsureAsync(ViewContext v, string action, Database database, string? table, string message)
    {
        if (!await v.AllowedAsync(action, database.Name, table))
        {
            throw new DatasetteException(403, message);
        }
    }

    private static bool ChangesKey(CreateTableRequest request, TableSchema existing) =>
        existing.PrimaryKeys.Count switch
        {
            1 => request is { IsPkText: true, Pks: [var pk] } && pk != existing.PrimaryKeys[0],
            > 1 => request is { IsPkText: false, Pks.Count: > 0 } && !request.Pks.ToHashSet().SetEquals(existing.PrimaryKeys),
            _ => false,
        };

    private static List<NewColumn> Columns(CreateTableRequest request, DatabaseSchema schema)
    {
        var columns = request.HasRows
            ? FromRows(request.Rows)
            : request.Columns.Select(column => WithKeyOf(column, request, schema)).ToList();
        // A key that is no column yet becomes the first.
        foreach (var pk in request.Pks.Where(pk => columns.All(column => column.Name != pk)).Reverse().ToList())
        {
            columns.Insert(0, new(pk, "INTEGER"));
        }
        return columns;
    }

    private static List<NewColumn> FromRows(IReadOnlyList<IReadOnlyList<KeyValuePair<string, object?>>> rows) =>
        rows.SelectMany(row => row)
            .GroupBy(pair => pair.Key, StringComparer.OrdinalIgnoreCase)
            .Select(values => new NewColumn(values.First().Key, RowInserter.TypeOf(values.Select(pair => pair.Value))))
            .ToList();

    /// <summary>A foreign key without a column means the other table's only key.</summary>
    public static NewColumn WithKeyOf(NewColumn column, CreateTableRequest? request, DatabaseSchema schema)
    {
        if (column.ForeignTable is not { } other || column.ForeignColumn is not null)
        {
            return column;
        }
        var keys = request?.Table == other ? request.Pks : schema.Table(other)?.PrimaryKeys ?? [];
        return keys is [var key]
            ? column with
            {
                ForeignColumn = key,
            }
            : throw new DatasetteException(400, $"Could not detect single primary key for table '{other}'");
    }

    private static string Run(SqliteConnection connection, CreateTableRequest request, TableSchema? existing, List<NewColumn> columns)
    {
        if (existing is null)
        {
            SqlStatement.Execute(connection, ColumnSql.CreateTable(request.Table, columns, request.Pks));
        }
        else if (!request.HasRows)
        {
            throw new SqliteException($"table {SqlText.QuoteAlways(request.Table)} already exists", 1);
        }
        if (request.HasRows)
        {
            var table =
                existing
                ?? new TableSchema
                {
                    Name = request.Table,
                    Columns = [.. columns.Select(column => new ColumnInfo(column.Name, column.Type, false, null, 0, 0))],
                    Definition = [],
                    PrimaryKeys = request.Pks,
                };
            var insert = new InsertRequest(request.Rows, false, request.Ignore, request.Replace, request.Alter);
            new RowInserter(connection, table, insert).Run();
        }
        return (string)
            SqlStatement.Scalar(
                connection,
                "select sql from sqlite_master where type = 'table' and name = :name",
                new Dictionary<string, object?> { ["name"] = request.Table }
            )!;
    }
}
