using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Datasette.Databases;

/// <summary>One prepared statement over SQLite's own interface: exact integers, raw text bytes, SQLite's own words in errors.</summary>
/// <remarks>Belongs to the thread that uses its connection. Errors are <see cref="SqliteException"/> whose message is SQLite's, unadorned.</remarks>
public sealed class SqlStatement : IDisposable
{
    private readonly sqlite3 _db;
    private readonly sqlite3_stmt _statement;
    private bool _isRunning;
    private StatementCache? _cache;

    private SqlStatement(sqlite3 db, sqlite3_stmt statement, string sql)
    {
        _db = db;
        _statement = statement;
        Sql = sql;
        ColumnCount = raw.sqlite3_column_count(statement);
    }

    /// <summary>The text it was prepared from.</summary>
    public string Sql { get; }

    /// <summary>Number of result columns; 0 for statements that return nothing.</summary>
    public int ColumnCount { get; private set; }

    /// <summary>True when it changes nothing in the database, directly.</summary>
    public bool IsReadOnly => raw.sqlite3_stmt_readonly(_statement) != 0;

    /// <summary>Prepares exactly one statement.</summary>
    /// <param name="connection">An open connection.</param>
    /// <param name="sql">One statement; comments and a final semicolon are fine.</param>
    public static SqlStatement Prepare(SqliteConnection connection, string sql)
    {
        var db = connection.Handle ?? throw new InvalidOperationException("The connection is closed.");
        var bytes = new byte[Encoding.UTF8.GetByteCount(sql) + 1];
        Encoding.UTF8.GetBytes(sql, bytes);
        var rc = raw.sqlite3_prepare_v2(db, bytes.AsSpan(), out var statement, out var tail);
        if (rc != raw.SQLITE_OK)
        {
            var failure = SqlErrors.FromConnection(db, rc);
            if (NativeSqlite.ErrorOffset(db) is >= 0 and var offset && offset < bytes.Length)
            {
                failure.Data[SqlErrors.PlaceKey] = Encoding.UTF8.GetCharCount(bytes, 0, offset);
            }

            throw failure;
        }

        if (statement.IsInvalid)
        {
            throw new SqliteException("No SQL statement was given", raw.SQLITE_ERROR);
        }

        try
        {
            if (HasSecondStatement(db, tail))
            {
                throw new SqliteException("You can only execute one statement at a time.", raw.SQLITE_ERROR);
            }

            return new SqlStatement(db, statement, sql);
        }
        catch
        {
            statement.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="Prepare"/>; but a connection that keeps its statements prepares the same text once. For texts of our own making.</summary>
    internal static SqlStatement Kept(SqliteConnection connection, string sql)
    {
        if (StatementCache.Of(connection) is not { } cache)
        {
            return Prepare(connection, sql);
        }

        var statement = cache.Take(sql);
        statement._cache = cache;
        return statement;
    }

    /// <summary>Prepares, binds, steps to the end and forgets the rows.</summary>
    /// <returns>Rows changed by this statement.</returns>
    public static int Execute(SqliteConnection connection, string sql, IReadOnlyDictionary<string, object?>? parameters = null)
    {
        using var statement = Kept(connection, sql);
        statement.BindAll(parameters);
        return statement.Run();
    }

    /// <summary>Steps to the end and forgets the rows.</summary>
    /// <returns>Rows changed by this statement.</returns>
    internal int Run()
    {
        while (Step()) { }

        return IsReadOnly ? 0 : raw.sqlite3_changes(_db);
    }

    /// <summary>Prepares, binds and reads every row.</summary>
    public static List<object?[]> Query(SqliteConnection connection, string sql, IReadOnlyDictionary<string, object?>? parameters = null)
    {
        using var statement = Kept(connection, sql);
        statement.BindAll(parameters);
        var rows = new List<object?[]>();
        while (statement.Step())
        {
            rows.Add(statement.ReadRow());
        }

        return rows;
    }

    /// <summary>The first value of the first row; null when there is none.</summary>
    public static object? Scalar(SqliteConnection connection, string sql, IReadOnlyDictionary<string, object?>? parameters = null)
    {
        using var statement = Kept(connection, sql);
        statement.BindAll(parameters);
        return statement.Step() ? statement.Value(0) : null;
    }

    /// <summary>Binds every parameter of the statement from a map by name (without <c>:</c>, <c>@</c> or <c>$</c>); <c>?1</c> is named <c>1</c>.</summary>
    /// <exception cref="SqliteException">A parameter has no value in the map.</exception>
    public void BindAll(IReadOnlyDictionary<string, object?>? parameters)
    {
        var count = raw.sqlite3_bind_parameter_count(_statement);
        for (var i = 1; i <= count; i++)
        {
            var name = raw.sqlite3_bind_parameter_name(_statement, i).utf8_to_string();
            var key = string.IsNullOrEmpty(name) ? i.ToString(System.Globalization.CultureInfo.InvariantCulture) : name[1..];
            if (parameters is null || !parameters.TryGetValue(key, out var value))
            {
                throw new SqliteException($"You did not supply a value for binding parameter :{key}.", raw.SQLITE_ERROR);
            }

            Bind(i, value);
        }
    }

    /// <summary>Binds one value: null, bool, any integer, double, decimal, string, byte[], or a JSON node (objects and arrays as JSON text).</summary>
    /// <param name="index">1-based.</param>
    /// <param name="value">The value.</param>
    public void Bind(int index, object? value)
    {
        var rc = value switch
        {
            null => raw.sqlite3_bind_null(_statement, index),
            string text => BindText(index, text),
            long number => raw.sqlite3_bind_int64(_statement, index, number),
            int number => raw.sqlite3_bind_int64(_statement, index, number),
            bool flag => raw.sqlite3_bind_int64(_statement, index, flag ? 1 : 0),
            double number => raw.sqlite3_bind_double(_statement, index, number),
            float number => raw.sqlite3_bind_double(_statement, index, number),
            decimal number => raw.sqlite3_bind_double(_statement, index, (double)number),
            byte[] { Length: 0 } => raw.sqlite3_bind_zeroblob(_statement, index, 0),
            byte[] bytes => raw.sqlite3_bind_blob(_statement, index, bytes),
            uint or short or ushort or byte or sbyte => raw.sqlite3_bind_int64(
                _statement,
                index,
                Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture)
            ),
            JsonNode node => BindNode(index, node),
            _ => throw new ArgumentException($"A value of type {value.GetType().Name} cannot be bound.", nameof(value)),
        };
        if (rc != raw.SQLITE_OK)
        {
            throw SqlErrors.FromConnection(_db, rc);
        }
    }

    /// <summary>Goes to the next row.</summary>
    /// <returns>False at the end.</returns>
    public bool Step()
    {
        var rc = raw.sqlite3_step(_statement);
        if (!_isRunning)
        {
            // SQLite prepares a statement anew when the schema has changed, and then select * may have other columns.
            _isRunning = true;
            ColumnCount = raw.sqlite3_column_count(_statement);
        }

        return rc switch
        {
            raw.SQLITE_ROW => true,
            raw.SQLITE_DONE => false,
            _ => throw SqlErrors.FromConnection(_db, rc),
        };
    }

    /// <summary>Makes the statement ready to run again; bound values stay.</summary>
    public void Reset()
    {
        _isRunning = false;
        _ = raw.sqlite3_reset(_statement);
    }

    /// <summary>Names of the result columns.</summary>
    public string[] ColumnNames()
    {
        var names = new string[ColumnCount];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = raw.sqlite3_column_name(_statement, i).utf8_to_string();
        }

        return names;
    }

