using Microsoft.Data.Sqlite;

namespace Testing;

/// <summary>Short ways to use a database in tests. Never pooled: a pooled connection would keep locks that the test does not know of.</summary>
public static class TestDatabase
{
    /// <summary>Opens, and creates when missing.</summary>
    public static SqliteConnection Open(string path, bool readOnly = false)
    {
        SQLitePCL.Batteries_V2.Init();
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder
            {
                DataSource = path,
                Pooling = false,
                ForeignKeys = false,
                Mode = readOnly ? SqliteOpenMode.ReadOnly : SqliteOpenMode.ReadWriteCreate,
            }.ToString()
        );
        connection.Open();
        return connection;
    }

    /// <summary>Runs statements.</summary>
    public static int Execute(this SqliteConnection connection, string sql)
    {
        ArgumentNullException.ThrowIfNull(connection);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }

    /// <summary>The values of the first row, with bars between them.</summary>
    public static string Row(this SqliteConnection connection, string sql)
    {
        ArgumentNullException.ThrowIfNull(connection);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        reader.Read();
        return string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(reader.GetValue));
    }

    /// <summary>The first value of the first row as text; null when there is none.</summary>
    public static string? Scalar(this SqliteConnection connection, string sql)
    {
        ArgumentNullException.ThrowIfNull(connection);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() is { } value and not DBNull
            ? Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)
            : null;
    }
}
