using System.Text.Json;

namespace Datasette.Views;

/// <summary>The body of a create, checked as far as it can be without a look at the database. Pure.</summary>
internal sealed record CreateTableRequest
{
    private static readonly string[] Keys = ["table", "rows", "row", "columns", "pk", "pks", "ignore", "replace", "alter"];

    public required string Table { get; init; }

    public IReadOnlyList<NewColumn> Columns { get; init; } = [];

    public IReadOnlyList<IReadOnlyList<KeyValuePair<string, object?>>> Rows { get; init; } = [];

    /// <summary>Key columns as asked for; empty for none.</summary>
    public IReadOnlyList<string> Pks { get; init; } = [];

    public bool IsPkText { get; init; }

    public bool Ignore { get; init; }

    public bool Replace { get; init; }

    public bool Alter { get; init; }

    public bool HasRows => Rows.Count > 0;

    /// <summary>What rights have to be asked for before the rest is looked at, as the original does.</summary>
    public static (bool Replace, bool HasRows, bool Alter) Wishes(JsonElement body)
    {
        CheckFrame(body);
        return (Flag(body, "replace"), Flag(body, "row") || Flag(body, "rows"), Flag(body, "alter"));
    }

    /// <exception cref="DatasetteException">400: the first thing that is wrong.</exception>
    public static CreateTableRequest Parse(JsonElement body)
    {
        CheckFrame(body);
        var columns = Flag(body, "columns") ? ParseColumns(body) : [];
        var rows = ParseRows(body);
        var (pks, isText) = ParsePks(body);
        return new()
        {
            Table = body.GetProperty("table").GetString()!,
            Columns = columns,
            Rows = rows,
            Pks = pks,
            IsPkText = isText,
            Ignore = Flag(body, "ignore"),
            Replace = Flag(body, "replace"),
            Alter = Flag(body, "alter"),
        };
    }

    private static void CheckFrame(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw Bad("JSON must be an object");
        }
        var unknown = body.EnumerateObject().Select(p => p.Name).Where(name => !Keys.Contains(name)).Distinct().ToList();
        if (unknown.Count > 0)
        {
            throw Bad("Invalid keys: " + string.Join(", ", unknown.Order(StringComparer.Ordinal)));
        }
        if (Flag(body, "ignore") && Flag(body, "replace"))
        {
            throw Bad("ignore and replace are mutually exclusive");
        }
        if (Has(body, "ignore") || Has(body, "replace"))
        {
            if (!Flag(body, "row") && !Flag(body, "rows"))
            {
                throw Bad("ignore and replace require row or rows");
            }
            if (!Flag(body, "pk") && !Flag(body, "pks"))
            {
                throw Bad("ignore and replace require pk or pks");
            }
        }
        CheckName(body);
        if (!Flag(body, "columns") && !Flag(body, "rows") && !Flag(body, "row"))
        {
            throw Bad("columns, rows or row is required");
        }
        if (Flag(body, "rows") && Flag(body, "row"))
        {
            throw Bad("Cannot specify both rows and row");
        }
    }

    private static void CheckName(JsonElement body)
    {
        if (!Flag(body, "table"))
        {
            throw Bad("Table is required");
        }
        var table = body.GetProperty("table");
        if (table.ValueKind != JsonValueKind.String || !IsTableName(table.GetString()!))
        {
            throw Bad("Invalid table name");
        }
    }

    /// <summary>Names that SQLite keeps for itself and names of two lines are none.</summary>
    public static bool IsTableName(string name) =>
        name.Length > 0 && !name.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase) && !name.Contains('\n') && !name.Contains('\0');

    private static List<NewColumn> ParseColumns(JsonElement body)
    {
        if (Flag(body, "rows") || Flag(body, "row"))
        {
            throw Bad("Cannot specify columns with rows or row");
        }
        var list = body.GetProperty("columns");
        if (list.ValueKind != JsonValueKind.Array)
        {
            throw Bad("columns must be a list");
        }
        var columns = list.EnumerateArray().Select(ParseColumn).ToList();
        var twice = columns.GroupBy(c => c.Name, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1).Select(g => g.Key).ToList();
        return twice.Count == 0 ? columns : throw Bad("Duplicate column name: " + string.Join(", ", twice));
    }

    private static NewColumn ParseColumn(JsonElement column)
    {
        if (column.ValueKind != JsonValueKind.Object)
        {
            throw Bad("columns must be a list of objects");
        }
        if (!column.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String || name.GetString()!.Length == 0)
        {
            throw Bad("Column name is required");
        }
        return new(name.GetString()!, ColumnSql.TypeOf(Text(column, "type")))
        {
            IsNotNull = Flag(column, "not_null"),
            Default = ColumnSql.Default(column),
            ForeignTable = Text(column, "fk_table"),
            ForeignColumn = Text(column, "fk_column"),
        };
    }

    private static IReadOnlyList<IReadOnlyList<KeyValuePair<string, object?>>> ParseRows(JsonElement body)
    {
        if (Flag(body, "row"))
        {
            var row = body.GetProperty("row");
            return row.ValueKind == JsonValueKind.Object ? [InsertRequest.Values(row)] : throw Bad("rows must be a list of objects");
        }
        if (!Flag(body, "rows"))
        {
            return [];
        }
        var rows = body.GetProperty("rows");
        if (rows.ValueKind != JsonValueKind.Array)
        {
            throw Bad("rows must be a list");
        }
        return rows.EnumerateArray().All(row => row.ValueKind == JsonValueKind.Object)
            ? rows.EnumerateArray().Select(InsertRequest.Values).ToList()
            : throw Bad("rows must be a list of objects");
    }

    private static (IReadOnlyList<string> Pks, bool IsText) ParsePks(JsonElement body)
    {
        if (Flag(body, "pk") && Flag(body, "pks"))
        {
            throw Bad("Cannot specify both pk and pks");
        }
        if (Flag(body, "pk"))
        {
            var pk = body.GetProperty("pk");
            return pk.ValueKind == JsonValueKind.String ? ([pk.GetString()!], true) : throw Bad("pk must be a string");
        }
        if (!Flag(body, "pks"))
        {
            return ([], false);
        }
        var pks = body.GetProperty("pks");
        if (pks.ValueKind != JsonValueKind.Array)
        {
            throw Bad("pks must be a list");
        }
        return pks.EnumerateArray().All(pk => pk.ValueKind == JsonValueKind.String)
            ? (pks.EnumerateArray().Select(pk => pk.GetString()!).ToList(), false)
            : throw Bad("pks must be a list of strings");
    }

    private static bool Has(JsonElement body, string key) => body.TryGetProperty(key, out _);

    private static bool Flag(JsonElement body, string key) => body.TryGetProperty(key, out var value) && InsertRequest.IsTrue(value);

    private static string? Text(JsonElement body, string key) =>
        body.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String && value.GetString()!.Length > 0
            ? value.GetString()
            : null;

    private static DatasetteException Bad(string message) => new(400, message);
}