    /// <summary>The values of the current row.</summary>
    public object?[] ReadRow()
    {
        var row = new object?[ColumnCount];
        for (var i = 0; i < row.Length; i++)
        {
            row[i] = Value(i);
        }

        return row;
    }

    /// <summary>One value of the current row: null, long, double, string or byte[].</summary>
    /// <param name="column">0-based.</param>
    public object? Value(int column)
    {
        return raw.sqlite3_column_type(_statement, column) switch
        {
            raw.SQLITE_INTEGER => raw.sqlite3_column_int64(_statement, column),
            raw.SQLITE_FLOAT => raw.sqlite3_column_double(_statement, column),
            raw.SQLITE_TEXT => Text(column),
            raw.SQLITE_BLOB => raw.sqlite3_column_blob(_statement, column).ToArray(),
            _ => null,
        };
    }

    /// <summary>An integer of the current row.</summary>
    /// <param name="column">0-based.</param>
    internal long Integer(int column) => raw.sqlite3_column_int64(_statement, column);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_cache is { } cache)
        {
            _cache = null;
            Reset();
            _ = raw.sqlite3_clear_bindings(_statement);
            cache.Return(this);
            return;
        }

        _statement.Dispose();
    }

    // column_text makes SQLite convert to UTF-8 where the database is UTF-16; the bytes after it may hold NULs and invalid sequences.
    private string Text(int column)
    {
        _ = raw.sqlite3_column_text(_statement, column);
        return Encoding.UTF8.GetString(raw.sqlite3_column_blob(_statement, column));
    }

    private int BindText(int index, string text)
    {
        return raw.sqlite3_bind_text(_statement, index, text);
    }

    private int BindNode(int index, JsonNode node)
    {
        if (node is not JsonValue value)
        {
            return BindText(index, node.ToJsonString());
        }

        if (value.TryGetValue<string>(out var text))
        {
            return BindText(index, text);
        }

        if (value.TryGetValue<bool>(out var flag))
        {
            return raw.sqlite3_bind_int64(_statement, index, flag ? 1 : 0);
        }

        return value.TryGetValue<long>(out var number)
            ? raw.sqlite3_bind_int64(_statement, index, number)
            : raw.sqlite3_bind_double(_statement, index, value.GetValue<double>());
    }

    private static bool HasSecondStatement(sqlite3 db, ReadOnlySpan<byte> tail)
    {
        while (tail.Length > 0 && (char.IsWhiteSpace((char)tail[0]) || tail[0] is (byte)';' or 0))
        {
            tail = tail[1..];
        }

        if (tail.Length == 0)
        {
            return false;
        }

        var rc = raw.sqlite3_prepare_v2(db, tail, out var second, out _);
        using (second)
        {
            // A text that SQLite cannot parse is something after the first statement, too.
            return rc != raw.SQLITE_OK || !second.IsInvalid;
        }
    }
}

