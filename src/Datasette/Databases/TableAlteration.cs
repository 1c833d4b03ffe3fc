using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>Changes a table in one transaction: by ALTER TABLE where SQLite can, else by the rebuild that SQLite's documentation describes.</summary>
/// <remarks>
/// Rowids, indexes, triggers, views and foreign keys of other tables survive. What the change would break without SQLite saying so (a
/// view, trigger, index, full-text table or foreign key that uses a dropped column) is refused. Runs on the writer.
/// </remarks>
internal sealed class TableAlteration
{
    private const string TableSql = "select sql from sqlite_master where type = 'table' and name = :name";
    private readonly SqliteConnection _connection;
    private readonly TableUses _uses;
    private TableDefinition _table;
    private bool _isChanged;

    private TableAlteration(SqliteConnection connection, string table)
    {
        _connection = connection;
        _table = Read(table);
        _uses = new TableUses(connection);
    }

    /// <summary>Carries out all operations, or none.</summary>
    /// <param name="connection">The writer, outside a transaction.</param>
    /// <param name="table">The table's name as stored.</param>
    /// <param name="operations">At least one.</param>
    /// <returns>The table's name and CREATE statement afterwards, and the statement before.</returns>
    /// <exception cref="DatasetteException">400: an operation that cannot be.</exception>
    /// <exception cref="SqliteException">SQLite refused; nothing has changed.</exception>
    public static (string Name, string Schema, string Before) Run(
        SqliteConnection connection,
        string table,
        IReadOnlyList<TableOperation> operations
    )
    {
        // Neither can be switched inside a transaction, or not with effect: a plugin may have turned enforcement on, and then DROP TABLE deletes.
        var enforced = (long)SqlStatement.Scalar(connection, "PRAGMA foreign_keys")! != 0;
        if (enforced)
        {
            SqlStatement.Execute(connection, "PRAGMA foreign_keys=0");
        }

        try
        {
            SqlStatement.Execute(connection, "BEGIN IMMEDIATE");
            try
            {
                EnsurePlain(connection, table);
                var before = SqlOf(connection, table);
                var alteration = new TableAlteration(connection, table);
                alteration.Apply(operations);
                if (enforced && SqlStatement.Query(connection, "PRAGMA foreign_key_check").Count > 0)
                {
                    throw new SqliteException("FOREIGN KEY constraint failed", SQLitePCL.raw.SQLITE_CONSTRAINT);
                }

                var name = alteration._table.Name;
                var after = SqlOf(connection, name);
                SqlStatement.Execute(connection, "COMMIT");
                return (name, after, before);
            }
            catch
            {
                SqlStatement.Execute(connection, "ROLLBACK");
                throw;
            }
        }
        finally
        {
            if (enforced)
            {
                SqlStatement.Execute(connection, "PRAGMA foreign_keys=1");
            }
        }
    }

