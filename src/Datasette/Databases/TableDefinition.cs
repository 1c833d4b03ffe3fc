using System.Text;
using Datasette.Text;

namespace Datasette.Databases;

/// <summary>What the CREATE statement of a table says, taken apart so that parts can change and the rest stays as it was written.</summary>
internal sealed record TableDefinition
{
    public required string Name { get; init; }

    public required IReadOnlyList<ColumnDefinition> Columns { get; init; }

    /// <summary>Key columns in order; empty without a key, and where the key is kept in <see cref="Constraints"/>.</summary>
    public IReadOnlyList<string> PrimaryKey { get; init; } = [];

    /// <summary>What follows PRIMARY KEY of a single column: a direction, AUTOINCREMENT, what happens on a conflict.</summary>
    public string KeySuffix { get; init; } = "";

    public IReadOnlyList<ForeignKeyDefinition> ForeignKeys { get; init; } = [];

    /// <summary>Constraints of the table as they were written: UNIQUE, CHECK, and keys that say more than their columns.</summary>
    public IReadOnlyList<string> Constraints { get; init; } = [];

    /// <summary>What follows the columns: STRICT, WITHOUT ROWID.</summary>
    public string Options { get; init; } = "";

    /// <summary>Whether rows are kept by rowid.</summary>
    public bool HasRowid => !Options.Contains("ROWID", StringComparison.OrdinalIgnoreCase);

    /// <summary>The column that is another name of the rowid; null without one.</summary>
    public string? RowidColumn =>
        HasRowid && PrimaryKey is [var key] && !KeySuffix.Contains("DESC", StringComparison.OrdinalIgnoreCase)
            ? Columns.FirstOrDefault(c => c.IsNamed(key) && c.Type.Equals("INTEGER", StringComparison.OrdinalIgnoreCase))?.Name
            : null;

    public ColumnDefinition? Column(string name) => Columns.FirstOrDefault(c => c.IsNamed(name));

    /// <summary>The statement, written as the interface writes tables.</summary>
    public string ToSql(string name)
    {
        var lines = Columns.Select(Line).ToList();
        lines.AddRange(ForeignKeys.Where(k => k.Columns.Count > 1).Select(k => $"   FOREIGN KEY ({List(k.Columns)}) {k.ToSql()}"));
        lines.AddRange(Constraints.Select(c => "   " + c));
        if (PrimaryKey.Count > 1)
        {
            lines.Add($"   PRIMARY KEY ({List(PrimaryKey)})");
        }

        return $"CREATE TABLE {SqlText.QuoteAlways(name)} (\n{string.Join(",\n", lines)}\n){(Options.Length > 0 ? " " + Options : "")}";
    }

    private string Line(ColumnDefinition column)
    {
        var line = new StringBuilder("   ").Append(SqlText.QuoteAlways(column.Name));
        if (column.Type.Length > 0)
        {
            line.Append(' ').Append(PlainType(column.Type));
        }

        if (PrimaryKey is [var key] && column.IsNamed(key))
        {
            line.Append(" PRIMARY KEY").Append(KeySuffix);
        }

        line.Append(column.ToSql());
        foreach (var reference in ForeignKeys.Where(k => k.Columns is [var own] && column.IsNamed(own)))
        {
            line.Append(' ').Append(reference.ToSql());
        }

        return line.ToString();
    }

    // Only spellings of one and the same type change; INT, which makes no rowid of a key, or VARCHAR(20) stay what they are.
    private static string PlainType(string type) =>
        type.ToUpperInvariant() is "INTEGER" or "TEXT" or "REAL" or "BLOB" ? type.ToUpperInvariant()
        : type.Equals("float", StringComparison.OrdinalIgnoreCase) ? "REAL"
        : type;

    public static string List(IEnumerable<string> names) => string.Join(", ", names.Select(SqlText.QuoteAlways));
}

/// <summary>One column of a CREATE statement.</summary>
internal sealed record ColumnDefinition(string Name, string Type)
{
    /// <summary>The name under which the table in the database has it now; null for a column that it does not have yet.</summary>
    public string? StoredName { get; init; }

    /// <summary>NOT NULL with what follows it; null without.</summary>
    public string? NotNull { get; init; }

    /// <summary>The default as SQL; null without one.</summary>
    public string? Default { get; init; }

    /// <summary>UNIQUE, CHECK, COLLATE and GENERATED as they were written.</summary>
    public IReadOnlyList<string> Rest { get; init; } = [];

    /// <summary>Computed, so it is never copied.</summary>
    public bool IsGenerated { get; init; }

    public bool IsNamed(string name) => Name.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>What follows name, type and key.</summary>
    public string ToSql() =>
        (NotNull is null ? "" : " " + NotNull)
        + (Default is null ? "" : " DEFAULT " + Default)
        + string.Concat(Rest.Select(part => " " + part));
}

/// <summary>A foreign key of a CREATE statement.</summary>
/// <param name="Columns">This table's columns.</param>
/// <param name="Table">The other table.</param>
/// <param name="OtherColumns">Its columns; empty for its key.</param>
/// <param name="Suffix">What happens on changes, as written.</param>
internal sealed record ForeignKeyDefinition(
    IReadOnlyList<string> Columns,
    string Table,
    IReadOnlyList<string> OtherColumns,
    string Suffix = ""
)
{
    public string ToSql() =>
        $"REFERENCES {SqlText.QuoteAlways(Table)}"
        + (OtherColumns.Count > 0 ? $"({TableDefinition.List(OtherColumns)})" : "")
        + (Suffix.Length > 0 ? " " + Suffix : "");
}
