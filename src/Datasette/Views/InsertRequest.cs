using System.Text.Json;
using Datasette.Databases;

namespace Datasette.Views;

/// <summary>The body of an insert, checked. Pure.</summary>
internal sealed record InsertRequest(
    IReadOnlyList<IReadOnlyList<KeyValuePair<string, object?>>> Rows,
    bool Return,
    bool Ignore,
    bool Replace,
    bool Alter
)
{
    private static readonly string[] Parameters = ["return", "ignore", "replace", "alter"];

    /// <exception cref="DatasetteException">400 with one message for each thing that is wrong.</exception>
    public static InsertRequest Parse(JsonElement body, TableSchema table, int maxRows, bool isUpsert = false)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw new DatasetteException(400, "JSON must be a dictionary");
        }
        var hasRow = body.TryGetProperty("row", out var row);
        var hasRows = body.TryGetProperty("rows", out var rows);
        if (hasRow && hasRows)
        {
            throw new DatasetteException(400, "Cannot use \"row\" and \"rows\" at the same time");
        }
        if (!hasRow && !hasRows)
        {
            throw new DatasetteException(400, "JSON must have one or other of \"row\" or \"rows\"");
        }
        var items = hasRow ? OneRow(row) : ManyRows(rows, maxRows);
        CheckParameters(body);
        bool Flag(string name) => body.TryGetProperty(name, out var value) && IsTrue(value);
        var request = new InsertRequest([], Flag("return") || hasRow, Flag("ignore"), Flag("replace"), Flag("alter"));
        if (request.Ignore && request.Replace)
        {
            throw new DatasetteException(400, "Cannot use \"ignore\" and \"replace\" at the same time");
        }
        CheckRows(items, table, isUpsert, request.Alter);
        return request with { Rows = Read(items) };
    }

    private static List<JsonElement> OneRow(JsonElement row) =>
        row.ValueKind == JsonValueKind.Object ? [row] : throw new DatasetteException(400, "\"row\" must be a dictionary");

    private static List<JsonElement> ManyRows(JsonElement rows, int maxRows)
    {
        if (rows.ValueKind != JsonValueKind.Array)
        {
            throw new DatasetteException(400, "\"rows\" must be a list");
        }
        var items = rows.EnumerateArray().ToList();
        if (items.Any(item => item.ValueKind != JsonValueKind.Object))
        {
            throw new DatasetteException(400, "\"rows\" must be a list of dictionaries");
        }
        return items.Count <= maxRows ? items : throw new DatasetteException(400, $"Too many rows, maximum allowed is {maxRows}");
    }

    private static void CheckParameters(JsonElement body)
    {
        var unknown = body.EnumerateObject()
            .Select(property => property.Name)
            .Where(name => name is not ("row" or "rows") && !Parameters.Contains(name))
            .Distinct()
            .Order(StringComparer.Ordinal)
            .ToList();
        if (unknown.Count > 0)
        {
            throw new DatasetteException(400, "Invalid parameter: " + string.Join(", ", unknown.Select(name => $"\"{name}\"")));
        }
    }

    private static void CheckRows(List<JsonElement> items, TableSchema table, bool isUpsert, bool mayHaveNew)
    {
        var errors = new List<string>();
        // Names that the row before had at the same places, and that the table has.
        var known = new List<string>();
        for (var i = 0; i < items.Count; i++)
        {
            if (isUpsert)
            {
                var row = items[i];
                AddIf(errors, $"Row {i} is missing primary key column(s)", table.RowKeys.Where(key => !row.TryGetProperty(key, out _)));
                AddIf(
                    errors,
                    $"Row {i} has null primary key column(s)",
                    table.RowKeys.Where(key => row.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Null)
                );
            }
            if (HasKnownColumns(items[i], table, known))
            {
                continue;
            }
            var bad = items[i]
                .EnumerateObject()
                .Select(property => property.Name)
                .Where(name => !Has(table, name))
                .Distinct()
                .Order(StringComparer.Ordinal)
                .ToList();
            if (bad.Count > 0 && !mayHaveNew)
            {
                errors.Add($"Row {i} has invalid columns: {string.Join(", ", bad)}");
            }
        }
        if (errors.Count > 0)
        {
            throw new DatasetteException(400, errors);
        }
    }

    private static bool HasKnownColumns(JsonElement row, TableSchema table, List<string> known)
    {
        var i = 0;
        foreach (var property in row.EnumerateObject())
        {
            if (i < known.Count && property.NameEquals(known[i]))
            {
                i++;
                continue;
            }
            var name = property.Name;
            if (!Has(table, name))
            {
                return false;
            }
            known.RemoveRange(i, known.Count - i);
            known.Add(name);
            i++;
        }
        return true;
    }

    private static void AddIf(List<string> errors, string what, IEnumerable<string> columns)
    {
        var names = string.Join("\", \"", columns);
        if (names.Length > 0)
        {
            errors.Add($"{what}: \"{names}\"");
        }
    }

    /// <summary>Whether a row may have this key. SQLite compares names without case.</summary>
    public static bool Has(TableSchema table, string name) =>
        table.Columns.Any(column => string.Equals(column.Name, name, StringComparison.OrdinalIgnoreCase))
        || table.UsesRowid && name == "rowid";

    /// <summary>The values of a row; bytes come in their envelope.</summary>
    public static IReadOnlyList<KeyValuePair<string, object?>> Values(JsonElement row) => Values(row, []);

    private static List<IReadOnlyList<KeyValuePair<string, object?>>> Read(List<JsonElement> items)
    {
        var rows = new List<IReadOnlyList<KeyValuePair<string, object?>>>(items.Count);
        List<KeyValuePair<string, object?>> last = [];
        foreach (var item in items)
        {
            last = Values(item, last);
            rows.Add(last);
        }
        return rows;
    }

    /// <param name="row">An object.</param>
    /// <param name="like">The row before it: where the names are the same, they need not be made again, nor looked for among those before.</param>
    private static List<KeyValuePair<string, object?>> Values(JsonElement row, List<KeyValuePair<string, object?>> like)
    {
        var values = new List<KeyValuePair<string, object?>>(like.Count);
        Dictionary<string, int>? places = null;
        foreach (var property in row.EnumerateObject())
        {
            var value = CellValues.Of(property.Value);
            if (places is null && values.Count < like.Count && property.NameEquals(like[values.Count].Key))
            {
                values.Add(new(like[values.Count].Key, value));
                continue;
            }
            places ??= values.Index().ToDictionary(pair => pair.Item.Key, pair => pair.Index, StringComparer.OrdinalIgnoreCase);
            var name = property.Name;
            // A key that comes twice: the last one counts, as everywhere in JSON.
            if (places.TryGetValue(name, out var place))
            {
                values[place] = new(values[place].Key, value);
            }
            else
            {
                places.Add(name, values.Count);
                values.Add(new(name, value));
            }
        }
        return values;
    }

    /// <summary>Whether a value counts as yes: anything that is not empty, zero or false.</summary>
    public static bool IsTrue(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.Number => value.GetDouble() != 0,
            JsonValueKind.String => value.GetString()!.Length > 0,
            JsonValueKind.Array => value.GetArrayLength() > 0,
            JsonValueKind.Object => value.EnumerateObject().Any(),
            _ => false,
        };
}
