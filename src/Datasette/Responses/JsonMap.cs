using System.Collections;

namespace Datasette.Responses;

/// <summary>A JSON object under construction: keys in order, values of the kinds that <see cref="JsonBody"/> writes.</summary>
internal sealed class JsonMap : IEnumerable<KeyValuePair<string, object?>>
{
    private readonly List<KeyValuePair<string, object?>> items = [];

    public void Add(string key, object? value) => items.Add(new(key, value));

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator() => items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => items.GetEnumerator();
}

/// <summary>A value of a row together with the text that names it in another table.</summary>
internal sealed record ExpandedValue(object? Value, object? Label);

/// <summary>Rows as they came from SQLite; written as objects or as lists.</summary>
internal sealed record JsonRows(IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows, bool AsLists = false);

/// <summary>One row as an object.</summary>
internal sealed record JsonRow(IReadOnlyList<string> Columns, object?[] Values);
