using Datasette.Databases;
using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>Carries out an insert inside the transaction of a write.</summary>
internal sealed class RowInserter(SqliteConnection connection, TableSchema table, InsertRequest request)
{
    private readonly string quoted = SqlText.Quote(table.Name);

    /// <summary>Inserts all rows; returns them as they are stored then, if asked for.</summary>
    public (IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows) Run()
    {
        if (request.Alter)
        {
            AddColumns();
        }
        var stored = new List<object?[]>();
        IReadOnlyList<KeyValuePair<string, object?>>? last = null;
        SqlStatement? insert = null;
        try
        {
            foreach (var row in request.Rows)
            {
                // Rows that look alike, as most do, share one statement.
                if (insert is null || !IsAlike(row, last!))
                {
                    insert?.Dispose();
                    insert = SqlStatement.Kept(connection, InsertSql(row));
                }
                last = row;
                var isInserted = Insert(insert, row);
                if (request.Return && Stored(row, isInserted) is { } found)
                {
                    stored.Add(found);
                }
            }
        }
        finally
        {
            insert?.Dispose();
        }
        return (request.Return ? ColumnNames() : [], stored);
    }

    /// <summary>The names a row may bring with <c>alter</c>, each with the type of its values.</summary>
    private void AddColumns() => AddColumns(connection, table, request.Rows);

    /// <summary>Adds the columns that rows bring and the table lacks.</summary>
    public static void AddColumns(
        SqliteConnection connection,
        TableSchema table,
        IReadOnlyList<IReadOnlyList<KeyValuePair<string, object?>>> rows
    )
    {
        var quoted = SqlText.Quote(table.Name);
        var known = new HashSet<string>(table.ColumnNames, StringComparer.OrdinalIgnoreCase);
        foreach (var name in rows.SelectMany(row => row).Select(pair => pair.Key).Where(name => !InsertRequest.Has(table, name)))
        {
            if (known.Add(name))
            {
                var values = rows.SelectMany(row => row).Where(pair => string.Equals(pair.Key, name, StringComparison.OrdinalIgnoreCase));
                SqlStatement.Execute(
                    connection,
                    $"alter table {quoted} add column {SqlText.QuoteAlways(name)} {TypeOf(values.Select(pair => pair.Value))}"
                );
            }
        }
    }

    /// <summary>The type of a column that holds these values.</summary>
    public static string TypeOf(IEnumerable<object?> values)
    {
        var kinds = values.Where(value => value is not null).Select(value => value!.GetType()).ToHashSet();
        return kinds.Count switch
        {
            1 when kinds.Contains(typeof(long)) => "INTEGER",
            1 when kinds.Contains(typeof(double)) => "REAL",
            1 when kinds.Contains(typeof(byte[])) => "BLOB",
            2 when kinds.Contains(typeof(long)) && kinds.Contains(typeof(double)) => "REAL",
            2 when kinds.Contains(typeof(string)) && kinds.Contains(typeof(byte[])) => "BLOB",
            _ => "TEXT",
        };
    }

    private static bool IsAlike(IReadOnlyList<KeyValuePair<string, object?>> row, IReadOnlyList<KeyValuePair<string, object?>> other)
    {
        if (row.Count != other.Count)
        {
            return false;
        }
        for (var i = 0; i < row.Count; i++)
        {
            if (row[i].Key != other[i].Key)
            {
                return false;
            }
        }
        return true;
    }

    private string InsertSql(IReadOnlyList<KeyValuePair<string, object?>> row)
    {
        var verb = request switch
        {
            { Ignore: true } => "insert or ignore",
            { Replace: true } => "insert or replace",
            _ => "insert",
        };
        if (row.Count == 0)
        {
            return $"{verb} into {quoted} default values";
        }
        var names = string.Join(", ", row.Select(pair => SqlText.Quote(pair.Key)));
        return $"{verb} into {quoted} ({names}) values ({string.Join(", ", Enumerable.Repeat('?', row.Count))})";
    }

    private static bool Insert(SqlStatement statement, IReadOnlyList<KeyValuePair<string, object?>> row)
    {
        statement.Reset();
        for (var i = 0; i < row.Count; i++)
        {
            statement.Bind(i + 1, row[i].Value);
        }
        return statement.Run() > 0;
    }

    /// <summary>The row just inserted, or the stored one that stood in its way; null when it was refused for another reason.</summary>
    private object?[]? Stored(IReadOnlyList<KeyValuePair<string, object?>> row, bool inserted)
    {
        if (inserted && table.IsRowidTable)
        {
            return SqlStatement.Query(connection, $"select * from {quoted} where rowid = last_insert_rowid()").FirstOrDefault();
        }
        foreach (var key in UniqueKeys())
        {
            var values = key.Select(column =>
                    row.Where(pair => string.Equals(pair.Key, column, StringComparison.OrdinalIgnoreCase))
                        .Select(pair => pair.Value)
                        .FirstOrDefault()
                )
                .ToList();
            if (values.Any(value => value is null))
            {
                continue;
            }
            var where = string.Join(" and ", key.Select((column, i) => $"{SqlText.QuoteAlways(column)} = :p{i}"));
            if (SqlStatement.Query(connection, $"select * from {quoted} where {where}", Parameters(values)).FirstOrDefault() is { } found)
            {
                return found;
            }
        }
        return null;
    }

    private IEnumerable<IReadOnlyList<string>> UniqueKeys()
    {
        if (table.UsesRowid)
        {
            yield return ["rowid"];
        }
        else
        {
            yield return table.PrimaryKeys;
        }
        var name = new Dictionary<string, object?> { ["name"] = table.Name };
        foreach (
            var index in SqlStatement.Query(
                connection,
                "select name from pragma_index_list(:name) where \"unique\" = 1 and partial = 0",
                name
            )
        )
        {
            var columns = SqlStatement.Query(
                connection,
                "select name from pragma_index_info(:name)",
                new Dictionary<string, object?> { ["name"] = index[0] }
            );
            if (columns.All(column => column[0] is string))
            {
                yield return columns.Select(column => (string)column[0]!).ToList();
            }
        }
    }

    private string[] ColumnNames()
    {
        using var statement = SqlStatement.Kept(connection, $"select * from {quoted} limit 0");
        // One that was kept learns of new columns when it runs.
        statement.Step();
        return statement.ColumnNames();
    }

    private static Dictionary<string, object?> Parameters(IEnumerable<object?> values) =>
        values.Select((value, i) => new KeyValuePair<string, object?>($"p{i}", value)).ToDictionary();
}
