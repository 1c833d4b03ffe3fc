using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Databases;

/// <summary>Makes a table anew under another definition, row by row, inside the caller's transaction.</summary>
internal static class TableRebuild
{
    private const string OthersSql =
        "select type, sql from sqlite_master where type in ('index', 'trigger') and tbl_name = :name collate nocase and sql is not null order by rowid";

    private static readonly string[] RowidNames = ["rowid", "_rowid_", "oid"];

    /// <param name="connection">The writer, in a transaction, without enforcement of foreign keys.</param>
    /// <param name="table">The definition to reach; <see cref="ColumnDefinition.StoredName"/> says which columns are copied.</param>
    public static void Run(SqliteConnection connection, TableDefinition table)
    {
        var others = SqlStatement.Query(connection, OthersSql, Named(table.Name));
        var stored = TableDefinitionParser.Parse(
            (string)
                SqlStatement.Scalar(connection, "select sql from sqlite_master where type = 'table' and name = :name", Named(table.Name))!
        );
        var sequence = Sequence(connection, table.Name);
        var temporary = FreeName(connection, table.Name);
        SqlStatement.Execute(connection, table.ToSql(temporary));
        SqlStatement.Execute(connection, Copy(table, stored, temporary));
        // In this mode SQLite leaves the words of views, triggers and other tables' keys alone: they name the table that comes back at once.
        SqlStatement.Execute(connection, "PRAGMA legacy_alter_table=1");
        try
        {
            SqlStatement.Execute(connection, $"DROP TABLE {SqlText.QuoteAlways(table.Name)}");
            SqlStatement.Execute(connection, $"ALTER TABLE {SqlText.QuoteAlways(temporary)} RENAME TO {SqlText.QuoteAlways(table.Name)}");
        }
        finally
        {
            SqlStatement.Execute(connection, "PRAGMA legacy_alter_table=0");
        }

        foreach (var other in others)
        {
            SqlStatement.Execute(connection, (string)other[1]!);
        }

        if (sequence is not null && table.KeySuffix.Contains("AUTOINCREMENT", StringComparison.OrdinalIgnoreCase))
        {
            // A number once given is never given again, even if its row has gone.
            SqlStatement.Execute(connection, "delete from sqlite_sequence where name = :name", Named(table.Name));
            SqlStatement.Execute(
                connection,
                "insert into sqlite_sequence(name, seq) values (:name, :seq)",
                new Dictionary<string, object?> { ["name"] = table.Name, ["seq"] = sequence }
            );
        }
    }

    private static string Copy(TableDefinition table, TableDefinition stored, string target)
    {
        var copied = table.Columns.Where(c => c.StoredName is not null && !c.IsGenerated).ToList();
        var into = copied.Select(c => SqlText.QuoteAlways(c.Name)).ToList();
        var from = copied.Select(c => SqlText.QuoteAlways(c.StoredName!)).ToList();
        var copiesRowid = table.RowidColumn is { } alias && copied.Exists(c => c.IsNamed(alias));
        if (table.HasRowid && stored.HasRowid && !copiesRowid && FreeRowidName(table, stored) is { } rowid)
        {
            into.Insert(0, rowid);
            from.Insert(0, rowid);
        }

        return $"INSERT INTO {SqlText.QuoteAlways(target)} ({string.Join(", ", into)}) "
            + $"SELECT {string.Join(", ", from)} FROM {SqlText.QuoteAlways(table.Name)}";
    }

    private static string? FreeRowidName(TableDefinition table, TableDefinition stored) =>
        RowidNames.FirstOrDefault(name => table.Column(name) is null && stored.Column(name) is null);

    private static string FreeName(SqliteConnection connection, string table)
    {
        for (var i = 1; ; i++)
        {
            var name = $"{table}_new_{i}";
            if (SqlStatement.Scalar(connection, "select 1 from sqlite_master where name = :name collate nocase", Named(name)) is null)
            {
                return name;
            }
        }
    }

    private static object? Sequence(SqliteConnection connection, string table) =>
        SqlStatement.Scalar(connection, "select 1 from sqlite_master where name = 'sqlite_sequence'") is null
            ? null
            : SqlStatement.Scalar(connection, "select seq from sqlite_sequence where name = :name", Named(table));

    private static Dictionary<string, object?> Named(string name) => new() { ["name"] = name };
}
