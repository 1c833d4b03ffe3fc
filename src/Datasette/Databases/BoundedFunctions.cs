using SQLitePCL;

namespace Datasette.Databases;

/// <summary>SQLite's own text functions whose work is the product of two lengths, with a bound on that product.</summary>
/// <remarks>
/// Inside a function SQLite looks at no clock: <c>instr</c> of two megabytes in eight would keep a reader for hours and nobody could stop it.
/// Short arguments go to SQLite's own function on a small connection, so that every answer is SQLite's.
/// </remarks>
internal static class BoundedFunctions
{
    // Below a second of comparing bytes.
    private const long LargestWork = 1_000_000_000;
    private const int Innocuous = 0x200000;
    private const int Flags = raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC | Innocuous;

    private static readonly (string Name, int Arguments)[] s_functions =
    [
        ("instr", 2),
        ("replace", 3),
        ("trim", 2),
        ("ltrim", 2),
        ("rtrim", 2),
    ];

    /// <summary>Puts the bounded functions in the place of SQLite's on one connection.</summary>
    public static void Register(sqlite3 db)
    {
        var own = new Own();
        foreach (var (name, arguments) in s_functions)
        {
            var marks = string.Join(", ", Enumerable.Range(1, arguments).Select(i => "?" + (char)('0' + i)));
            var sql = $"select {name}({marks})";
            _ = raw.sqlite3_create_function(
                db,
                name,
                arguments,
                Flags,
                null,
                (context, _, values) => Call(own, name, sql, context, values)
            );
        }
    }

    private static void Call(Own own, string name, string sql, sqlite3_context context, sqlite3_value[] values)
    {
        var work = (long)raw.sqlite3_value_bytes(values[0]) * raw.sqlite3_value_bytes(values[1]);
        if (work > LargestWork)
        {
            raw.sqlite3_result_error(context, $"{name}(): the arguments are too long to be compared within the time limit");
            return;
        }

        var statement = own.Statement(sql);
        for (var i = 0; i < values.Length; i++)
        {
            Bind(statement, i + 1, values[i]);
        }

        var rc = raw.sqlite3_step(statement);
        if (rc == raw.SQLITE_ROW)
        {
            Answer(context, statement);
        }
        else
        {
            raw.sqlite3_result_error_code(context, rc);
        }

        _ = raw.sqlite3_reset(statement);
        _ = raw.sqlite3_clear_bindings(statement);
    }

    private static void Bind(sqlite3_stmt statement, int index, sqlite3_value value)
    {
        _ = raw.sqlite3_value_type(value) switch
        {
            raw.SQLITE_NULL => raw.sqlite3_bind_null(statement, index),
            raw.SQLITE_INTEGER => raw.sqlite3_bind_int64(statement, index, raw.sqlite3_value_int64(value)),
            raw.SQLITE_FLOAT => raw.sqlite3_bind_double(statement, index, raw.sqlite3_value_double(value)),
            raw.SQLITE_TEXT => raw.sqlite3_bind_text(statement, index, Text(value)),
            _ when raw.sqlite3_value_bytes(value) == 0 => raw.sqlite3_bind_zeroblob(statement, index, 0),
            _ => raw.sqlite3_bind_blob(statement, index, raw.sqlite3_value_blob(value)),
        };
    }

    // value_text makes SQLite convert to UTF-8; the bytes may hold NULs and invalid sequences, which a string would not keep.
    private static ReadOnlySpan<byte> Text(sqlite3_value value)
    {
        _ = raw.sqlite3_value_text(value);
        return raw.sqlite3_value_blob(value);
    }

    private static void Answer(sqlite3_context context, sqlite3_stmt statement)
    {
        switch (raw.sqlite3_column_type(statement, 0))
        {
            case raw.SQLITE_NULL:
                raw.sqlite3_result_null(context);
                break;
            case raw.SQLITE_INTEGER:
                raw.sqlite3_result_int64(context, raw.sqlite3_column_int64(statement, 0));
                break;
            case raw.SQLITE_TEXT:
                _ = raw.sqlite3_column_text(statement, 0);
                raw.sqlite3_result_text(context, raw.sqlite3_column_blob(statement, 0));
                break;
            default:
                raw.sqlite3_result_blob(context, raw.sqlite3_column_blob(statement, 0));
                break;
        }
    }

    /// <summary>The small connection behind one reader, opened at the first call; it goes when the reader is collected.</summary>
    private sealed class Own
    {
        private readonly Dictionary<string, sqlite3_stmt> _statements = new(StringComparer.Ordinal);
        private sqlite3? _db;

        public sqlite3_stmt Statement(string sql)
        {
            if (!_statements.TryGetValue(sql, out var statement))
            {
                if (_db is null)
                {
                    _ = raw.sqlite3_open_v2(":memory:", out _db, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_MEMORY, null);
                }

                _ = raw.sqlite3_prepare_v2(_db, sql, out statement);
                _statements[sql] = statement;
            }

            return statement;
        }
    }
}
