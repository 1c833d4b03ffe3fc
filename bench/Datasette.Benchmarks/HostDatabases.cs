using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Datasette.Benchmarks;

/// <summary>The databases that are served: plain tables of mixed columns, the same in every run.</summary>
internal static class HostDatabases
{
    /// <summary>The columns of both tables in order.</summary>
    public const string Columns = "id, name, kind, state, amount, ratio, created, note";

    /// <summary>A table of ten thousand rows, of which a page shows a hundred.</summary>
    public static void MakeSmall(string path) => Make(path, "items", 10_000);

    /// <summary>A table whose CSV is about a hundred bytes a row.</summary>
    public static void MakeLarge(string path, int rows) => Make(path, "big", rows);

    private static void Make(string path, string table, int rows)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        Execute(connection, "pragma journal_mode=wal");
        Execute(connection, "pragma synchronous=off");
        Execute(
            connection,
            $"create table {table} (id integer primary key, name text, kind text, state integer, amount integer, ratio real, created text, note text)"
        );
        Execute(
            connection,
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                with recursive c(x) as (select 1 union all select x + 1 from c where x < {rows})
                insert into {table}
                select x, 'item number ' || x, 'kind ' || (x * 7919 % 13), x % 5, x * 7919 % 1000003, (x * 7919 % 9973) / 7.0,
                    date('2020-01-01', '+' || (x % 2000) || ' days'), case when x % 3 then 'a note of some words about ' || x end
                from c
                """
            )
        );
        Execute(connection, "pragma wal_checkpoint(truncate)");
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.CommandTimeout = 0;
        command.ExecuteNonQuery();
    }
}
