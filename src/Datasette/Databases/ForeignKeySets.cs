namespace Datasette.Databases;

/// <summary>The single-column foreign keys of a database, from both sides; compound ones are left out.</summary>
internal sealed class ForeignKeySets
{
    private readonly Dictionary<string, List<ForeignKey>> _declared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<ForeignKey>> _in = new(StringComparer.Ordinal);

    /// <param name="rows">Table, id, seq, other table, from, to; by table, id, seq.</param>
    /// <param name="primaryKeys">Primary key columns by table: what a key without a named column refers to.</param>
    public ForeignKeySets(IEnumerable<object?[]> rows, IReadOnlyDictionary<string, string[]> primaryKeys)
    {
        var spelling = primaryKeys.Keys.ToDictionary(n => n, n => n, StringComparer.OrdinalIgnoreCase);
        foreach (var key in rows.GroupBy(r => ((string)r[0]!, (long)r[1]!)).Where(g => g.Count() == 1).Select(g => g.First()))
        {
            var table = (string)key[0]!;
            var other = (string)key[3]!;
            // SQLite compares names without case; the page of the other table has one spelling only.
            other = spelling.GetValueOrDefault(other, other);
            var column = (string)key[4]!;
            var otherColumn = key[5] as string ?? (primaryKeys.GetValueOrDefault(other) is [var single] ? single : null);
            if (otherColumn is null)
            {
                continue;
            }

            Add(_declared, table, new ForeignKey(other, column, otherColumn));
            Add(_in, other, new ForeignKey(table, otherColumn, column));
        }
    }

    public IReadOnlyList<ForeignKey> Declared(string table) => _declared.GetValueOrDefault(table) ?? [];

    public IReadOnlyList<ForeignKey> Out(string table) => Sorted(_declared, table);

    public IReadOnlyList<ForeignKey> In(string table) => Sorted(_in, table);

    private static IReadOnlyList<ForeignKey> Sorted(Dictionary<string, List<ForeignKey>> keys, string table)
    {
        return
        [
            .. (keys.GetValueOrDefault(table) ?? [])
                .OrderBy(k => k.OtherTable, StringComparer.Ordinal)
                .ThenBy(k => k.Column, StringComparer.Ordinal)
                .ThenBy(k => k.OtherColumn, StringComparer.Ordinal),
        ];
    }

    private static void Add(Dictionary<string, List<ForeignKey>> keys, string table, ForeignKey key)
    {
        if (!keys.TryGetValue(table, out var list))
        {
            keys[table] = list = [];
        }

        list.Add(key);
    }
}
