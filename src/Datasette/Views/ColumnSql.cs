using System.Globalization;
using System.Text;
using System.Text.Json;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>Columns and tables as CREATE text. Pure.</summary>
internal static class ColumnSql
{
    /// <summary>SQLite's type for a word of the interface.</summary>
    /// <exception cref="DatasetteException">400: another word.</exception>
    public static string TypeOf(string? word) =>
        word switch
        {
            null or "" or "text" => "TEXT",
            "integer" => "INTEGER",
            "float" => "REAL",
            "blob" => "BLOB",
            _ => throw new DatasetteException(400, $"Unsupported column type: {word}"),
        };

    /// <summary>The default of a column from <c>default</c> or <c>default_expr</c>, as SQL; null without one.</summary>
    /// <exception cref="DatasetteException">400: both, or an expression that is not offered.</exception>
    public static string? Default(JsonElement column)
    {
        var hasValue = column.TryGetProperty("default", out var value);
        var hasExpression = column.TryGetProperty("default_expr", out var expression) && expression.ValueKind != JsonValueKind.Null;
        if (hasValue && hasExpression)
        {
            throw new DatasetteException(400, "Cannot specify both default and default_expr");
        }
        if (hasExpression)
        {
            return Expression(expression.ToString());
        }
        return hasValue ? Literal(value) : null;
    }

    private static string Expression(string name) =>
        name switch
        {
            "current_timestamp" => "CURRENT_TIMESTAMP",
            "current_date" => "CURRENT_DATE",
            "current_time" => "CURRENT_TIME",
            "current_unixtime" => "(strftime('%s', 'now'))",
            "current_unixtime_ms" => "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))",
            _ => throw new DatasetteException(
                400,
                $"Unsupported default_expr: {name}. Use one of current_timestamp, current_date, current_time, current_unixtime, current_unixtime_ms"
            ),
        };

    /// <summary>A value as a SQL literal.</summary>
    private static string Literal(JsonElement value) =>
        CellValues.Of(value) switch
        {
            null => "NULL",
            long whole => whole.ToString(CultureInfo.InvariantCulture),
            double real => SqlText.Real(real),
            byte[] bytes => $"X'{Convert.ToHexString(bytes)}'",
            var text => SqlText.Literal((string)text),
        };

    /// <summary>The statement that makes a table.</summary>
    public static string CreateTable(string table, IEnumerable<NewColumn> columns, IReadOnlyList<string> pks)
    {
        var lines = columns.Select(column => Line(column, pks is [var only] && only == column.Name)).ToList();
        if (pks.Count > 1)
        {
            lines.Add($"   PRIMARY KEY ({string.Join(", ", pks.Select(SqlText.QuoteAlways))})");
        }
        return $"CREATE TABLE {SqlText.QuoteAlways(table)} (\n{string.Join(",\n", lines)}\n)";
    }

    private static string Line(NewColumn column, bool isPk)
    {
        var line = new StringBuilder("   ").Append(SqlText.QuoteAlways(column.Name)).Append(' ').Append(column.Type);
        line.Append(isPk ? " PRIMARY KEY" : "").Append(column.IsNotNull ? " NOT NULL" : "");
        if (column.Default is { } sql)
        {
            line.Append(" DEFAULT ").Append(sql);
        }
        if (column.ForeignTable is { } other)
        {
            line.Append(" REFERENCES ")
                .Append(SqlText.QuoteAlways(other))
                .Append('(')
                .Append(SqlText.QuoteAlways(column.ForeignColumn!))
                .Append(')');
        }
        return line.ToString();
    }
}
