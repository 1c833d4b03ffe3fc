using Datasette.Databases;
using Datasette.Text;

namespace Datasette.Tables;

/// <summary>One row by its key, as SQL (H200, H201). Pure and immutable.</summary>
/// <param name="Sql">SELECT of the row; of rowid tables with <c>rowid</c> first.</param>
/// <param name="Parameters">Key values by name without colon.</param>
/// <param name="KeyColumns">Columns of the key.</param>
/// <param name="KeyValues">Their values as the URL gave them, as texts.</param>
public sealed record RowQuery(
    string Sql,
    IReadOnlyDictionary<string, object?> Parameters,
    IReadOnlyList<string> KeyColumns,
    IReadOnlyList<string> KeyValues
)
{
    /// <summary>The condition behind WHERE that finds the row; uses <see cref="Parameters"/>.</summary>
    public string Where => Condition(KeyColumns);

    /// <summary>Reads the key segment of a URL.</summary>
    /// <param name="table">The table.</param>
    /// <param name="keySegment">Tilde-encoded values joined by commas.</param>
    /// <exception cref="DatasetteException">400 when the number of values is wrong.</exception>
    public static RowQuery Parse(TableSchema table, string keySegment)
    {
        var keys = table.RowKeys;
        var values = keySegment.Split(',').Select(TildeEncoding.Decode).ToArray();
        if (values.Length != keys.Count)
        {
            throw new DatasetteException(400, "URL row identifier does not match the primary key for this table");
        }

        var parameters = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var value in values)
        {
            TableFilters.AddParameter(parameters, value);
        }

        var select = table.UsesRowid ? "rowid, *" : "*";
        return new RowQuery($"select {select} from {SqlText.Quote(table.Name)} where {Condition(keys)}", parameters, keys, values);
    }

    /// <summary>The key segment of a row's URL.</summary>
    /// <param name="keyValues">Values of the key columns as SQLite returned them.</param>
    public static string Segment(IEnumerable<object?> keyValues) =>
        string.Join(',', keyValues.Select(v => TildeEncoding.Encode(PageToken.Text(v))));

    private static string Condition(IReadOnlyList<string> keys)
    {
        return string.Join(" and ", keys.Select((key, i) => string.Create(null, $"{SqlText.QuoteAlways(key)}=:p{i}")));
    }
}
