using System.Globalization;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>A foreign key column whose values can be shown with a label.</summary>
/// <param name="Key">The foreign key.</param>
/// <param name="LabelColumn">Label column of the other table; null when it has none: then the label is the value as text.</param>
public sealed record ExpandableColumn(ForeignKey Key, string? LabelColumn);

/// <summary>Labels of foreign key values: one query a column, with the distinct values of a page (H175 to H178). Pure.</summary>
public static class ForeignKeyLabels
{
    private const int ValuesPerQuery = 5000;

    /// <summary>The columns that can be expanded, last declared first.</summary>
    /// <param name="schema">Schema of the database.</param>
    /// <param name="table">The table.</param>
    /// <param name="tableConfig">Configuration block of another table by name: its <c>label_column</c> overrules the detected one.</param>
    public static IReadOnlyList<ExpandableColumn> Expandable(DatabaseSchema schema, TableSchema table, Func<string, JsonObject> tableConfig)
    {
        return
        [
            .. table.ForeignKeysDeclared.Select(key => new ExpandableColumn(
                key,
                tableConfig(key.OtherTable)["label_column"]?.ToString() ?? schema.Table(key.OtherTable)?.LabelColumn
            )),
        ];
    }

    /// <summary>The questions that find the labels of values: rows value, label. None when the other table has no label column.</summary>
    /// <param name="column">The column.</param>
    /// <param name="values">Values of the page; NULLs and repetitions are left out.</param>
    public static IEnumerable<(string Sql, IReadOnlyDictionary<string, object?> Parameters)> Queries(
        ExpandableColumn column,
        IEnumerable<object?> values
    )
    {
        if (column.LabelColumn is null)
        {
            yield break;
        }

        var pk = SqlText.Quote(column.Key.OtherColumn);
        foreach (var chunk in values.Where(v => v is not null).Distinct().Chunk(ValuesPerQuery))
        {
            var parameters = new Dictionary<string, object?>(chunk.Length, StringComparer.Ordinal);
            foreach (var value in chunk)
            {
                parameters["p" + parameters.Count.ToString(CultureInfo.InvariantCulture)] = value;
            }

            var marks = string.Join(", ", parameters.Keys.Select(p => ":" + p));
            yield return (
                $"select {pk}, {SqlText.Quote(column.LabelColumn)} from {SqlText.Quote(column.Key.OtherTable)} where {pk} in ({marks})",
                parameters
            );
        }
    }

    /// <summary>Labels by value, comparable as SQLite compares: the text <c>1</c> finds the integer 1 and the other way round.</summary>
    public static LabelMap Collect(ExpandableColumn column, IEnumerable<object?[]> rows) => new(column.LabelColumn is null, rows);
}

/// <summary>Labels of the values of one column.</summary>
public sealed class LabelMap
{
    private readonly bool _isOwnText;
    private readonly Dictionary<string, object?> _labels = new(StringComparer.Ordinal);

    internal LabelMap(bool isOwnText, IEnumerable<object?[]> rows)
    {
        _isOwnText = isOwnText;
        foreach (var row in rows)
        {
            _labels[PageToken.Text(row[0])] = row[1];
        }
    }

    /// <summary>Finds the label of a value.</summary>
    /// <param name="value">Raw value of the foreign key column.</param>
    /// <param name="label">Its label; may be null when the label is NULL.</param>
    /// <returns>False when the value is shown raw: NULL, or dangling while the other table has a label column.</returns>
    public bool TryGet(object? value, out object? label)
    {
        label = null;
        if (value is null)
        {
            return false;
        }

        if (_isOwnText)
        {
            label = PageToken.Text(value);
            return true;
        }

        return _labels.TryGetValue(PageToken.Text(value), out label);
    }
}
