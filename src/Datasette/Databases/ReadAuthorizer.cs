using System.Collections.Frozen;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>What a reader may not even prepare, beside all that a read-only connection refuses to run.</summary>
/// <remarks>
/// Inserts, updates and deletes are not refused here: virtual tables prepare such statements for their own tables as soon as they are
/// opened, also by a reader. They fail when they are run.
/// </remarks>
internal static class ReadAuthorizer
{
    // Functions that reach out of the database.
    private static readonly FrozenSet<string> s_functions = new[]
    {
        "load_extension",
        "fts3_tokenizer",
        "readfile",
        "writefile",
        "edit",
        "sqlite3_backup",
        "fsdir",
        "lsmode",
        "sqlite_dbpage",
        "shell_add_schema",
        "sqlite_dbdata",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    // With an argument most pragmas set something; these only ask about what the argument names.
    private static readonly FrozenSet<string> s_asking = new[]
    {
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether nobody may call a function, reader or writer.</summary>
    public static bool IsDangerous(string? function) => s_functions.Contains(function ?? "");

    /// <summary>Whether the work of a function grows with the square of its arguments.</summary>
    public static bool IsSquare(string? function) =>
        function is not null
        && (
            function.Equals("json_patch", StringComparison.OrdinalIgnoreCase)
            || function.Equals("jsonb_patch", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>SQLITE_OK or SQLITE_DENY for one thing that a statement wants.</summary>
    public static int Decide(object? state, int action, string? first, string? second, string? database, string? source)
    {
        var isDenied = action switch
        {
            raw.SQLITE_ATTACH or raw.SQLITE_DETACH => true,
            raw.SQLITE_CREATE_INDEX or raw.SQLITE_CREATE_TABLE or raw.SQLITE_CREATE_TRIGGER or raw.SQLITE_CREATE_VIEW => true,
            raw.SQLITE_CREATE_TEMP_INDEX or raw.SQLITE_CREATE_TEMP_TABLE => true,
            raw.SQLITE_CREATE_TEMP_TRIGGER or raw.SQLITE_CREATE_TEMP_VIEW => true,
            raw.SQLITE_CREATE_VTABLE or raw.SQLITE_DROP_VTABLE => true,
            raw.SQLITE_DROP_INDEX or raw.SQLITE_DROP_TABLE or raw.SQLITE_DROP_TRIGGER or raw.SQLITE_DROP_VIEW => true,
            raw.SQLITE_ALTER_TABLE or raw.SQLITE_REINDEX or raw.SQLITE_ANALYZE => true,
            raw.SQLITE_PRAGMA => second is not null && !s_asking.Contains(first ?? ""),
            raw.SQLITE_FUNCTION => IsDangerous(second),
            // Pages of the file, past every right and every table.
            raw.SQLITE_READ => first is "sqlite_dbpage" or "sqlite_dbdata" or "sqlite_dbptr",
            _ => false,
        };
        return isDenied ? raw.SQLITE_DENY : raw.SQLITE_OK;
    }
}
