using Datasette.Databases;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;

namespace Datasette.Views;

/// <summary>What a column could refer to: for those who make or change tables.</summary>
internal static class ForeignKeyViews
{
    private const int RowLimit = 500;
    private static readonly TimeSpan QueryLimit = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan WholeLimit = TimeSpan.FromMilliseconds(200);

    /// <summary>A table that a foreign key can name, and its one key column.</summary>
    private sealed record Target(TableSchema Table, ColumnInfo Key);

    public static Task<IResult> TargetsAsync(ViewContext v) => WriteViews.AsJsonAsync(() => ShowTargetsAsync(v));

    public static Task<IResult> SuggestionsAsync(ViewContext v) => WriteViews.AsJsonAsync(() => ShowSuggestionsAsync(v));

    private static async Task<IResult> ShowTargetsAsync(ViewContext v)
    {
        var database = v.Database;
        var schema = await database.SchemaAsync(v.Ct);
        if (v.Args["table"] is { Length: > 0 } name)
        {
            _ = schema.Table(name) ?? throw new DatasetteException(404, "Table not found");
            await EnsureAsync(v, "alter-table", database, name);
        }
        else
        {
            await EnsureAsync(v, "create-table", database, null);
        }
        var targets = (await TargetsAsync(v, database, schema))
            .Select(target =>
                (object)
                    new JsonMap
                    {
                        { "fk_table", target.Table.Name },
                        { "fk_column", target.Key.Name },
                        { "type", AffinityOf(target.Key) },
                    }
            )
            .ToList();
        return Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "database", database.Name },
                { "targets", targets },
            }
        );
    }

    private static async Task<IResult> ShowSuggestionsAsync(ViewContext v)
    {
        var (database, table) = await WriteViews.TableAsync(v);
        await EnsureAsync(v, "alter-table", database, table.Name);
        var targets = (await TargetsAsync(v, database, await database.SchemaAsync(v.Ct))).Where(t => t.Table.Name != table.Name).ToList();
        var options = table.Columns.Where(c => c.Hidden == 0).ToDictionary(c => c.Name, c => Options(c, targets));
        var check = new RowCheck(v, database, table);
        await check.RunAsync(options);
        var columns = table.Columns.Where(c => c.Hidden == 0).Select(c => Describe(c, table, options[c.Name], check)).ToList();
        return Respond.Json(
            new JsonMap
            {
                { "ok", true },
                { "database", database.Name },
                { "table", table.Name },
                { "row_check", check.ToJson() },
                { "columns", columns },
            }
        );
    }

    private static object Describe(ColumnInfo column, TableSchema table, IReadOnlyList<Target> options, RowCheck check)
    {
        var current = table.ForeignKeysDeclared.FirstOrDefault(key => key.Column == column.Name);
        return new JsonMap
        {
            { "column", column.Name },
            { "type", column.Type },
            { "affinity", AffinityOf(column) },
            {
                "current",
                current is null
                    ? null
                    : new JsonMap { { "fk_table", current.OtherTable }, { "fk_column", current.OtherColumn } }
            },
            { "suggestions", options.Where(option => check.IsConfirmed(column.Name, option.Table.Name)).Select(ToJson).ToList() },
            { "options", options.Select(ToJson).ToList() },
        };
    }

    private static object ToJson(Target target) =>
        new JsonMap
        {
            { "fk_table", target.Table.Name },
            { "fk_column", target.Key.Name },
            { "type", target.Key.Type },
        };

    // The tables this actor can see, hidden ones left out, with exactly one key column. Asked one by one: the catalogue may be a second old,
    // and who has just made a table wants to refer to it.
    private static async Task<List<Target>> TargetsAsync(ViewContext v, Database database, DatabaseSchema schema)
    {
        var targets = new List<Target>();
        foreach (var table in schema.Tables.Where(table => !table.Hidden && table.PrimaryKeys.Count == 1))
        {
            if (await v.AllowedAsync("view-table", database.Name, table.Name))
            {
                targets.Add(new Target(table, table.Column(table.PrimaryKeys[0])!));
            }
        }
        return targets;
    }

    private static List<Target> Options(ColumnInfo column, IReadOnlyList<Target> targets) =>
        [.. targets.Where(target => target.Key.Affinity == column.Affinity)];

    private static string AffinityOf(ColumnInfo column) => column.Affinity.ToLowerInvariant();

    private static async ValueTask EnsureAsync(ViewContext v, string action, Database database, string? table)
    {
        if (!await v.AllowedAsync(action, database.Name, table))
        {
            throw new DatasetteException(403, "Permission denied");
        }
    }

    /// <summary>Looks whether the first rows fit; whatever goes wrong only means fewer suggestions.</summary>
    private sealed class RowCheck(ViewContext v, Database database, TableSchema table)
    {
        private readonly HashSet<(string Column, string Table)> confirmed = [];
        private string status = "completed";
        private long sampled;
        private int checkedOptions;

        public bool IsConfirmed(string column, string other) => confirmed.Contains((column, other));

        public async Task RunAsync(Dictionary<string, List<Target>> options)
        {
            var start = v.App.Time.GetTimestamp();
            try
            {
                sampled = await database.CountAsync("from " + SqlText.Quote(table.Name), null, RowLimit, QueryLimit, v.Ct) ?? 0;
                foreach (var (column, target) in options.SelectMany(pair => pair.Value.Select(target => (pair.Key, target))))
                {
                    if (sampled == 0)
                    {
                        return;
                    }
                    if (v.App.Time.GetElapsedTime(start) > WholeLimit)
                    {
                        status = "timeout";
                        return;
                    }
                    if (await FitsAsync(column, target))
                    {
                        confirmed.Add((column, target.Table.Name));
                    }
                    checkedOptions++;
                }
            }
            catch (Exception e) when (e is QueryInterruptedException or Microsoft.Data.Sqlite.SqliteException)
            {
                status = e is QueryInterruptedException ? "timeout" : "error";
            }
        }

        // At least one value, and none that the other table lacks.
        private async Task<bool> FitsAsync(string column, Target target)
        {
            var own = SqlText.QuoteAlways(column);
            var sql =
                $"select count(*), count(o.k) from (select {own} as v from {SqlText.QuoteAlways(table.Name)} limit {RowLimit}) r "
                + $"left join (select {SqlText.QuoteAlways(target.Key.Name)} as k from {SqlText.QuoteAlways(target.Table.Name)}) o on o.k = r.v "
                + "where r.v is not null";
            var row = (await database.ExecuteAsync(sql, null, 1, QueryLimit, v.Ct)).Rows[0];
            return (long)row[0]! > 0 && (long)row[0]! == (long)row[1]!;
        }

        public JsonMap ToJson() =>
            new()
            {
                { "attempted", true },
                { "status", status },
                { "row_limit", RowLimit },
                { "sampled_rows", sampled },
                { "checked_options", checkedOptions },
            };
    }
}
