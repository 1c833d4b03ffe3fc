using System.Text;
using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tests.Properties;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>Whatever visitors send and whatever a file holds: the process goes on and gives an answer.</summary>
public sealed class RandomSqlTests(ITestOutputHelper output)
{
    private static readonly string[] Words =
    [
        "select",
        "with",
        "recursive",
        "explain",
        "query",
        "plan",
        "from",
        "where",
        "group",
        "by",
        "order",
        "limit",
        "union",
        "all",
        "join",
        "t",
        "t.a",
        "*",
        "1",
        "-1",
        "'x'",
        "\"x\"",
        "[x]",
        "null",
        "x'00ff'",
        ":p",
        "?1",
        "@q",
        "(",
        ")",
        ",",
        ";",
        "--",
        "/*",
        "*/",
        "as",
        "count(*)",
        "abs(-9223372036854775808)",
        "randomblob(1e9)",
        "zeroblob(1e9)",
        "printf('%.*c',1e9,'x')",
        "load_extension('x')",
        "json_each('[1,2]')",
        "pragma_table_info('t')",
        "pragma",
        "attach",
        "'file.db'",
        "detach",
        "insert",
        "into",
        "values",
        "update",
        "set",
        "delete",
        "drop",
        "table",
        "vacuum",
        "writefile('/tmp/x','y')",
        "readfile('/etc/passwd')",
        "fts3_tokenizer('simple')",
        "like",
        "glob",
        "match",
        "between",
        "case",
        "when",
        "then",
        "end",
        "cast(",
        "group_concat(a)",
        "over",
        "partition",
        "window",
        "rows",
        "unbounded",
        "preceding",
        "collate",
        "nocase",
        "+",
        "||",
        "/",
        "%",
        "0",
        "1e999",
        "char(0)",
        "\0",
        "\uFFFF",
        "🦆",
        "rtree",
        "f",
        "sqlite_master",
        "(select 1)",
        "(with recursive c(x) as (select 1 union all select x+1 from c) select count(*) from c)",
        "replace('aaaa','a',zeroblob(1e6))",
    ];