/// <summary>Prepared statements of one connection: those used last are kept, since the same questions come again and again.</summary>
/// <remarks>Belongs to the thread that uses the connection. SQLite prepares a kept statement anew by itself when the schema changes.</remarks>
internal sealed class StatementCache(SqliteConnection connection) : IDisposable
{
    private const int Most = 48;
    private static readonly ConditionalWeakTable<SqliteConnection, StatementCache> s_all = [];
    private const int LongestSql = 16 * 1024;
    private readonly Dictionary<string, LinkedListNode<SqlStatement>> _idle = new(StringComparer.Ordinal);
    private readonly LinkedList<SqlStatement> _order = new();

    /// <summary>From now on <see cref="SqlStatement.Execute"/> and its like keep their statements on a connection. Dispose what is returned before it.</summary>
    public static StatementCache Keep(SqliteConnection connection)
    {
        var cache = new StatementCache(connection);
        s_all.Add(connection, cache);
        return cache;
    }

    /// <summary>The cache of a connection; null where statements are not kept.</summary>
    public static StatementCache? Of(SqliteConnection connection) => s_all.TryGetValue(connection, out var cache) ? cache : null;

    /// <summary>A statement ready to be bound and run, for this user alone until it is given back or disposed.</summary>
    public SqlStatement Take(string sql)
    {
        if (_idle.Remove(sql, out var node))
        {
            _order.Remove(node);
            return node.Value;
        }

        return SqlStatement.Prepare(connection, sql);
    }

    /// <summary>Takes a statement back that ran without an error.</summary>
    public void Return(SqlStatement statement)
    {
        if (statement.Sql.Length > LongestSql || _idle.ContainsKey(statement.Sql))
        {
            statement.Dispose();
            return;
        }

        // A statement that is not reset would keep its read transaction, and so the WAL, for ever.
        statement.Reset();
        _idle[statement.Sql] = _order.AddFirst(statement);
        if (_order.Count > Most)
        {
            var oldest = _order.Last!.Value;
            _order.RemoveLast();
            _idle.Remove(oldest.Sql);
            oldest.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var statement in _order)
        {
            statement.Dispose();
        }

        _order.Clear();
        _idle.Clear();
    }
}
