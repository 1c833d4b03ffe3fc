using System.Text.Json;
using Datasette.Databases;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>Changes one row, or deletes it.</summary>
internal static class RowWriteViews
{
    public static Task<IResult> UpdateAsync(ViewContext v) => WriteViews.AsJsonAsync(() => UpdateRowAsync(v));

    public static Task<IResult> DeleteAsync(ViewContext v) => WriteViews.AsJsonAsync(() => DeleteRowAsync(v));

    private sealed record Target(Database Database, TableSchema Table, RowQuery Query, IReadOnlyList<string> Columns, object?[] Row);

    private static async Task<Target> FindAsync(ViewContext v, string action)
    {
        var name = TildeEncoding.Decode(v.DatabaseSegment);
        var database = v.App.Databases[name] ?? throw new DatasetteException(404, $"Database not found: {name}");
        var schema = await database.SchemaAsync(v.Ct);
        var table = schema.Table(v.TableName) ?? throw new DatasetteException(404, $"Table not found: {v.TableName}");
        var query = RowQuery.Parse(table, v.PksSegment);
        var results = await database.ExecuteAsync(query.Sql, query.Parameters, 1, ct: v.Ct);
        if (results.Rows.Count == 0)
        {
            throw new DatasetteException(404, $"Record not found: [{string.Join(", ", query.KeyValues.Select(Quoted))}]");
        }
        await WriteViews.EnsureAsync(v, action, database, table, "Permission denied");
        WriteViews.EnsureMutable(database);
        return new(database, table, query, results.Columns, results.Rows[0]);
    }

    private static string Quoted(string text) =>
        text.Contains('\'') && !text.Contains('"') ? $"\"{text}\"" : $"'{text.Replace("'", "\\'", StringComparison.Ordinal)}'";

    private static async Task<IResult> UpdateRowAsync(ViewContext v)
    {
        var target = await FindAsync(v, "update-row");
        using var body = await RequestBody.ReadJsonAsync(v);
        var (row, isReturned, isAlter) = Parse(body.RootElement);
        if (isAlter)
        {
            await WriteViews.EnsureAsync(v, "alter-table", target.Database, target.Table, "Permission denied for alter-table");
        }
        ColumnTypes.Check(v, target.Database.Name, target.Table.Name, [row]);
        var (columns, rows) = await DurableWrites.WriteAsync(
            v,
            target.Database,
            connection => Update(connection, target, row, isAlter),
            isAlter ? WriteTurn.Alone : WriteTurn.Grouped
        );
        await v.App.Hooks.TrackEventAsync(
            v.App,
            new DatasetteEvent("update-row", v.Actor, target.Database.Name, target.Table.Name, 1),
            v.Ct
        );
        if (v.Args.Flag("_message"))
        {
            v.App.AddMessage(v.Http, $"Updated row {LabelOf(v, target)}");
        }
        var answer = new JsonMap { { "ok", true } };
        if (isReturned)
        {
            answer.Add("rows", new JsonRows(columns, rows));
        }
        return Respond.Json(answer);
    }

    private static (IReadOnlyList<KeyValuePair<string, object?>> Row, bool IsReturned, bool IsAlter) Parse(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw new DatasetteException(400, "JSON must be a dictionary");
        }
        if (!body.TryGetProperty("update", out var update) || update.ValueKind != JsonValueKind.Object)
        {
            throw new DatasetteException(400, "JSON must contain an update dictionary");
        }
        var unknown = body.EnumerateObject()
            .Select(property => property.Name)
            .Where(name => name is not ("update" or "return" or "alter"))
            .Distinct()
            .Order(StringComparer.Ordinal)
            .ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Invalid keys: " + string.Join(", ", unknown));
        }
        bool Flag(string name) => body.TryGetProperty(name, out var value) && InsertRequest.IsTrue(value);
        return (InsertRequest.Values(update), Flag("return"), Flag("alter"));
    }

    private static (IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows) Update(
        SqliteConnection connection,
        Target target,
        IReadOnlyList<KeyValuePair<string, object?>> row,
        bool isAlter
    )
    {
        if (isAlter)
        {
            RowInserter.AddColumns(connection, target.Table, [row]);
        }
        var table = SqlText.Quote(target.Table.Name);
        var parameters = target.Query.Parameters.ToDictionary();
        foreach (var (i, pair) in row.Index())
        {
            parameters[$"v{i}"] = pair.Value;
        }
        if (row.Count > 0)
        {
            // Between double quotes an unknown column would be a text, and a misspelt one be set to nothing.
            var set = string.Join(", ", row.Select((pair, i) => $"{SqlText.Quote(pair.Key)} = :v{i}"));
            SqlStatement.Execute(connection, $"update {table} set {set} where {target.Query.Where}", parameters);
        }
        // Under its new key, if that changed.
        var keys = target.Query.KeyColumns.Select(
            (key, i) =>
                row.Where(pair => string.Equals(pair.Key, key, StringComparison.OrdinalIgnoreCase))
                    .Select(pair => pair.Value)
                    .DefaultIfEmpty(target.Query.KeyValues[i])
                    .First()
        );
        var found = keys.Select((value, i) => KeyValuePair.Create($"p{i}", value)).ToDictionary();
        using var statement = SqlStatement.Prepare(connection, target.Query.Sql);
        statement.BindAll(found);
        var rows = new List<object?[]>();
        while (statement.Step())
        {
            rows.Add(statement.ReadRow());
        }
        return (statement.ColumnNames(), rows);
    }

    private static async Task<IResult> DeleteRowAsync(ViewContext v)
    {
        var target = await FindAsync(v, "delete-row");
        await DurableWrites.WriteAsync(
            v,
            target.Database,
            connection =>
                SqlStatement.Execute(
                    connection,
                    $"delete from {SqlText.Quote(target.Table.Name)} where {target.Query.Where}",
                    target.Query.Parameters
                )
        );
        await v.App.Hooks.TrackEventAsync(
            v.App,
            new DatasetteEvent("delete-row", v.Actor, target.Database.Name, target.Table.Name, 1),
            v.Ct
        );
        var answer = new JsonMap { { "ok", true } };
        if (v.Args.Flag("_redirect_to_table"))
        {
            v.App.AddMessage(v.Http, $"Deleted row {LabelOf(v, target)}");
            answer.Add("redirect", v.App.UrlOf(target.Database, target.Table.Name));
        }
        return Respond.Json(answer);
    }

    private static string LabelOf(ViewContext v, Target target)
    {
        var key = string.Join(", ", target.Query.KeyValues);
        return
            RowLabels.ColumnOf(v, target.Database.Name, target.Table) is { } label
            && target.Columns.IndexOf(label) is >= 0 and var index
            && target.Row[index] is { } value
            ? $"{key} ({PageToken.Text(value)})"
            : key;
    }
}
