using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Testing;

/// <summary>What a database says, without how its pages say it: the fixtures' "logical dump" and its SHA-256.</summary>
public static class LogicalDump
{
    /// <summary>SHA-256 of the dump of a file that nobody has open. Leaves nothing beside the file, also when it is in WAL mode.</summary>
    public static string HashOfFile(string path)
    {
        using var connection = OpenImmutable(path);
        return Hash(connection);
    }

    /// <summary>Opens a database file that nobody changes; no <c>-wal</c> or <c>-shm</c> is read or made.</summary>
    public static SqliteConnection OpenImmutable(string path)
    {
        var parts = Path.GetFullPath(path).Replace(Path.DirectorySeparatorChar, '/').TrimStart('/').Split('/');
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder
            {
                DataSource = $"file:///{string.Join('/', parts.Select(Uri.EscapeDataString))}?immutable=1",
                Mode = SqliteOpenMode.ReadOnly,
                Pooling = false,
            }.ToString()
        );
        connection.Open();
        return connection;
    }

    /// <summary>SHA-256 of the dump, in lower-case hex.</summary>
    public static string Hash(SqliteConnection connection)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var line in Lines(connection))
            hash.AppendData(Encoding.UTF8.GetBytes(line + "\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The lines of the dump, one after the other.</summary>
    public static IEnumerable<string> Lines(SqliteConnection connection)
    {
        var encoding = Text(connection, "PRAGMA encoding") switch
        {
            "UTF-16le" => Encoding.Unicode,
            "UTF-16be" => Encoding.BigEndianUnicode,
            _ => Encoding.UTF8,
        };
        yield return $"{{\"user_version\":{Text(connection, "PRAGMA user_version")}}}";
        foreach (
            var row in Rows(
                connection,
                """
                SELECT type, name, tbl_name, sql FROM sqlite_schema
                WHERE sql IS NOT NULL AND substr(name, 1, 12) <> '_litestream_' AND substr(name, 1, 7) <> 'sqlite_'
                ORDER BY type, name
                """
            )
        )
            yield return $"[{string.Join(',', row.Select(v => Quote(v!)))}]";
        var tables = Rows(
                connection,
                """
                SELECT name, wr FROM pragma_table_list
                WHERE schema = 'main' AND type IN ('table', 'shadow') AND substr(name, 1, 12) <> '_litestream_' AND substr(name, 1, 7) <> 'sqlite_'
                ORDER BY name
                """
            )
            .ToList();
        foreach (var table in tables)
        foreach (var line in TableLines(connection, table[0]!, table[1] == "1", encoding))
            yield return line;
    }

    private static IEnumerable<string> TableLines(SqliteConnection connection, string table, bool withoutRowid, Encoding encoding)
    {
        var columns = Rows(connection, "SELECT name, pk FROM pragma_table_xinfo($table) WHERE hidden <> 1 ORDER BY cid", table).ToList();
        yield return $"{{\"table\":{Quote(table)},\"columns\":[{string.Join(',', columns.Select(c => Quote(c[0]!)))}]}}";
        var order = withoutRowid
            ? string.Join(
                ',',
                columns.Where(c => c[1] != "0").OrderBy(c => int.Parse(c[1]!, CultureInfo.InvariantCulture)).Select(c => Name(c[0]!))
            )
            : "rowid";
        using var command = connection.CreateCommand();
        // Text as bytes: a zero character inside would end a string early.
        command.CommandText =
            $"SELECT {string.Join(',', columns.Select(c => $"typeof({Name(c[0]!)}), CASE typeof({Name(c[0]!)}) WHEN 'text' THEN CAST({Name(c[0]!)} AS BLOB) ELSE {Name(c[0]!)} END"))}"
            + $" FROM {Name(table)} ORDER BY {order}";
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var values = Enumerable.Range(0, columns.Count).Select(i => Value(reader, i * 2, encoding));
            yield return $"[{string.Join(',', values)}]";
        }
    }

    private static string Value(SqliteDataReader reader, int at, Encoding encoding)
    {
        switch (reader.GetString(at))
        {
            case "null":
                return "null";
            case "integer":
                return reader.GetInt64(at + 1).ToString(CultureInfo.InvariantCulture);
            case "real":
                Span<byte> bytes = stackalloc byte[8];
                BinaryPrimitives.WriteDoubleBigEndian(bytes, reader.GetDouble(at + 1));
                return $"{{\"real\":\"{Convert.ToHexStringLower(bytes)}\"}}";
            case "text":
                return Quote(encoding.GetString(Bytes(reader, at + 1)));
            default:
                return $"{{\"blob\":\"{Convert.ToHexStringLower(Bytes(reader, at + 1))}\"}}";
        }
    }

    // An empty blob is null to some versions of the provider.
    private static byte[] Bytes(SqliteDataReader reader, int at) => reader.IsDBNull(at) ? [] : reader.GetFieldValue<byte[]>(at);

    private static string Name(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"", text.Length + 2);
        foreach (var c in text)
        {
            quoted.Append(
                c switch
                {
                    '"' => "\\\"",
                    '\\' => "\\\\",
                    '\b' => "\\b",
                    '\t' => "\\t",
                    '\n' => "\\n",
                    '\f' => "\\f",
                    '\r' => "\\r",
                    < ' ' => $"\\u{(int)c:x4}",
                    _ => null,
                }
            );
            if (c is not ('"' or '\\') && c >= ' ')
                quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }

    private static string Text(SqliteConnection connection, string sql) => Rows(connection, sql).Single()[0]!;

    private static IEnumerable<string?[]> Rows(SqliteConnection connection, string sql, string? table = null)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        if (table is not null)
            command.Parameters.AddWithValue("$table", table);
        using var reader = command.ExecuteReader();
        while (reader.Read())
            yield return [.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetString(i))];
    }
}