    [Fact]
    [Trait("Rule", "H212")]
    [Trait("Rule", "H213")]
    public async Task RandomSqlTexts_GetAnAnswerAndChangeNothing()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var instance = await TestInstance.StartAsync(
            connection =>
            {
                SqlStatement.Execute(connection, "create table t (a, b)");
                SqlStatement.Execute(connection, "insert into t values (1, 'one'), (2, null)");
                SqlStatement.Execute(connection, "create virtual table f using fts5(x)");
                SqlStatement.Execute(connection, "create virtual table rtree using rtree(id, a, b)");
            },
            ("sql_time_limit_ms", "100")
        );
        var before = await DumpAsync(instance);
        for (var i = 0; i < 1000; i++)
        {
            var sql = Sql(random);
            var answer = await instance.GetAsync($"/data/-/query.json?sql={QueryArgs.Escape(sql)}&p=1");
            var text = Encoding.UTF8.GetString(answer.Body);
            Assert.True(answer.Status is 200 or 400, $"seed {seed}: {sql} -> {answer.Status} {text}");
            Assert.True(System.Text.Json.Nodes.JsonNode.Parse(text)!["ok"] is not null, $"seed {seed}: {sql} -> {text}");
        }
        Assert.Equal(before, await DumpAsync(instance));
    }

    private static string Sql(Random random)
    {
        if (random.Next(4) == 0)
        {
            // A sound statement with a few bytes changed.
            var text = new StringBuilder("select a, count(*) as n from t where b like '%o%' group by a order by n desc limit 10");
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                text[random.Next(text.Length)] = (char)random.Next(1, 0x250);
            }
            return text.ToString();
        }
        var start = random.Next(3) == 0 ? "" : "select ";
        return start + string.Join(' ', Enumerable.Range(0, random.Next(1, 14)).Select(_ => Words[random.Next(Words.Length)]));
    }

    private static async Task<string> DumpAsync(TestInstance instance)
    {
        var rows = await instance.Database.ExecuteAsync(
            "select (select group_concat(name || coalesce(sql, '')) from sqlite_master), (select group_concat(a || coalesce(b, '')) from t), (select count(*) from f)",
            ct: TestContext.Current.CancellationToken
        );
        return string.Join('|', rows.Rows[0]);
    }

    /// <summary>Runs the next test a thousand times over in a process of its own: should SQLite fall over a file, only that process does.</summary>
    [Fact]
    public async Task MutatedDatabases_DoNotEndTheProcess()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var program = Path.Combine(AppContext.BaseDirectory, "Datasette.Tests");
        await using var child = await TestProcess.RunAsync(
            program,
            ["-noColor", "-method", $"{typeof(RandomSqlTests).FullName}.{nameof(MutatedDatabase_IsReadOrRefused)}"],
            new Dictionary<string, string?> { ["DATASETTE_MUTATIONS"] = "1000", ["DATASETTE_SEED"] = $"{seed}" },
            timeout: TimeSpan.FromMinutes(5),
            cancellationToken: TestContext.Current.CancellationToken
        );
        Assert.True(child.ExitCode == 0, $"seed {seed}: the process ended with {child.ExitCode}\n{child.Output}");
        Assert.Contains("Total: 1", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MutatedDatabase_IsReadOrRefused()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        var count = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_MUTATIONS"), out var asked) ? asked : 20;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        using var folder = new TempFolder();
        var sound = Specimen(folder);
        for (var i = 0; i < count; i++)
        {
            var bytes = Mutate(sound, random);
            var file = folder.Combine("mutated.db");
            await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
            await using var database = Database.File(
                "mutated",
                file,
                new() { IsMutable = random.Next(2) == 0, TimeLimit = TimeSpan.FromMilliseconds(100) }
            );
            await TryAsync(async () =>
            {
                var schema = await database.SchemaAsync(TestContext.Current.CancellationToken);
                foreach (var table in schema.Tables.Take(12))
                {
                    await TryAsync(() =>
                        database.ExecuteAsync(
                            $"select * from \"{table.Name.Replace("\"", "\"\"", StringComparison.Ordinal)}\" order by 1",
                            maxRows: 100
                        )
                    );
                    await TryAsync(() =>
                        database.ExecuteAsync($"select count(*) from \"{table.Name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"")
                    );
                }
            });
            await TryAsync(() => database.ExecuteAsync("select * from docs where docs match 'one OR two'", maxRows: 100));
            await TryAsync(() => database.ExecuteAsync("select * from places where id > 3 and minx < 5", maxRows: 100));
            await TryAsync(() => database.ExecuteAsync("pragma integrity_check(10)", maxRows: 100));
        }
    }

    /// <summary>Anything but an answer or one of the failures that visitors are told of is a failure of the test.</summary>
    private static async Task TryAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (e is SqliteException or QueryInterruptedException or DatasetteException) { }
    }

    private static byte[] Specimen(TempFolder folder)
    {
        var file = folder.Combine("sound.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            foreach (
                var sql in new[]
                {
                    "pragma page_size = 1024",
                    "create table t (id integer primary key, a text, b real, c blob, d generated always as (a || 'x'))",
                    "create index by_a on t (a, b desc)",
                    "create table w (k text, n integer, v, primary key (n, k)) without rowid",
                    "create virtual table docs using fts5(title, body)",
                    "create virtual table places using rtree(id, minx, maxx)",
                    "create view v as select a, count(*) as n from t group by a",
                    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 200) insert into t select x, 'text ' || x, x / 3.0, randomblob(x * 20) from c",
                    "insert into w select a, id, c from t",
                    "insert into docs select a, 'one two three' from t",
                    "insert into places select id, id, id + 5 from t",
                }
            )
            {
                SqlStatement.Execute(connection, sql);
            }
        }
        // Nobody has it open any more.
        return File.ReadAllBytes(file);
    }

    private static byte[] Mutate(byte[] sound, Random random)
    {
        var bytes = (byte[])sound.Clone();
        switch (random.Next(5))
        {
            case 0:
                return bytes[..random.Next(1, bytes.Length)];
            case 1:
                random.NextBytes(bytes.AsSpan(random.Next(bytes.Length / 1024) * 1024, 1024));
                break;
            case 2:
                // The page of the schema, where every byte matters.
                for (var i = random.Next(1, 20); i > 0; i--)
                {
                    bytes[random.Next(16, 1024)] = (byte)random.Next(256);
                }
                break;
            case 3:
                var (from, to) = (random.Next(bytes.Length / 1024) * 1024, random.Next(bytes.Length / 1024) * 1024);
                bytes.AsSpan(from, 1024).ToArray().CopyTo(bytes, to);
                break;
            default:
                for (var i = random.Next(1, 200); i > 0; i--)
                {
                    bytes[random.Next(100, bytes.Length)] ^= (byte)(1 << random.Next(8));
                }
                break;
        }
        return bytes;
    }
}
