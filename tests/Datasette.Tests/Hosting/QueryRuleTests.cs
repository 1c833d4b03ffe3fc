using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Rules of reading that no recorded line shows: search, facets, CSV, formats, readers.</summary>
public sealed class QueryRuleTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private string Make(string name, params string[] statements)
    {
        var file = folder.Combine(name);
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False;Foreign Keys=False");
        connection.Open();
        SqlStatement.Execute(connection, "begin");
        foreach (var sql in statements)
        {
            SqlStatement.Execute(connection, sql);
        }
        SqlStatement.Execute(connection, "commit");
        return file;
    }

    private Task<TestServer> StartAsync(params string[] statements) =>
        TestServer.StartAsync(new ServeOptions { Files = [Make("data.db", statements)] });

    private static JsonNode Json(Conformance.Answer answer) => JsonNode.Parse(answer.Text)!;

    [Fact]
    public async Task H040_SchemaOfATable_IsNotTakenForARow()
    {
        await using var server = await StartAsync("create table t (id text primary key)", "insert into t values ('-')");
        Assert.Contains("CREATE TABLE", (string)Json(await server.GetAsync("/data/t/-/schema.json"))["schema"]!, StringComparison.Ordinal);
        Assert.Equal("-", (string)Json(await server.GetAsync("/data/t/-.json"))["rows"]![0]!["id"]!);
    }

    [Fact]
    public async Task H054_Databases_AreListedByName()
    {
        var files = new[] { "c.db", "a.db", "b.db" }.Select(name => Make(name, "create table t (x)")).ToList();
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = files });
        Assert.Equal(["a", "b", "c"], Json(await server.GetAsync("/.json"))["databases"]!.AsArray().Select(d => (string)d!["name"]!));
    }

    [Fact]
    public async Task H068_UnknownFormat_IsNotFound()
    {
        await using var server = await StartAsync("create table t (x)");
        foreach (var path in new[] { "/data.xml", "/data/-/query.xml?sql=select+1" })
        {
            var answer = await server.GetAsync(path);
            Assert.Equal(404, answer.Status);
            Assert.Contains("Invalid format: xml", answer.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task H069_DatabasePage_ListsAThousandTablesAtMost()
    {
        await using var server = await StartAsync([.. Enumerable.Range(0, 1003).Select(i => $"create table t{i:0000} (x)")]);
        var tables = Json(await server.GetAsync("/data.json"))["tables"]!.AsArray();
        Assert.Equal(1000, tables.Count);
        Assert.Equal(200, (await server.GetAsync("/data/t1002")).Status);
    }

    [Fact]
    public async Task H145_PageQuery_AsksForOneRowMore()
    {
        await using var server = await StartAsync("create table t (id integer primary key)", "insert into t values (1), (2), (3)");
        var answer = Json(await server.GetAsync("/data/t.json?_size=2&_extra=query"));
        Assert.EndsWith("limit 3", (string)answer["query"]!["sql"]!, StringComparison.Ordinal);
        Assert.Equal(2, answer["rows"]!.AsArray().Count);
        Assert.NotNull(answer["next"]);
        Assert.Null(Json(await server.GetAsync("/data/t.json?_size=3"))["next"]);
    }

    [Theory]
    [InlineData("fts4")]
    [InlineData("fts5")]
    public async Task H153_H154_H155_Search_TakesBlankForNoneAndSaysWhatIsWrong(string module)
    {
        await using var server = await StartAsync(
            $"create virtual table t using {module}(words)",
            "insert into t values ('one two'), ('three')"
        );
        var escaped = Json(await server.GetAsync("/data/-/query.json?sql=select+escape_fts('a+b\"c')&_shape=arrays"));
        Assert.Equal("\"a\" \"b\" \"c\"", (string)escaped["rows"]![0]![0]!);
        Assert.Equal(2, Json(await server.GetAsync("/data/t.json?_search="))["rows"]!.AsArray().Count);
        Assert.Equal(2, Json(await server.GetAsync("/data/t.json?_search=%20&_searchmode=raw"))["rows"]!.AsArray().Count);
        var wrong = await server.GetAsync("/data/t.json?_search=%22&_searchmode=raw");
        Assert.Equal(400, wrong.Status);
        Assert.Matches("unterminated string|malformed MATCH", (string)Json(wrong)["error"]!);
    }

    [Fact]
    public async Task H169_ConfiguredFacets_ComeFirstInTheirOrder()
    {
        var file = Make(
            "data.db",
            "create table t (id integer primary key, a, b, c, tags)",
            "insert into t values (1, 1, 1, 1, '[\"x\",\"y\"]'), (2, 2, 1, 2, '[\"x\"]'), (3, 3, 1, 3, '[]')"
        );
        var config = folder.Combine("datasette.json");
        await File.WriteAllTextAsync(config, """{"databases": {"data": {"tables": {"t": {"facets": ["b", {"array": "tags"}]}}}}}""", Ct);
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], ConfigFile = config });
        var answer = Json(await server.GetAsync("/data/t.json?_facet=a&_facet=c&_extra=sorted_facet_results"));
        Assert.Equal(["b", "tags", "c", "a"], answer["sorted_facet_results"]!.AsArray().Select(f => (string)f!["name"]!));
        Assert.Contains("facet-info", (await server.GetAsync("/data/t")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task H178_KeyWithoutAColumn_MeansTheOtherTablesKey()
    {
        await using var server = await StartAsync(
            "create table parent (id integer primary key, name text)",
            "create table child (id integer primary key, p integer references parent)",
            "insert into parent values (7, 'The X')",
            "insert into child values (1, 7)"
        );
        var row = Json(await server.GetAsync("/data/child.json?_labels=on"))["rows"]![0]!;
        Assert.Equal("The X", (string)row["p"]!["label"]!);
        var incoming = Json(await server.GetAsync("/data/parent/7.json?_extra=foreign_key_tables"))["foreign_key_tables"]![0]!;
        Assert.Equal(1, (int)incoming["count"]!);
        Assert.Equal("p", (string)incoming["other_column"]!);
    }

    [Fact]
    public async Task H193_Csv_EndsWithAWordWhereItIsTooLargeOrFails()
    {
        var file = Make(
            "data.db",
            "create table t (id integer primary key, a)",
            "with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) insert into t select x, hex(zeroblob(500)) from c",
            "create view v as select id, case when id = 2500 then abs(-9223372036854775807 - 1) else a end as a from t"
        );
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [file], Settings = [("settings.max_csv_mb", "1")] }
        );
        var large = await server.GetAsync("/data/t.csv?_stream=1");
        Assert.Equal(200, large.Status);
        Assert.StartsWith("id,a\r\n1,", large.Text, StringComparison.Ordinal);
        Assert.Contains("\nCSV contains more than 1 MB", large.Text, StringComparison.Ordinal);
        Assert.InRange(large.Text.Length, 1 << 20, (1 << 20) + 4000);
        await using var unlimited = await TestServer.StartAsync(
            new ServeOptions { Files = [file], Settings = [("settings.max_csv_mb", "0")] }
        );
        Assert.Equal(3001, (await unlimited.GetAsync("/data/t.csv?_stream=1")).Text.TrimEnd().Split('\n').Length);
        var broken = await unlimited.GetAsync("/data/v.csv?_stream=1");
        Assert.Equal(200, broken.Status);
        Assert.EndsWith("integer overflow", broken.Text.TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task H195_H354_Trace_WrapsCsvAndLeavesLargeAnswersAlone()
    {
        var file = Make(
            "data.db",
            "create table t (id integer primary key, a)",
            "insert into t values (1, '</textarea>'), (2, hex(zeroblob(200000)))"
        );
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [file], Settings = [("settings.trace_debug", "true")] }
        );
        var csv = await server.GetAsync("/data/t.csv?id=1&_trace=1");
        Assert.StartsWith("text/html", csv.Header("content-type"), StringComparison.Ordinal);
        Assert.Contains("<textarea", csv.Text, StringComparison.Ordinal);
        Assert.Contains("&lt;/textarea&gt;", csv.Text, StringComparison.Ordinal);
        Assert.Contains("num_traces", csv.Text, StringComparison.Ordinal);
        Assert.StartsWith("text/plain", (await server.GetAsync("/data/t.csv?id=1")).Header("content-type"), StringComparison.Ordinal);
        var trace = Json(await server.GetAsync("/data/t.json?id=1&_trace=1"))["_trace"]!.AsObject();
        Assert.Equal(["request_duration_ms", "sum_trace_duration_ms", "num_traces", "traces"], trace.Select(key => key.Key));
        Assert.DoesNotContain("_trace\"", (await server.GetAsync("/data/t.json?id=2&_trace=1")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task H204_Views_HaveNoRows()
    {
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [Make("data.db", "create view v as select 1 as id")], Root = true }
        );
        Assert.Equal(404, (await server.GetAsync("/data/v/1")).Status);
        Assert.Equal(404, (await server.GetAsync("/data/v/1.json")).Status);
        Assert.Equal(404, (await server.SendAsync("POST", "/data/v/1/-/update", "{\"update\": {\"id\": 2}}", TestServer.Root)).Status);
    }

    [Theory]
    [InlineData("2", 2)]
    [InlineData("0", 6)]
    public async Task H353_Readers_AreAsManyAsTheSettingSays(string threads, int most)
    {
        var gate = new GatePlugin();
        await using var server = await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [Make("data.db", "create table t (x)")],
                Settings = [("settings.num_sql_threads", threads)],
                Root = true,
            },
            gate
        );
        var queries = Enumerable.Range(0, 6).Select(i => server.GetAsync($"/data/-/query.json?sql=select+enter()+as+n,+{i}")).ToList();
        Assert.All(await Task.WhenAll(queries), answer => Assert.Equal(200, answer.Status));
        Assert.InRange(gate.Most, 1, most);
        Assert.True(threads == "0" || gate.Most == most);
        Assert.Equal(200, (await server.GetAsync("/-/threads.json", TestServer.Root)).Status);
    }

    /// <summary>A function that counts how many run at once; each waits a little for company.</summary>
    private sealed class GatePlugin : DatasettePlugin
    {
        private int inside;

        public int Most { get; private set; }

        public override string Name => "gate";

        public override void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette) =>
            connection.CreateFunction("enter", Enter);

        private long Enter()
        {
            lock (this)
            {
                inside++;
                Most = Math.Max(Most, inside);
                Monitor.Wait(this, TimeSpan.FromMilliseconds(200));
                inside--;
                return inside;
            }
        }
    }

    [Fact]
    public async Task H303_OwnFiles_AreUnderTheStaticPrefix()
    {
        await using var server = await StartAsync("create table t (id integer primary key)");
        var page = await server.GetAsync("/data/t");
        var files = System
            .Text.RegularExpressions.Regex.Matches(page.Text, "(?:src|href)=\"(/-/static/[^\"]+)\"")
            .Select(m => m.Groups[1].Value);
        Assert.Contains(files, file => file.StartsWith("/-/static/app.css", StringComparison.Ordinal));
        foreach (var file in files.Append("/-/static/app.css").Distinct())
        {
            Assert.Equal(200, (await server.GetAsync(file.Replace("&amp;", "&", StringComparison.Ordinal))).Status);
        }
        Assert.Equal(404, (await server.GetAsync("/-/static/nothing.css")).Status);
        Assert.Equal(404, (await server.GetAsync("/-/static/../app.css")).Status);
    }
}
