using System.Text;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>Statements to begin with on the page for SQL that writes: each about one table, with a parameter for each value.</summary>
internal static class SqlTemplates
{
    private const string NewTable = "create table new_table (\n  id integer primary key,\n  name text not null\n)";

    /// <summary>Those that the visitor may use; null when there are none.</summary>
    public static async Task<SqlTemplatesModel?> OfAsync(ViewContext v, Database database, DatabaseSchema schema)
    {
        var may = (await v.App.Rights.ListAsync("insert-row", v.Actor, database.Name, v.Ct))
            .Concat(await v.App.Rights.ListAsync("delete-row", v.Actor, database.Name, v.Ct))
            .Select(resource => resource.Child!)
            .ToHashSet(StringComparer.Ordinal);
        var seen = (await v.App.Rights.ListAsync("view-table", v.Actor, database.Name, v.Ct)).Select(resource => resource.Child!);
        var tables = seen.Where(name => may.Contains(name) && schema.Table(name) is { Hidden: false, IsVirtual: false })
            .Order(StringComparer.Ordinal)
            .Select(name => new OptionModel(name, name, name == v.Args["table"]))
            .ToList();
        List<KeyValuePair<string, string>> kinds =
            tables.Count == 0 ? [] : [new("insert", "Insert row"), new("update", "Update rows"), new("delete", "Delete rows")];
        if (await v.AllowedAsync("create-table", database.Name))
        {
            kinds.Add(new("create-table", "Create table"));
        }
        return kinds.Count == 0 ? null : new(tables, kinds);
    }

    /// <summary>A statement to begin with.</summary>
    /// <param name="kind">Which, as its button says.</param>
    /// <param name="table">What it is about; null where there is no such table.</param>
    /// <returns>Null for a kind that there is not.</returns>
    public static string? Sql(string? kind, TableSchema? table) =>
        (kind, table) switch
        {
            ("create-table", _) => NewTable,
            ("insert", { } t) => Insert(t),
            ("update", { } t) => Update(t),
            ("delete", { } t) => $"delete from {SqlText.Quote(t.Name)}\nwhere {Where(t, new())}",
            _ => null,
        };

    private static string Insert(TableSchema table)
    {
        var names = new ParameterNames();
        // What SQLite counts up, or computes, is left to it.
        var columns = table.Columns.Where(column => column.Hidden == 0 && !IsCounted(table, column)).Select(column => column.Name).ToList();
        return columns.Count == 0
            ? $"insert into {SqlText.Quote(table.Name)} default values"
            : $"insert into {SqlText.Quote(table.Name)} (\n  {string.Join(",\n  ", columns.Select(SqlText.Quote))}\n) values (\n  "
                + $"{string.Join(",\n  ", columns.Select(names.Of))}\n)";
    }

    private static string Update(TableSchema table)
    {
        var names = new ParameterNames();
        var where = Where(table, names);
        var columns = table.Columns.Where(column => column.Hidden == 0 && column.PkPosition == 0).Select(column => column.Name).ToList();
        // A table that is nothing but its key.
        var changed = columns.Count == 0 ? table.PrimaryKeys : columns;
        var sets = changed.Select(name => $"{SqlText.Quote(name)} = {names.Of(columns.Count == 0 ? "new_" + name : name)}");
        return $"update {SqlText.Quote(table.Name)} set\n  {string.Join(",\n  ", sets)}\nwhere {where}";
    }

    private static string Where(TableSchema table, ParameterNames names) =>
        string.Join(" and ", table.RowKeys.Select(key => $"{SqlText.Quote(key)} = {names.Of(key)}"));

    private static bool IsCounted(TableSchema table, ColumnInfo column) =>
        table is { IsRowidTable: true, PrimaryKeys: [var only] }
        && only == column.Name
        && column.Type.Equals("integer", StringComparison.OrdinalIgnoreCase);

    /// <summary>Names that SQL can have for parameters, each once in a statement.</summary>
    private sealed class ParameterNames
    {
        private readonly HashSet<string> used = new(StringComparer.Ordinal);

        public string Of(string column)
        {
            var text = new StringBuilder(column.Length);
            foreach (var c in column)
            {
                text.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
            }
            // With an underscore in front it could be one that the server fills in.
            var name = text.ToString().Trim('_');
            name = name.Length == 0 || char.IsAsciiDigit(name[0]) ? "p" + name : name;
            var free = name;
            for (var number = 2; !used.Add(free); number++)
            {
                free = $"{name}_{number}";
            }
            return ":" + free;
        }
    }
}
