namespace Datasette.Databases;

/// <summary>What is in a database at one schema version. Immutable, safe on any thread.</summary>
/// <param name="Tables">All tables with hidden ones, by name.</param>
/// <param name="Views">All views, by name.</param>
public sealed record DatabaseSchema(IReadOnlyList<TableSchema> Tables, IReadOnlyList<ViewSchema> Views)
{
    private readonly Dictionary<string, TableSchema> _tables = Tables.ToDictionary(t => t.Name, StringComparer.Ordinal);
    private readonly Dictionary<string, ViewSchema> _views = Views.ToDictionary(v => v.Name, StringComparer.Ordinal);

    /// <summary>A schema with nothing in it.</summary>
    public static DatabaseSchema Empty { get; } = new([], []);

    /// <summary>SQLite's <c>schema_version</c> that this was read at.</summary>
    public long Version { get; init; }

    /// <summary>The table of this name (exact case); null when there is none.</summary>
    public TableSchema? Table(string name) => _tables.GetValueOrDefault(name);

    /// <summary>The view of this name (exact case); null when there is none.</summary>
    public ViewSchema? View(string name) => _views.GetValueOrDefault(name);

    /// <summary>The table or view of this name; null when there is neither.</summary>
    public RelationSchema? Relation(string name) => (RelationSchema?)Table(name) ?? View(name);
}

/// <summary>A table or a view: what has columns and can be selected from.</summary>
public abstract record RelationSchema
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Columns in declared order, hidden and generated ones too.</summary>
    public required IReadOnlyList<ColumnInfo> Columns { get; init; }

    /// <summary>The CREATE statement as stored, followed by those of its indexes, each as stored.</summary>
    public required IReadOnlyList<string> Definition { get; init; }

    /// <summary>True for a view.</summary>
    public abstract bool IsView { get; }

    /// <summary>Names of the declared primary key columns in key order; empty for rowid tables without one, and for views.</summary>
    public virtual IReadOnlyList<string> PrimaryKeys { get; init; } = [];

    /// <summary>True when rows are addressed by <c>rowid</c> because no primary key is declared.</summary>
    public virtual bool UsesRowid => false;

    /// <summary>The full-text table that indexes this one, or its own name when it is one itself; null when there is none.</summary>
    public string? FtsTable { get; init; }

    /// <summary>Column names in order.</summary>
    public IReadOnlyList<string> ColumnNames => Columns.Select(c => c.Name).ToArray();

    /// <summary>The columns that address a row: the primary key, or <c>rowid</c>, or nothing for a view.</summary>
    public IReadOnlyList<string> RowKeys => UsesRowid ? ["rowid"] : PrimaryKeys;

    /// <summary>The column of this name (exact case); null when there is none.</summary>
    public ColumnInfo? Column(string name) => Columns.FirstOrDefault(c => c.Name == name);
}

/// <summary>A table.</summary>
public sealed record TableSchema : RelationSchema
{
    /// <inheritdoc/>
    public override bool IsView => false;

    /// <inheritdoc/>
    public override bool UsesRowid => PrimaryKeys.Count == 0;

    /// <summary>False for tables declared WITHOUT ROWID (and virtual tables that have none).</summary>
    public bool IsRowidTable { get; init; } = true;

    /// <summary>True for virtual tables.</summary>
    public bool IsVirtual { get; init; }

    /// <summary>Hidden by nature (system, shadow, full-text) or by configuration.</summary>
    public bool Hidden { get; init; }

    /// <summary>Single-column foreign keys of this table, sorted by (other table, column, other column).</summary>
    public IReadOnlyList<ForeignKey> ForeignKeysOut { get; init; } = [];

    /// <summary>Single-column foreign keys that refer to this table, sorted likewise; <see cref="ForeignKey.Column"/> is this table's.</summary>
    public IReadOnlyList<ForeignKey> ForeignKeysIn { get; init; } = [];

    /// <summary>The outgoing keys in the order of <c>PRAGMA foreign_key_list</c>, last declared first.</summary>
    public IReadOnlyList<ForeignKey> ForeignKeysDeclared { get; init; } = [];

    /// <summary>The column whose value names a row; null when the table has none. Configuration overrules it.</summary>
    public string? LabelColumn { get; init; }

    /// <summary>The CREATE statement; empty for tables without one.</summary>
    public string Sql => Definition.Count > 0 ? Definition[0] : "";
}

/// <summary>A view.</summary>
public sealed record ViewSchema : RelationSchema
{
    /// <inheritdoc/>
    public override bool IsView => true;

    /// <summary>The CREATE statement.</summary>
    public string Sql => Definition.Count > 0 ? Definition[0] : "";
}

/// <summary>One column of a table or view.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Declared type as written; may be empty.</param>
/// <param name="NotNull">Declared NOT NULL.</param>
/// <param name="Default">Text of the default expression; null without one.</param>
/// <param name="PkPosition">1-based position inside the primary key; 0 when no part of it.</param>
/// <param name="Hidden">As <c>PRAGMA table_xinfo</c> says: 0 plain, 1 hidden column of a virtual table, 2 or 3 generated.</param>
public sealed record ColumnInfo(string Name, string Type, bool NotNull, string? Default, int PkPosition, int Hidden)
{
    /// <summary>SQLite's affinity of the declared type: TEXT, INTEGER, REAL, BLOB or NUMERIC.</summary>
    public string Affinity => ColumnAffinity.Of(Type);
}

/// <summary>One single-column foreign key, seen from one side.</summary>
/// <param name="OtherTable">The table at the other end.</param>
/// <param name="Column">The column at this end.</param>
/// <param name="OtherColumn">The column at the other end.</param>
public sealed record ForeignKey(string OtherTable, string Column, string OtherColumn);

/// <summary>SQLite's rules from a declared type to an affinity.</summary>
public static class ColumnAffinity
{
    /// <summary>TEXT, INTEGER, REAL, BLOB or NUMERIC.</summary>
    /// <param name="declaredType">The declared type, any case; empty means BLOB.</param>
    public static string Of(string declaredType)
    {
        bool Has(string part) => declaredType.Contains(part, StringComparison.OrdinalIgnoreCase);
        if (Has("int"))
        {
            return "INTEGER";
        }

        if (Has("char") || Has("clob") || Has("text"))
        {
            return "TEXT";
        }

        if (declaredType.Length == 0 || Has("blob"))
        {
            return "BLOB";
        }

        return Has("real") || Has("floa") || Has("doub") ? "REAL" : "NUMERIC";
    }
}
