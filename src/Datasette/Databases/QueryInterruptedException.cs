namespace Datasette.Databases;

/// <summary>A query ran longer than it may and was stopped inside SQLite.</summary>
public sealed class QueryInterruptedException : Exception
{
    /// <summary>Creates the failure.</summary>
    /// <param name="sql">The SQL that was stopped; empty when the work was more than one statement.</param>
    /// <param name="limit">The limit that it passed.</param>
    public QueryInterruptedException(string sql, TimeSpan limit)
        : base($"SQL query took too long. The time limit is {limit.TotalMilliseconds:0}ms.")
    {
        Sql = sql;
        Limit = limit;
    }

    /// <summary>The SQL that was stopped; empty when the work was more than one statement.</summary>
    public string Sql { get; }

    /// <summary>The limit that it passed.</summary>
    public TimeSpan Limit { get; }
}
