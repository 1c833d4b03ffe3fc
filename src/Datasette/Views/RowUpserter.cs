using Datasette.Databases;
using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>Carries out an upsert inside the transaction of a write: rows that are there get the given values, others are added.</summary>
internal sealed class RowUpserter(SqliteConnection connection, TableSchema table, InsertRequest request)
{
    private readonly string quoted = SqlText.Quote(table.Name);

    /// <summary>Writes all rows; returns them as they are stored then, if asked for.</summary>
    public (IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows) Run()
    {
        if (request.Alter)
        {
            RowInserter.AddColumns(connection, table, request.Rows);
        }
        foreach (var row in request.Rows)
        {
            if (table.UsesRowid)
            {
                UpdateOrInsert(row);
            }
            else
            {
                Upsert(row);
            }
        }
        return request.Return ? Stored() : ([], []);
    }

    private void Upsert(IReadOnlyList<KeyValuePair<string, object?>> row)
    {
        var rest = row.Where(pair => !IsKey(pair.Key)).Select(pair => $"{SqlText.Quote(pair.Key)} = excluded.{SqlText.Quote(pair.Key)}");
        var set = string.Join(", ", rest);
        var keys = string.Join(", ", table.PrimaryKeys.Select(SqlText.Quote));
        SqlStatement.Execute(
            connection,
            $"{Insert(row)} on conflict({keys}) do {(set.Length == 0 ? "nothing" : "update set " + set)}",
            Parameters(row.Select(pair => pair.Value))
        );
    }

    /// <summary>Without a declared key there is no conflict that SQLite could be told of.</summary>
    private void UpdateOrInsert(IReadOnlyList<KeyValuePair<string, object?>> row)
    {
        var parameters = Parameters(row.Select(pair => pair.Value));
        var key = row.Index().First(pair => IsKey(pair.Item.Key)).Index;
        var set = string.Join(
            ", ",
            row.Index().Where(pair => pair.Index != key).Select(pair => $"{SqlText.Quote(pair.Item.Key)} = :p{pair.Index}")
        );
        // With nothing to set the row is only looked for.
        if (
            SqlStatement.Execute(
                connection,
                $"update {quoted} set {(set.Length == 0 ? $"rowid = :p{key}" : set)} where rowid = :p{key}",
                parameters
            ) == 0
        )
        {
            SqlStatement.Execute(connection, Insert(row), parameters);
        }
    }

    private string Insert(IReadOnlyList<KeyValuePair<string, object?>> row) =>
        $"insert into {quoted} ({string.Join(", ", row.Select(pair => SqlText.Quote(pair.Key)))}) "
        + $"values ({string.Join(", ", row.Select((_, i) => $":p{i}"))})";

    private bool IsKey(string column) => table.RowKeys.Contains(column, StringComparer.OrdinalIgnoreCase);

    private (IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows) Stored()
    {
        var select = $"select {(table.UsesRowid ? "rowid, " : "")}* from {quoted}";
        var where = string.Join(" and ", table.RowKeys.Select((key, i) => $"{SqlText.QuoteAlways(key)} = :p{i}"));
        var rows = new List<object?[]>();
        foreach (var row in request.Rows)
        {
            var values = table.RowKeys.Select(key =>
                row.First(pair => string.Equals(pair.Key, key, StringComparison.OrdinalIgnoreCase)).Value
            );
            rows.AddRange(SqlStatement.Query(connection, $"{select} where {where}", Parameters(values)));
        }
        using var statement = SqlStatement.Prepare(connection, select + " limit 0");
        return (statement.ColumnNames(), rows);
    }

    private static Dictionary<string, object?> Parameters(IEnumerable<object?> values) =>
        values.Select((value, i) => KeyValuePair.Create($"p{i}", value)).ToDictionary();
}
