namespace Datasette.Databases;

/// <summary>Rows of one SELECT, read whole.</summary>
/// <param name="Columns">Column names in order; names may repeat.</param>
/// <param name="Rows">One array a row, as long as <paramref name="Columns"/>. Values: null, long, double, string, byte[].</param>
/// <param name="Truncated">More rows existed than were asked for.</param>
/// <param name="Elapsed">Time spent inside SQLite, waiting for a free connection not included.</param>
/// <remarks>Text that is not valid UTF-8 was decoded with replacement characters. Treat as immutable.</remarks>
public sealed record QueryResults(IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows, bool Truncated, TimeSpan Elapsed)
{
    /// <summary>The first value of the first row; null when there is no row.</summary>
    public object? Scalar => Rows.Count > 0 && Rows[0].Length > 0 ? Rows[0][0] : null;
}

/// <summary>One column of a result.</summary>
/// <param name="Name">Its name as SQLite reports it.</param>
public sealed record QueryColumn(string Name);
