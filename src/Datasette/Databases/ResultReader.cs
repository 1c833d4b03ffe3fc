using System.Diagnostics;

namespace Datasette.Databases;

/// <summary>Reads the rows of a statement, as many and as large as is allowed.</summary>
internal static class ResultReader
{
    /// <summary>All rows of a statement, up to a number.</summary>
    public static QueryResults ReadAll(
        ReadConnection reader,
        string sql,
        IReadOnlyDictionary<string, object?>? parameters,
        int? maxRows,
        long maxBytes
    )
    {
        var start = Stopwatch.GetTimestamp();
        return reader.Use(
            sql,
            parameters,
            statement =>
            {
                var rows = NextRows(statement, maxRows ?? int.MaxValue, maxBytes);
                var isTruncated = rows.Count == maxRows && statement.Step();
                return new QueryResults(statement.ColumnNames(), rows, isTruncated, Stopwatch.GetElapsedTime(start));
            }
        );
    }

    /// <summary>The next rows of a statement that runs.</summary>
    /// <exception cref="DatasetteException">400: they are larger than the limit.</exception>
    public static List<object?[]> NextRows(SqlStatement statement, int count, long maxBytes)
    {
        var rows = new List<object?[]>();
        long bytes = 0;
        while (rows.Count < count && statement.Step())
        {
            var row = statement.ReadRow();
            rows.Add(row);
            bytes += SizeOf(row);
            if (bytes > maxBytes)
            {
                throw new DatasetteException(
                    400,
                    $"The result is larger than {maxBytes >> 20} MB. Ask for fewer rows or columns, or stream a table as CSV (_stream=1)."
                );
            }
        }

        return rows;
    }

    private static long SizeOf(object?[] row)
    {
        long bytes = 0;
        foreach (var value in row)
        {
            bytes += value switch
            {
                string text => 2L * text.Length,
                byte[] blob => blob.Length,
                _ => 8,
            };
        }

        return bytes;
    }
}
