using System.Text;
using Microsoft.Data.Sqlite;

namespace Testing.Oracles;

/// <summary>
/// The content of a database as text that two libraries of SQLite agree on to the bit: schema, then the rows of every stored table with the
/// type of each value. The same statements are asked of a local file (here) and of a genuine Litestream (<see cref="Litestream05"/>).
/// </summary>
/// <remarks>
/// A row is <c>rowid|value|value...</c>; a value is <c>n</c>, <c>i42</c>, <c>r</c> and 16 hex digits, <c>t</c> and hex, <c>b</c> and hex.
/// Numbers are not printed by SQLite because versions print them differently. Virtual tables appear as their shadow tables.
/// </remarks>
public static class CanonicalDump
{
    /// <summary>Header and schema; one line each.</summary>
    internal const string SchemaSql =
        "SELECT 'user_version ' || (SELECT user_version FROM pragma_user_version) || ' page_size ' || (SELECT page_size FROM pragma_page_size)"
        + " || ' encoding ' || (SELECT encoding FROM pragma_encoding);"
        + " SELECT 'schema ' || json_array(type, name, tbl_name, sql) FROM sqlite_schema ORDER BY type, name;";

    /// <summary>One line for each stored table: the statement that prints its rows.</summary>
    internal const string TablesSql = """
        WITH stored AS (SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema'),
        columns AS (SELECT s.name AS tbl, c.name AS col, c.cid, c.pk FROM stored s, pragma_table_xinfo(s.name) c WHERE c.hidden <> 1),
        keys AS (SELECT name AS tbl, wr, CASE
              WHEN wr THEN (SELECT group_concat('"' || replace(col, '"', '""') || '"') FROM (SELECT col FROM columns c WHERE c.tbl = name AND pk > 0 ORDER BY pk))
              WHEN NOT EXISTS (SELECT 1 FROM columns c WHERE c.tbl = name AND lower(col) = 'rowid') THEN 'rowid'
              WHEN NOT EXISTS (SELECT 1 FROM columns c WHERE c.tbl = name AND lower(col) = '_rowid_') THEN '_rowid_'
              ELSE 'oid' END AS ordering FROM stored)
        SELECT replace('SELECT ''table ' || replace(json_quote(tbl), '''', '''''') || '''; SELECT ' || CASE WHEN wr THEN '''''' ELSE ordering END
            || (SELECT group_concat(' || ''|'' || CASE typeof(' || q || ') WHEN ''null'' THEN ''n'' WHEN ''integer'' THEN ''i'' || ' || q
                || ' WHEN ''real'' THEN ''r'' || hex(ieee754_to_blob(' || q || ')) WHEN ''text'' THEN ''t'' || hex(' || q || ') ELSE ''b'' || hex(' || q || ') END', '')
                FROM (SELECT '"' || replace(col, '"', '""') || '"' AS q FROM columns c WHERE c.tbl = keys.tbl ORDER BY cid))
            || ' FROM "' || replace(tbl, '"', '""') || '" ORDER BY ' || ordering || ';', char(10), char(32))
        FROM keys ORDER BY tbl;
        """;

    /// <summary>The content of a database file. Opened and closed through SQLite; a live one is read as any reader reads it.</summary>
    public static string Of(string databasePath)
    {
        var settings = new SqliteConnectionStringBuilder
        {
            DataSource = databasePath,
            Mode = SqliteOpenMode.ReadWrite,
            Pooling = false,
        };
        using var connection = new SqliteConnection(settings.ToString());
        connection.Open();
        return Of(connection);
    }

    /// <summary>The content as a connection sees it, in one read transaction.</summary>
    public static string Of(SqliteConnection connection)
    {
        connection.CreateFunction<double, byte[]>("ieee754_to_blob", ToBigEndian, isDeterministic: true);
        using var transaction = connection.BeginTransaction(deferred: true);
        var text = new StringBuilder();
        Append(connection, SchemaSql, text);
        var tables = new StringBuilder();
        Append(connection, TablesSql, tables);
        foreach (var statement in tables.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Append(connection, statement, text);
        return text.ToString();
    }

    private static void Append(SqliteConnection connection, string sql, StringBuilder text)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        do
        {
            while (reader.Read())
                text.Append(reader.GetString(0)).Append('\n');
        } while (reader.NextResult());
    }

    private static byte[] ToBigEndian(double value)
    {
        var bytes = new byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteDoubleBigEndian(bytes, value);
        return bytes;
    }
}
