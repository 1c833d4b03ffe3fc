namespace Datasette.Tables;

/// <summary>
/// A kind of facet beside column, array and date. Asked for with <c>_facet_TYPE=COLUMN</c>, or in the configuration as <c>facets: [{TYPE: COLUMN}]</c>.
/// Pure: it only writes SQL, which the host runs on a read-only connection with the time limit of facets. Called on any thread.
/// </summary>
public abstract class CustomFacet
{
    /// <summary>The word in addresses, JSON and configuration: letters, digits and underscores, such as <c>decade</c>.</summary>
    public abstract string Type { get; }

    /// <summary>SQL that counts: rows of a value and a number, the most frequent first, at most <paramref name="limit"/>.</summary>
    /// <param name="column">The column; quote it with <see cref="Text.SqlText.Quote"/>.</param>
    /// <param name="allRows">SQL of all rows of the page's filters, to stand in parentheses.</param>
    /// <param name="limit">One more than are shown, so that the host knows whether there are more.</param>
    public abstract string Sql(string column, string allRows, int limit);

    /// <summary>
    /// The argument of the query string that picks one of the values, such as <c>name__startswith</c> or <c>_decade</c> (which
    /// <c>FiltersFromRequestAsync</c> turns into a condition).
    /// </summary>
    /// <param name="column">The column.</param>
    public abstract string FilterKey(string column);

    /// <summary>SQL that returns at least one row when the facet is worth suggesting for a column; null (the default) never suggests it.</summary>
    /// <param name="column">The column.</param>
    /// <param name="allRows">As for <see cref="Sql"/>.</param>
    public virtual string? SuggestSql(string column, string allRows) => null;
}
