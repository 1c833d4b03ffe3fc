using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>Rows of a table for a few typed letters: found by key and by label, the best first.</summary>
internal static class AutocompleteView
{
    private const int Most = 10;
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    public static async Task<IResult> ShowAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        var table = schema.Table(v.TableName) ?? throw new DatasetteException(404, "Table not found");
        await v.EnsureAllowedAsync("view-table", database.Name, table.Name);
        var label = RowLabels.ColumnOf(v, database.Name, table);
        var text = v.Args["q"] ?? "";
        var isInitial = DataShapes.BooleanArg(v.Args, "_initial");
        if (string.IsNullOrWhiteSpace(text) && !isInitial)
        {
            return Answer(table, label, []);
        }
        var rows =
            text.Length == 0
                ? await FindAsync(v, database, Latest(table, label), [])
                : await FindAsync(v, database, Matching(table, label, anywhere: true), Parameters(text, "%"))
                    ?? await FindAsync(v, database, Matching(table, label, anywhere: false), Parameters(text, ""));
        return Answer(table, label, rows ?? []);
    }

    private static Response Answer(TableSchema table, string? label, IReadOnlyList<object?[]> rows)
    {
        var keys = table.RowKeys;
        var items = rows.Select(row =>
        {
            var pks = new JsonMap();
            for (var i = 0; i < keys.Count; i++)
            {
                pks.Add(keys[i], row[i]);
            }
            var item = new JsonMap { { "pks", pks } };
            if (label is not null)
            {
                item.Add("label", row[keys.Count]);
            }
            return (object)item;
        });
        return Respond.Json(new JsonMap { { "ok", true }, { "rows", items.ToList() } });
    }

    /// <summary>Null when the time ran out.</summary>
    private static async Task<IReadOnlyList<object?[]>?> FindAsync(
        ViewContext v,
        Database database,
        string sql,
        Dictionary<string, object?> parameters
    )
    {
        try
        {
            return (await database.ExecuteAsync(sql, parameters, Most, Limit, v.Ct)).Rows;
        }
        catch (QueryInterruptedException)
        {
            return null;
        }
    }

    private static Dictionary<string, object?> Parameters(string text, string before) =>
        new() { ["text"] = text, ["like"] = before + SqlText.EscapeLike(text) + "%" };

    private static string Select(TableSchema table, string? label) =>
        $"select {string.Join(", ", table.RowKeys.Select(SqlText.Quote))}{(label is null ? "" : ", " + SqlText.Quote(label))} from {SqlText.Quote(table.Name)}";

    private static string Latest(TableSchema table, string? label) =>
        $"{Select(table, label)} order by {SqlText.Quote(table.RowKeys[0])} desc limit {Most}";

    private static string Matching(TableSchema table, string? label, bool anywhere)
    {
        var keys = table.RowKeys.Select(SqlText.Quote).ToList();
        var texts = keys.Select(key => $"cast({key} as text)").ToList();
        var conditions = texts.Select(text => $"{text} like :like escape '\\'").ToList();
        var order = new List<string> { $"({string.Join(" or ", texts.Select(text => $"{text} = :text"))}) desc" };
        if (label is not null)
        {
            var name = SqlText.Quote(label);
            conditions.Add($"{name} like :like escape '\\'");
            order.Add($"coalesce({name} like :like escape '\\', 0) desc");
            order.Add($"length({name})");
        }
        if (anywhere)
        {
            order.Add($"length({string.Join(" || ", texts.Select(text => $"coalesce({text}, '')"))})");
        }
        return $"{Select(table, label)} where {string.Join(" or ", conditions)} "
            + $"order by {string.Join(", ", order.Concat(keys))} limit {Most}";
    }
}
