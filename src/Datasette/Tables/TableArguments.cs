namespace Datasette.Tables;

/// <summary>The pairs of a query string, in order, blank values kept.</summary>
internal sealed class TableArguments(IReadOnlyList<KeyValuePair<string, string>> pairs)
{
    public IReadOnlyList<KeyValuePair<string, string>> Pairs { get; } = pairs;

    /// <summary>The first value of a key; null when it is absent or blank.</summary>
    public string? First(string key)
    {
        foreach (var pair in Pairs)
        {
            if (pair.Key == key)
            {
                return pair.Value.Length == 0 ? null : pair.Value;
            }
        }

        return null;
    }

    /// <summary>All values of a key that are not blank.</summary>
    public IEnumerable<string> All(string key) => Pairs.Where(p => p.Key == key && p.Value.Length > 0).Select(p => p.Value);

    public bool Has(string key) => Pairs.Any(p => p.Key == key);
}
