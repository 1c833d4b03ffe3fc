using System.Text.RegularExpressions;
using Datasette.Databases;
using Datasette.Tables;
using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Views;

/// <summary>What a writing statement did.</summary>
/// <param name="RowCount">Rows changed; -1 where SQLite does not say.</param>
/// <param name="Columns">Columns that RETURNING gave.</param>
/// <param name="Rows">Its first rows.</param>
/// <param name="IsTruncated">Whether it gave more.</param>
internal sealed record WriteOutcome(int RowCount, IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows, bool IsTruncated)
{
    /// <summary>The key of the one row that was inserted, as in its address; null when it is not one, or not known.</summary>
    public string? InsertedRow { get; init; }

    /// <summary>What is told when nobody configured other words.</summary>
    public string Message => RowCount < 0 ? "Query executed" : $"Query executed, {RowCount} row{(RowCount == 1 ? "" : "s")} affected";
}

/// <summary>Runs one writing statement inside the transaction of a write.</summary>
internal static partial class SqlWriter
{
    /// <summary>Rows of RETURNING that are kept.</summary>
    public const int ReturnedRows = 10;

    public static WriteOutcome Run(SqliteConnection connection, string sql, IReadOnlyDictionary<string, object?> parameters)
    {
        using var statement = SqlStatement.Prepare(connection, sql);
        statement.BindAll(parameters);
        var rows = new List<object?[]>();
        var isTruncated = false;
        while (statement.Step())
        {
            if (rows.Count < ReturnedRows)
            {
                rows.Add(statement.ReadRow());
            }
            else
            {
                isTruncated = true;
            }
        }
        var count = !isTruncated && Changes().IsMatch(sql) && !statement.IsReadOnly ? SqliteChanges(connection) : -1;
        return new(count, statement.ColumnNames(), rows, isTruncated);
    }

    /// <summary>The key of the row that was inserted last, as in its address; null when the table does not tell.</summary>
    /// <param name="connection">The connection that has just inserted one row into the table.</param>
    /// <param name="table">The table.</param>
    public static string? InsertedRow(SqliteConnection connection, TableSchema table)
    {
        var isHidden = table.Columns.Any(column => column.Name.Equals("rowid", StringComparison.OrdinalIgnoreCase));
        if (!table.IsRowidTable || isHidden)
        {
            return null;
        }
        var keys = string.Join(", ", table.RowKeys.Select(SqlText.QuoteAlways));
        var sql = $"select {keys} from {SqlText.QuoteAlways(table.Name)} where rowid = last_insert_rowid()";
        return SqlStatement.Query(connection, sql).FirstOrDefault() is { } row && row.All(value => value is long or double or string)
            ? RowQuery.Segment(row)
            : null;
    }

    private static int SqliteChanges(SqliteConnection connection) => (int)(long)SqlStatement.Scalar(connection, "select changes()")!;

    [GeneratedRegex(
        @"^(?>(\s|--[^\n]*(\n|$)|/\*.*?\*/)*)(insert|update|delete|replace|with)\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant,
        1000
    )]
    private static partial Regex Changes();
}
