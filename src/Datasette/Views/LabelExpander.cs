using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;

namespace Datasette.Views;

/// <summary>Labels of the foreign keys of a page: one query a column, and only of tables that the actor may see.</summary>
internal sealed class LabelExpander
{
    private readonly Dictionary<string, (ExpandableColumn Column, LabelMap Labels)> maps = new(StringComparer.Ordinal);

    /// <summary>The columns that can be expanded, whether or not the actor may see the labels.</summary>
    public IReadOnlyList<ExpandableColumn> Columns { get; private init; } = [];

    public static async Task<LabelExpander> LoadAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        RelationSchema relation,
        IReadOnlyList<string> columns,
        IReadOnlyList<object?[]> rows,
        Func<string, bool> wanted
    )
    {
        var expander = new LabelExpander { Columns = Expandable(v, database, schema, relation) };
        foreach (var column in expander.Columns)
        {
            var index = columns.IndexOf(column.Key.Column);
            if (index < 0 || !wanted(column.Key.Column) || expander.maps.ContainsKey(column.Key.Column))
            {
                continue;
            }
            if (await MapAsync(v, database, column, rows.Select(row => row[index])) is { } map)
            {
                expander.maps[column.Key.Column] = (column, map);
            }
        }
        return expander;
    }

    public static IReadOnlyList<ExpandableColumn> Expandable(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        RelationSchema relation
    ) => relation is TableSchema table ? ForeignKeyLabels.Expandable(schema, table, name => v.App.Config.Table(database.Name, name)) : [];

    /// <summary>The tables that foreign keys of a table lead to and that the visitor may know of.</summary>
    public static async Task<IReadOnlySet<string>> KnownAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        RelationSchema relation
    )
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var other in Expandable(v, database, schema, relation).Select(column => column.Key.OtherTable).Distinct())
        {
            if (await v.MayKnowAsync(database.Name, other))
            {
                known.Add(other);
            }
        }
        return known;
    }

    /// <summary>The labels of values; null when the actor may not see the other table.</summary>
    public static async Task<LabelMap?> MapAsync(ViewContext v, Database database, ExpandableColumn column, IEnumerable<object?> values)
    {
        if (!await v.AllowedAsync("view-table", database.Name, column.Key.OtherTable))
        {
            return null;
        }
        var found = new List<object?[]>();
        foreach (var (sql, parameters) in ForeignKeyLabels.Queries(column, values))
        {
            found.AddRange((await database.ExecuteAsync(sql, parameters, ct: v.Ct)).Rows);
        }
        return ForeignKeyLabels.Collect(column, found);
    }

    public bool TryGet(string column, object? value, out object? label, out ForeignKey key)
    {
        (label, key) = (null, null!);
        if (!maps.TryGetValue(column, out var entry))
        {
            return false;
        }
        key = entry.Column.Key;
        return entry.Labels.TryGet(value, out label);
    }

    /// <summary>The rows with value and label where there is one.</summary>
    public IReadOnlyList<object?[]> Apply(IReadOnlyList<string> columns, IReadOnlyList<object?[]> rows)
    {
        if (maps.Count == 0)
        {
            return rows;
        }
        return rows.Select(row =>
            {
                var copy = (object?[])row.Clone();
                for (var i = 0; i < columns.Count; i++)
                {
                    if (TryGet(columns[i], row[i], out var label, out _))
                    {
                        copy[i] = new ExpandedValue(row[i], label);
                    }
                }
                return copy;
            })
            .ToList();
    }
}

/// <summary>Small helpers for lists.</summary>
internal static class ListExtensions
{
    public static int IndexOf(this IReadOnlyList<string> list, string item)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i] == item)
            {
                return i;
            }
        }
        return -1;
    }
}
