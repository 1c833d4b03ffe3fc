using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>One thing that a statement would do.</summary>
/// <param name="Operation">read, insert, update, delete, create, drop, alter; or what kind of statement it is that does none of these.</param>
/// <param name="Kind">What it is done to: table, view, index, trigger, or the kind of statement.</param>
/// <param name="Database">SQLite's name of the database: main, temp or an attached one.</param>
/// <param name="Table">The table or view; null where there is none.</param>
/// <param name="Source">The view or trigger that leads there; null when the statement itself names it.</param>
internal sealed record SqlAccess(string Operation, string Kind, string Database, string? Table, string? Source)
{
    /// <summary>Whether it only looks.</summary>
    public bool IsRead => Operation == "read";

    /// <summary>Whether it is one of the operations that there are rights for.</summary>
    public bool IsKnown =>
        Operation is "read" or "insert" or "update" or "delete" or "create" or "drop" or "alter"
        && Kind is not ("trigger" or "virtual table");
}

/// <summary>What a statement would do. Immutable.</summary>
/// <param name="Accesses">Each thing once, in the order SQLite meets them; without how SQLite keeps its own books.</param>
/// <param name="All">Everything, bookkeeping too: what the statement may touch when it runs.</param>
/// <param name="Functions">Functions that it calls, in lower case.</param>
internal sealed record SqlAnalysis(IReadOnlyList<SqlAccess> Accesses, IReadOnlySet<SqlAccess> All, IReadOnlySet<string> Functions);

/// <summary>Asks SQLite what a statement would touch, by preparing it and never running it.</summary>
internal static class SqlAnalyzer
{
    private const string Schema = "sqlite_master";
    private const string TemporarySchema = "sqlite_temp_master";

    /// <summary>What a statement would do, each thing once, in the order SQLite meets them.</summary>
    /// <param name="connection">A connection that nobody else uses meanwhile; its own authorizer is put back by the caller, if it has one.</param>
    /// <param name="sql">One statement.</param>
    /// <exception cref="SqliteException">SQLite does not understand it.</exception>
    public static SqlAnalysis Analyze(SqliteConnection connection, string sql)
    {
        var found = new List<SqlAccess>();
        var all = new HashSet<SqlAccess>();
        var functions = new HashSet<string>(StringComparer.Ordinal);
        strdelegate_authorizer look = (_, action, first, second, database, source) =>
        {
            if (action == raw.SQLITE_FUNCTION)
            {
                functions.Add((second ?? "").ToLowerInvariant());
            }
            else if (AccessOf(action, first, second, database ?? "main", source) is { } access && all.Add(access))
            {
                found.Add(access);
            }

            return raw.SQLITE_OK;
        };
        var db = connection.Handle!;
        _ = raw.sqlite3_set_authorizer(db, look, null);
        try
        {
            SqlStatement.Prepare(connection, sql).Dispose();
        }
        finally
        {
            _ = raw.sqlite3_set_authorizer(db, (strdelegate_authorizer?)null, null);
            GC.KeepAlive(look);
        }

        return new(WithoutBookkeeping(found), all, functions);
    }

    /// <summary>Whether a table tells of all others: whoever may read it may read everything.</summary>
    public static bool IsAboutAll(string? table) =>
        table is not null
        && (
            table.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase)
            || table.StartsWith("pragma_", StringComparison.OrdinalIgnoreCase)
            || table.Equals("dbstat", StringComparison.OrdinalIgnoreCase)
        );

    // A statement that makes or drops something also writes the table of tables; that is how, not what.
    private static List<SqlAccess> WithoutBookkeeping(List<SqlAccess> found)
    {
        var changed = found.Where(a => a.Operation is "create" or "drop" or "alter").ToList();
        if (changed.Count == 0)
        {
            return found;
        }

        var dropped = changed.Where(a => a.Operation == "drop").Select(a => a.Table).ToHashSet();
        return
        [
            .. found.Where(a =>
                changed.Contains(a)
                || (
                    a.Table is not (Schema or TemporarySchema or "sqlite_sequence" or "sqlite_stat1" or "sqlite_stat4")
                    && !(a.Operation is "delete" or "update" && dropped.Contains(a.Table))
                    && !(a.Operation is "reindex")
                    && !(a.IsRead && changed.Exists(c => c.Operation is "alter" && c.Table == a.Table))
                )
            ),
        ];
    }

    /// <summary>What the authorizer is asked, as one thing that a statement would do; null for what touches nothing.</summary>
    internal static SqlAccess? AccessOf(int action, string? first, string? second, string database, string? source)
    {
        return action switch
        {
            raw.SQLITE_READ => new("read", "table", database, first, source),
            raw.SQLITE_INSERT => new("insert", "table", database, first, source),
            raw.SQLITE_UPDATE => new("update", "table", database, first, source),
            raw.SQLITE_DELETE => new("delete", "table", database, first, source),
            raw.SQLITE_CREATE_TABLE => new("create", "table", database, first, source),
            raw.SQLITE_CREATE_VTABLE => new("create", "virtual table", database, first, source),
            raw.SQLITE_CREATE_TEMP_TABLE => new("create", "temporary table", "temp", first, source),
            raw.SQLITE_CREATE_VIEW => new("create", "view", database, first, source),
            raw.SQLITE_CREATE_TEMP_VIEW => new("create", "temporary view", "temp", first, source),
            raw.SQLITE_DROP_TABLE or raw.SQLITE_DROP_VTABLE or raw.SQLITE_DROP_TEMP_TABLE => new("drop", "table", database, first, source),
            raw.SQLITE_DROP_VIEW or raw.SQLITE_DROP_TEMP_VIEW => new("drop", "view", database, first, source),
            raw.SQLITE_ALTER_TABLE => new("alter", "table", first ?? database, second, source),
            raw.SQLITE_CREATE_INDEX or raw.SQLITE_DROP_INDEX => new("alter", "index", database, second, source),
            raw.SQLITE_CREATE_TEMP_INDEX or raw.SQLITE_DROP_TEMP_INDEX => new("alter", "temporary index", "temp", second, source),
            raw.SQLITE_CREATE_TRIGGER or raw.SQLITE_CREATE_TEMP_TRIGGER => new("create", "trigger", database, second, source),
            raw.SQLITE_DROP_TRIGGER or raw.SQLITE_DROP_TEMP_TRIGGER => new("drop", "trigger", database, second, source),
            raw.SQLITE_PRAGMA => new("pragma", "pragma", database, first, source),
            raw.SQLITE_ATTACH => new("attach", "database", database, first, source),
            raw.SQLITE_DETACH => new("detach", "database", database, first, source),
            raw.SQLITE_TRANSACTION => new("transaction", "transaction", database, null, source),
            raw.SQLITE_SAVEPOINT => new("savepoint", "savepoint", database, null, source),
            raw.SQLITE_REINDEX => new("reindex", "index", database, first, source),
            raw.SQLITE_ANALYZE => new("analyze", "table", database, first, source),
            _ => null,
        };
    }
}
