using System.Globalization;
using Datasette.Databases;
using Datasette.Text;
using Microsoft.Data.Sqlite;

namespace Datasette.Tests.Properties;

/// <summary>Tables of every kind of key and column, with the values that sorts and tokens stumble over.</summary>
internal static class RandomTables
{
    public const int Rows = 60;

    public static readonly IReadOnlyList<string> Names =
    [
        "integer_key",
        "text_key",
        "compound",
        "no_key",
        "without_rowid",
        "strict_any",
        "real_key",
        "odd \"names\", all/of.them",
        "a_view",
    ];

    public static void Fill(SqliteConnection connection, Random random)
    {
        foreach (
            var sql in new[]
            {
                "create table integer_key (id integer primary key, a text, b integer, c real, d blob, e)",
                "create table text_key (id text primary key, a text, b integer, c real, d blob, e)",
                "create table compound (k1 text, k2 integer, a text, b integer, c real, d blob, e, primary key (k1, k2))",
                "create table no_key (a text, b integer, c real, d blob, e)",
                "create table without_rowid (k1 integer, k2 text, a text, b integer, c real, d blob, e, primary key (k2, k1)) without rowid",
                "create table strict_any (id integer primary key, a text, b integer, c real, d blob, e any) strict",
                "create table real_key (id real primary key, a text, b integer, c real, d blob, e)",
                "create table \"odd \"\"names\"\", all/of.them\" (\"the key, really\" text primary key, a text, b integer, c real, d blob, e)",
            }
        )
        {
            SqlStatement.Execute(connection, sql);
        }
        foreach (var table in Names.Where(name => name != "a_view"))
        {
            FillTable(connection, table, random);
        }
        SqlStatement.Execute(connection, "create index by_a on integer_key (a)");
        SqlStatement.Execute(connection, "create view a_view as select id, a, b, c, e from integer_key where id % 7 != 0");
    }

    private static void FillTable(SqliteConnection connection, string table, Random random)
    {
        var columns = SqlStatement
            .Query(connection, "select name, type from pragma_table_info(:table)", new Dictionary<string, object?> { ["table"] = table })
            .Select(row => (Name: (string)row[0]!, Type: (string)row[1]!))
            .ToList();
        var marks = string.Join(", ", columns.Select((_, i) => ":p" + i));
        for (var row = 0; row < Rows; row++)
        {
            var values = columns
                .Select((column, i) => KeyValuePair.Create("p" + i, Value(table, column.Name, column.Type, row, random)))
                .ToDictionary();
            SqlStatement.Execute(connection, $"insert or ignore into {SqlText.QuoteAlways(table)} values ({marks})", values);
        }
    }

    private static object? Value(string table, string column, string type, int row, Random random)
    {
        if (column is "id" or "k1" or "k2" or "the key, really")
        {
            return (table, column) switch
            {
                ("compound", _) when random.Next(5) == 0 => null,
                ("text_key", _) when random.Next(6) == 0 => null,
                ("compound" or "without_rowid", "k1" or "k2") => type == "text" ? Text(random) : random.Next(-3, 9),
                (_, _) when type == "text" => Text(random) + row.ToString(CultureInfo.InvariantCulture),
                (_, _) when type == "real" => random.Next(4) == 0 ? null : random.NextDouble() * 1e6,
                _ => row + 1,
            };
        }
        if (random.Next(5) == 0)
        {
            return null;
        }
        return column switch
        {
            "a" => Text(random),
            "b" => random.Next(3) == 0 ? long.MaxValue - random.Next(3) : random.Next(-5, 20),
            "c" => random.Next(4) == 0 ? 1e300 * 1e300 * (random.Next(2) * 2 - 1) : random.Next(-4, 5) / 3.0,
            "d" => Bytes(random),
            _ => random.Next(5) switch
            {
                0 => Text(random),
                1 => random.Next(-3, 12),
                2 => random.Next(1, 7) / 7.0,
                3 => Bytes(random),
                _ => "12",
            },
        };
    }

    public static string Text(Random random) =>
        random.Next(9) switch
        {
            0 => "",
            1 => "$null",
            2 => "a,b/c.d",
            3 => "Ünï~code 🦆",
            4 => "None",
            5 => "12",
            6 => "100%_x",
            7 => "o'clock \"x\"",
            _ => ((char)('a' + random.Next(4))).ToString(),
        };

    private static byte[] Bytes(Random random)
    {
        var bytes = new byte[random.Next(3)];
        random.NextBytes(bytes);
        return bytes;
    }
}