    private static void EnsurePlain(SqliteConnection connection, string table)
    {
        var type = SqlStatement.Scalar(
            connection,
            "select type from pragma_table_list(:name) where schema = 'main'",
            new Dictionary<string, object?> { ["name"] = table }
        );
        if (type is not "table" || table.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase))
        {
            throw new DatasetteException(400, $"{table} is a {(type is "table" ? "system" : type)} table and cannot be altered");
        }
    }

    private void Apply(IReadOnlyList<TableOperation> operations)
    {
        if (operations.All(o => o is RenameTable || (o is AddColumn add && CanAddInPlace(add))))
        {
            foreach (var operation in operations)
            {
                ApplyInPlace(operation);
            }

            return;
        }

        foreach (var operation in operations)
        {
            switch (operation)
            {
                case RenameTable rename:
                    Rebuild();
                    ApplyInPlace(rename);
                    break;
                case RenameColumn rename:
                    Rename(rename);
                    break;
                default:
                    if (operation is DropColumn drop && _table.Column(drop.Name)?.StoredName is { } stored)
                    {
                        _uses.EnsureUnused(_table.Name, stored, drop.Location);
                    }

                    var changed = TableChanges.Apply(_table, operation, KeyOf);
                    _isChanged |= changed != _table;
                    _table = changed;
                    break;
            }
        }

        Rebuild();
    }

    // A default that is computed is taken for rows that are there only by a rebuild.
    private bool CanAddInPlace(AddColumn add) =>
        add.IsDefaultConstant || SqlStatement.Scalar(_connection, $"select 1 from {SqlText.QuoteAlways(_table.Name)} limit 1") is null;

    private void ApplyInPlace(TableOperation operation)
    {
        var table = SqlText.QuoteAlways(_table.Name);
        if (operation is AddColumn { Column: var column })
        {
            var type = column.Type.Length > 0 ? " " + column.Type : "";
            SqlStatement.Execute(_connection, $"ALTER TABLE {table} ADD COLUMN {SqlText.QuoteAlways(column.Name)}{type}{column.ToSql()}");
            _table = Read(_table.Name);
            return;
        }

        var rename = (RenameTable)operation;
        _uses.EnsureNoIndexOfWords(_table.Name, null, rename.Location);
        SqlStatement.Execute(_connection, $"ALTER TABLE {table} RENAME TO {SqlText.QuoteAlways(rename.To)}");
        _table = Read(rename.To);
    }

    // SQLite's own rename follows the name into indexes, triggers, views and foreign keys; here only what is not stored yet must follow.
    private void Rename(RenameColumn rename)
    {
        if (_table.Column(rename.Name) is not { } column)
        {
            return;
        }

        if (_table.Columns.Any(c => c != column && c.IsNamed(rename.To)))
        {
            throw new DatasetteException(400, $"{rename.Location}: duplicate column name: {rename.To}");
        }

        var stored = Read(_table.Name);
        if (column.StoredName is not null && stored.Columns.Any(c => c.IsNamed(rename.To) && !c.IsNamed(column.StoredName)))
        {
            // The new name is that of a column which is dropped or renamed in this request but still stored.
            Rebuild();
            column = _table.Column(rename.Name)!;
        }

        if (column.StoredName is { } old)
        {
            _uses.EnsureNoIndexOfWords(_table.Name, old, rename.Location);
            SqlStatement.Execute(
                _connection,
                $"ALTER TABLE {SqlText.QuoteAlways(_table.Name)} RENAME COLUMN {SqlText.QuoteAlways(old)} TO {SqlText.QuoteAlways(rename.To)}"
            );
            stored = Read(_table.Name);
        }

        _table = _table with
        {
            Columns = [.. _table.Columns.Select(c => Renamed(c, column, rename.To, stored))],
            PrimaryKey = Renamed(_table.PrimaryKey, column, rename.To),
            Constraints =
            [
                .. stored.Constraints.Where(c => _table.Constraints.Count == stored.Constraints.Count || !TableChanges.IsKey(c)),
            ],
            ForeignKeys =
            [
                .. _table.ForeignKeys.Select(k =>
                    k with
                    {
                        Columns = Renamed(k.Columns, column, rename.To),
                        OtherColumns = k.Table.Equals(_table.Name, StringComparison.OrdinalIgnoreCase)
                            ? Renamed(k.OtherColumns, column, rename.To)
                            : k.OtherColumns,
                    }
                ),
            ],
        };
        _isChanged = true;
    }

    private static ColumnDefinition Renamed(ColumnDefinition column, ColumnDefinition renamed, string to, TableDefinition stored)
    {
        if (column == renamed)
        {
            column = column with { Name = to, StoredName = column.StoredName is null ? null : to };
        }

        return column.StoredName is { } name ? column with { Rest = stored.Column(name)!.Rest } : column;
    }

    private static IReadOnlyList<string> Renamed(IReadOnlyList<string> names, ColumnDefinition column, string to) =>
        [.. names.Select(name => column.IsNamed(name) ? to : name)];

    private void Rebuild()
    {
        if (_isChanged)
        {
            TableRebuild.Run(_connection, _table);
            _isChanged = false;
            _table = Read(_table.Name);
        }
    }

    private IReadOnlyList<string>? KeyOf(string table)
    {
        var rows = SqlStatement.Query(
            _connection,
            "select c.name, c.pk from pragma_table_list(:name) t join pragma_table_info(t.name) c where t.schema = 'main' and t.type <> 'view'",
            new Dictionary<string, object?> { ["name"] = table }
        );
        return rows.Count == 0 ? null : [.. rows.Where(r => (long)r[1]! > 0).OrderBy(r => (long)r[1]!).Select(r => (string)r[0]!)];
    }

    private TableDefinition Read(string table)
    {
        var parsed = TableDefinitionParser.Parse(SqlOf(_connection, table));
        return parsed with { Name = table };
    }

    private static string SqlOf(SqliteConnection connection, string table) =>
        (string)SqlStatement.Scalar(connection, TableSql, new Dictionary<string, object?> { ["name"] = table })!;
}
