using Datasette.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>What else in a database uses a column, as SQLite itself sees it.</summary>
internal sealed class TableUses(SqliteConnection connection)
{
    /// <summary>Makes sure that a column can go.</summary>
    /// <exception cref="DatasetteException">400: names what uses it.</exception>
    public void EnsureUnused(string table, string column, string location)
    {
        foreach (var index in SqlStatement.Query(connection, OfTable("index"), Named(table)))
        {
            // With double-quoted texts allowed SQLite would index a constant instead of saying that there is no such column.
            var tokens = SqlToken.Read((string)index[1]!);
            if (tokens.Skip(tokens.FindIndex(t => t.Is("("))).Any(t => t.Names(column)))
            {
                throw Used(location, column, $"index {index[0]}");
            }
        }

        EnsureNoIndexOfWords(table, column, location);
        var keys =
            "select m.name from sqlite_master m join pragma_foreign_key_list(m.name) f where m.type = 'table' "
            + "and f.\"table\" = :name collate nocase and f.\"to\" = :column collate nocase and m.name <> :name collate nocase";
        var named = new Dictionary<string, object?> { ["name"] = table, ["column"] = column };
        if (SqlStatement.Scalar(connection, keys, named) is string other)
        {
            throw Used(location, column, $"a foreign key of table {other}");
        }

        if (Readers(table, column) is [var reader, ..])
        {
            throw Used(location, column, reader);
        }
    }

    /// <summary>Makes sure that no full-text table takes its words from the table, or from the column, under the name it has now.</summary>
    /// <exception cref="DatasetteException">400: names the full-text table.</exception>
    public void EnsureNoIndexOfWords(string table, string? column, string location)
    {
        var sql = "select name, sql from sqlite_master where type = 'table' and sql like 'create virtual table%'";
        foreach (var found in SqlStatement.Query(connection, sql))
        {
            var tokens = SqlToken.Read((string)found[1]!);
            var content = tokens.FindIndex(t => t.Is("content"));
            var reads =
                content >= 0 && content + 2 < tokens.Count && tokens[content + 2].Value.Equals(table, StringComparison.OrdinalIgnoreCase);
            if (reads && (column is null || tokens.Exists(t => t.Names(column))))
            {
                throw Used(location, column ?? table, $"full-text table {found[0]}");
            }
        }
    }

    // The authorizer is told every column a statement reads and the view or trigger that does it; nothing is run.
    private List<string> Readers(string table, string column)
    {
        var readers = new List<string>();
        strdelegate_authorizer look = (_, action, first, second, _, source) =>
        {
            var isIt =
                action is raw.SQLITE_READ or raw.SQLITE_UPDATE
                && table.Equals(first, StringComparison.OrdinalIgnoreCase)
                && column.Equals(second, StringComparison.OrdinalIgnoreCase);
            if (isIt && !string.IsNullOrEmpty(source))
            {
                readers.Add("view or trigger " + source);
            }

            return raw.SQLITE_OK;
        };
        var statements = Statements();
        var db = connection.Handle!;
        _ = raw.sqlite3_set_authorizer(db, look, null);
        try
        {
            foreach (var statement in statements)
            {
                Look(statement);
            }
        }
        finally
        {
            _ = raw.sqlite3_set_authorizer(db, (strdelegate_authorizer?)null, null);
            GC.KeepAlive(look);
        }

        return readers;
    }

    private List<string> Statements()
    {
        var views = SqlStatement.Query(connection, "select name from sqlite_master where type = 'view'");
        var triggered = SqlStatement.Query(connection, "select distinct tbl_name from sqlite_master where type = 'trigger'");
        var statements = views.Select(view => $"select * from {SqlText.QuoteAlways((string)view[0]!)}").ToList();
        foreach (var name in triggered.Select(row => (string)row[0]!))
        {
            var quoted = SqlText.QuoteAlways(name);
            var columns = SqlStatement
                .Query(connection, "select name from pragma_table_xinfo(:name) where hidden = 0", Named(name))
                .Select(row => SqlText.QuoteAlways((string)row[0]!));
            statements.Add($"insert into {quoted} default values");
            statements.Add($"delete from {quoted}");
            statements.Add($"update {quoted} set {string.Join(", ", columns.Select(c => $"{c} = {c}"))}");
        }

        return statements;
    }

    private void Look(string statement)
    {
        try
        {
            SqlStatement.Prepare(connection, statement).Dispose();
        }
        catch (SqliteException)
        {
            // Broken before we came, or not writable: it cannot be broken by this change.
        }
    }

    private static string OfTable(string type) =>
        $"select name, sql from sqlite_master where type = '{type}' and tbl_name = :name collate nocase and sql is not null";

    private static Dictionary<string, object?> Named(string name) => new() { ["name"] = name };

    private static DatasetteException Used(string location, string name, string user) =>
        new(400, $"{location}: {name} is used by {user}; change that first");
}
