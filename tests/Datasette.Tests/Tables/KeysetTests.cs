using Datasette.Databases;
using Datasette.Tables;
using Xunit;

namespace Datasette.Tests.Tables;

/// <summary>Every row exactly once, in SQLite's own order, whatever the values and keys are.</summary>
public sealed class KeysetTests
{
    private static readonly string[] Tables =
    [
        "create table t (id integer primary key, s TYPE)",
        "create table t (s TYPE)",
        "create table t (a text, b integer, s TYPE, primary key (a, b))",
        "create table t (a, b any, s TYPE, primary key (a, b))",
        "create table t (a text collate nocase, b real, s TYPE, primary key (b, a)) without rowid",
        "create table t (\"group\" text primary key, s TYPE)",
    ];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("integer")]
    [InlineData("text")]
    [InlineData("real")]
    [InlineData("")]
    [InlineData("blob")]
    [InlineData("any")]
    [InlineData("numeric collate nocase")]
    public async Task Pages_VisitEveryRowOnce(string type)
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        foreach (var create in Tables)
        {
            await using var database = await FilledAsync(create.Replace("TYPE", type, StringComparison.Ordinal), random);
            var schema = await database.SchemaAsync(Ct);
            var table = schema.Table("t")!;
            foreach (var sort in (string?[])[null, "_sort", "_sort_desc"])
            {
                var order = string.Join(", ", table.RowKeys.Select(k => $"\"{k}\""));
                order = sort is null ? order : $"s {(sort == "_sort" ? "" : "desc")}, {order}";
                var expected = await database.ExecuteAsync(
                    $"select rowid_or_key from (select {Key(table)} as rowid_or_key, t.* from t order by {order})",
                    ct: Ct
                );
                var size = random.Next(1, 8);
                var seen = await WalkAsync(database, schema, table, sort, size);
                var problem = $"seed {seed}: {create} with s {type}, {sort}, pages of {size}";
                Assert.True(expected.Rows.Select(r => r[0]).SequenceEqual(seen), problem);
            }
        }
    }

    [Fact]
    public void Token_OfTooFewComponents_IsIgnored()
    {
        var table = new TableSchema
        {
            Name = "t",
            Columns = [new("a", "text", false, null, 1, 0), new("b", "text", false, null, 2, 0)],
            Definition = [],
            PrimaryKeys = ["a", "b"],
        };
        var schema = new DatabaseSchema([table], []);
        var query = TableQuery.Parse(schema, table, [new("_next", "x")], new TableQueryOptions());
        Assert.Equal("select a, b from t order by a, b limit 101", query.Sql);
        query = TableQuery.Parse(schema, table, [new("_next", "x~2C,$null")], new TableQueryOptions());
        Assert.Equal("select a, b from t where ((a > :p0) or (a is :p0 and b is not null)) order by a, b limit 101", query.Sql);
        Assert.Equal("x,", query.Parameters["p0"]);
    }

    // A text that tells rows apart also where keys are NULL: every row carries its number at the end of the sort column's neighbour.
    private static string Key(TableSchema table) =>
        string.Join(" || '/' || ", table.RowKeys.Select(k => $"quote(t.\"{k}\")")) + " || '/' || quote(t.s)";

    private static async Task<List<object?>> WalkAsync(Database database, DatabaseSchema schema, TableSchema table, string? sort, int size)
    {
        var seen = new List<object?>();
        string? token = null;
        do
        {
            List<KeyValuePair<string, string>> arguments = [new("_size", size.ToString(System.Globalization.CultureInfo.InvariantCulture))];
            // The sort column need not be shown.
            arguments.AddRange(sort is null ? [] : [new(sort, "s"), new("_nocol", "s")]);
            arguments.AddRange(token is null ? [] : [new("_next", token)]);
            var query = TableQuery.Parse(schema, table, arguments, new TableQueryOptions());
            var rows = (await database.ExecuteAsync(query.Sql, query.Parameters, ct: Ct)).Rows;
            var page = query.Complete(rows);
            foreach (var row in rows.Take(page.Rows.Count))
            {
                seen.Add(await NameAsync(database, table, query, row));
            }

            token = page.Next;
            Assert.True(
                seen.Count < 1000,
                $"{table.Sql}, {sort}, pages of {size}: never ends at {query.Sql} {string.Join(' ', query.Parameters)}"
            );
        } while (token is not null);
        return seen;
    }

    private static async Task<object?> NameAsync(Database database, TableSchema table, TableQuery query, object?[] row)
    {
        var names = query.Columns.Concat(query.Columns.Contains("s") ? [] : ["s"]).ToList();
        var values = table.RowKeys.Append("s").Select(k => row[names.IndexOf(k)]).ToArray();
        var parameters = values.Select((v, i) => (v, i)).ToDictionary(x => "v" + x.i, x => x.v);
        var sql = "select " + string.Join(" || '/' || ", values.Select((_, i) => $"quote(:v{i})"));
        return (await database.ExecuteAsync(sql, parameters, ct: Ct)).Scalar;
    }

    private static async Task<Database> FilledAsync(string create, Random random)
    {
        var database = Database.SharedMemory("k", new DatabaseOptions { TimeLimit = TimeSpan.FromSeconds(20) });
        await database.WriteAsync(
            c =>
            {
                SqlStatement.Execute(c, create);
                for (var i = 0; i < 40; i++)
                {
                    using var info = SqlStatement.Prepare(c, "select * from t");
                    var columns = info.ColumnNames();
                    var values = columns.ToDictionary(n => n, n => n == "id" ? i : AnyValue(random));
                    // NULL keys may repeat in SQLite, and then no key can tell the rows apart.
                    var keys = columns.Where(n => n is "a" or "b" or "group").Select(n => $"\"{n}\" is :{n}").DefaultIfEmpty("0");
                    if (SqlStatement.Scalar(c, $"select 1 from t where {string.Join(" and ", keys)}", values) is not null)
                    {
                        continue;
                    }

                    var sql =
                        $"insert or ignore into t ({string.Join(", ", columns.Select(n => $"\"{n}\""))}) values ({string.Join(", ", columns.Select(n => ":" + n))})";
                    SqlStatement.Execute(c, sql, values);
                }

                return 0;
            },
            Ct
        );
        return database;
    }

    private static object? AnyValue(Random random)
    {
        return random.Next(8) switch
        {
            0 => null,
            1 => random.Next(-3, 12),
            2 => random.Next(5) / 4.0,
            3 => 1e21 * random.Next(3),
            4 => new byte[] { (byte)random.Next(3) },
            5 => ((string[])["$null", "None", "a,b", "~", "", "B", "b", "15", "ä b"])[random.Next(9)],
            6 => (long.MaxValue - random.Next(3)),
            _ => random.Next(5).ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
    }
}
