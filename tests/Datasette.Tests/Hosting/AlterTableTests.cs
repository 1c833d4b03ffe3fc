using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Altered tables, where no recorded line shows it: everything that hangs on the table survives, and what would break is refused.</summary>
public sealed class AlterTableTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private Task<TestServer> StartAsync(params string[] statements)
    {
        var file = folder.Combine("data.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False;Foreign Keys=False"))
        {
            connection.Open();
            foreach (var sql in statements)
            {
                SqlStatement.Execute(connection, sql);
            }
        }
        return TestServer.StartAsync(new ServeOptions { Files = [file], Root = true });
    }

    private static async Task<(int Status, JsonNode Json)> AlterAsync(TestServer server, string operations, string table = "t")
    {
        var answer = await server.SendAsync(
            "POST",
            $"/data/{table}/-/alter",
            $"{{\"operations\": [{operations}]}}",
            TestServer.Root,
            ("Content-Type", "application/json")
        );
        return (answer.Status, JsonNode.Parse(answer.Text)!);
    }

    private static string Op(string name, string args) => $"{{\"op\": \"{name}\", \"args\": {{{args}}}}}";

    private static async Task<string> AskAsync(TestServer server, string sql)
    {
        var rows = (await server.App.Databases["data"]!.ExecuteAsync(sql, ct: Ct)).Rows;
        return string.Join('\n', rows.Select(row => string.Join('|', row)));
    }

    private static Task WriteAsync(TestServer server, string sql) =>
        server.App.Databases["data"]!.WriteAsync(connection => SqlStatement.Execute(connection, sql), Ct);

    [Fact]
    public async Task H262_Rebuild_KeepsRowidsIndexesTriggersViewsKeysAndGeneratedColumns()
    {
        await using var server = await StartAsync(
            "create table t (name text collate nocase unique, born date, half as (n / 2), n integer check (n < 100), gone)",
            "create index by_n on t (n) where n > 3",
            "create table log (what)",
            "create trigger added after insert on t begin insert into log values (new.name); end",
            "create view names as select name, n from t where n > 1",
            "create table child (t_name text references t(name))",
            "insert into t(rowid, name, born, n) values (3, 'a', '2020-01-02', 4), (70, 'b', 'x', 9)",
            "insert into child values ('nobody')"
        );
        var (status, answer) = await AlterAsync(
            server,
            Op("drop_column", "\"name\": \"gone\"")
                + ","
                + Op("rename_column", "\"name\": \"n\", \"to\": \"number\"")
                + ","
                + Op("add_column", "\"name\": \"kind\", \"not_null\": true, \"default\": \"new\"")
                + ","
                + Op("reorder_columns", "\"columns\": [\"number\", \"kind\"]")
        );
        Assert.True(status == 200, answer.ToJsonString());
        Assert.True((bool)answer["altered"]!);
        Assert.Equal(4, (int)answer["operations_applied"]!);
        Assert.Equal("3|4|new|a|2020-01-02|2\n70|9|new|b|x|4", await AskAsync(server, "select rowid, * from t order by rowid"));
        Assert.Contains("date", (string)answer["schema"]!, StringComparison.Ordinal);
        Assert.Equal("a|4\nb|9", await AskAsync(server, "select * from names"));
        Assert.Equal("by_n", await AskAsync(server, "select name from pragma_index_list('t') where origin = 'c'"));
        Assert.Equal("t|name", await AskAsync(server, "select \"table\", \"to\" from pragma_foreign_key_list('child')"));
        await WriteAsync(server, "insert into t(name, number) values ('c', 1)");
        Assert.Equal("a\nb\nc", await AskAsync(server, "select what from log"));
        Assert.Equal("71", await AskAsync(server, "select rowid from t where name = 'C'"));
        await Assert.ThrowsAsync<SqliteException>(() => WriteAsync(server, "insert into t(name, number) values ('d', 100)"));
        await Assert.ThrowsAsync<SqliteException>(() => WriteAsync(server, "insert into t(name, number) values ('A', 1)"));
    }

    [Fact]
    public async Task H262_FullTextIndex_StaysUpToDate()
    {
        await using var server = await StartAsync(
            "create table t (id integer primary key, words text, other text)",
            "create virtual table t_fts using fts5(words, content=\"t\", content_rowid=\"id\")",
            "create trigger t_ai after insert on t begin insert into t_fts(rowid, words) values (new.id, new.words); end",
            "insert into t values (5, 'first', 'x')"
        );
        Assert.Equal(200, (await AlterAsync(server, Op("drop_column", "\"name\": \"other\""))).Status);
        await WriteAsync(server, "insert into t values (6, 'second')");
        Assert.Equal("5", await AskAsync(server, "select id from t where id in (select rowid from t_fts where t_fts match 'first')"));
        Assert.Equal("6", await AskAsync(server, "select id from t where id in (select rowid from t_fts where t_fts match 'second')"));
        foreach (
            var breaking in new[]
            {
                Op("drop_column", "\"name\": \"words\""),
                Op("rename_column", "\"name\": \"words\", \"to\": \"text\""),
                Op("rename_table", "\"to\": \"u\""),
            }
        )
        {
            var (status, answer) = await AlterAsync(server, breaking);
            Assert.Equal(400, status);
            Assert.Contains("full-text table t_fts", (string)answer["error"]!, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("create view v as select \"score\" from t", "v")]
    [InlineData("create trigger tr after update on t begin insert into log values (old.score); end", "tr")]
    [InlineData("create trigger tr after insert on log begin update t set score = 1; end", "tr")]
    [InlineData("create index i on t (\"score\")", "index i")]
    [InlineData("create index i on t (abs(score))", "index i")]
    [InlineData("create table c (x references t(score))", "table c")]
    public async Task H262_DroppedColumn_ThatSomethingUses_IsRefused(string user, string named)
    {
        await using var server = await StartAsync("create table t (id integer primary key, score)", "create table log (x)", user);
        var before = await AskAsync(server, "select sql from sqlite_master");
        var (status, answer) = await AlterAsync(
            server,
            Op("add_column", "\"name\": \"a\"") + "," + Op("drop_column", "\"name\": \"score\"")
        );
        Assert.Equal(400, status);
        Assert.StartsWith("operations.1.drop_column", (string)answer["error"]!, StringComparison.Ordinal);
        Assert.Contains(named, (string)answer["error"]!, StringComparison.Ordinal);
        Assert.Equal(before, await AskAsync(server, "select sql from sqlite_master"));
    }

    [Fact]
    public async Task H262_FailureInTheMiddle_ChangesNothing()
    {
        await using var server = await StartAsync("create table t (id integer primary key, a)", "insert into t values (1, null)");
        var before = await AskAsync(server, "select sql from sqlite_master");
        var (status, answer) = await AlterAsync(
            server,
            Op("rename_column", "\"name\": \"id\", \"to\": \"key\"")
                + ","
                + Op("rename_table", "\"to\": \"u\"")
                + ","
                + Op("alter_column", "\"name\": \"a\", \"not_null\": true")
        );
        Assert.Equal(400, status);
        Assert.Contains("NOT NULL constraint failed", (string)answer["error"]!, StringComparison.Ordinal);
        Assert.Equal(before, await AskAsync(server, "select sql from sqlite_master"));
        Assert.Equal(201, (await server.SendAsync("POST", "/data/t/-/insert", "{\"row\": {\"a\": 2}}", TestServer.Root)).Status);
    }

    [Fact]
    public async Task H262_TableOptionsAndNumbersGiven_Survive()
    {
        await using var server = await StartAsync(
            "create table w (a text, b integer, c, primary key (b, a)) without rowid",
            "insert into w values ('x', 2, 3), ('y', 1, 4)",
            "create table s (id integer primary key autoincrement, a text) strict",
            "insert into s values (9, 'x')",
            "delete from s"
        );
        Assert.Equal(200, (await AlterAsync(server, Op("drop_column", "\"name\": \"c\""), "w")).Status);
        Assert.Equal("y|1\nx|2", await AskAsync(server, "select * from w"));
        Assert.Equal(200, (await AlterAsync(server, Op("alter_column", "\"name\": \"a\", \"default\": \"d\""), "s")).Status);
        await WriteAsync(server, "insert into s default values");
        Assert.Equal("10|d", await AskAsync(server, "select * from s"));
        Assert.Equal(
            "s|0|1\nw|1|0",
            await AskAsync(server, "select name, wr, strict from pragma_table_list where name in ('s', 'w') order by 1")
        );
    }

    [Fact]
    public async Task H262_Keys_AreSetChangedAndDropped()
    {
        await using var server = await StartAsync(
            "create table t (a integer, b text references gone(x) on delete cascade, c text)",
            "create table o (id integer primary key)",
            "create table two (x, y, primary key (x, y))",
            "insert into t(rowid, a, b) values (4, 40, 'x')"
        );
        var (status, answer) = await AlterAsync(
            server,
            Op("set_primary_key", "\"columns\": [\"a\"]") + "," + Op("add_foreign_key", "\"column\": \"c\", \"fk_table\": \"o\"")
        );
        Assert.Equal(200, status);
        Assert.Equal(
            "CREATE TABLE \"t\" (\n   \"a\" INTEGER PRIMARY KEY,\n   \"b\" TEXT REFERENCES \"gone\"(\"x\") on delete cascade,\n"
                + "   \"c\" TEXT REFERENCES \"o\"(\"id\")\n)",
            (string)answer["schema"]!
        );
        Assert.Equal("40", await AskAsync(server, "select rowid from t"));
        var set = Op("set_foreign_keys", "\"foreign_keys\": [{\"column\": \"b\", \"fk_table\": \"o\", \"fk_column\": \"id\"}]");
        Assert.Equal(200, (await AlterAsync(server, set)).Status);
        Assert.Equal("o|b|id", await AskAsync(server, "select \"table\", \"from\", \"to\" from pragma_foreign_key_list('t')"));
        Assert.Equal(200, (await AlterAsync(server, Op("drop_foreign_key", "\"column\": \"b\""))).Status);
        Assert.Equal("", await AskAsync(server, "select * from pragma_foreign_key_list('t')"));
        foreach (var (table, error) in new[] { ("two", "Could not detect single primary key"), ("nothing", "Table not found: nothing") })
        {
            var refused = await AlterAsync(server, Op("add_foreign_key", $"\"column\": \"b\", \"fk_table\": \"{table}\""));
            Assert.Equal(400, refused.Status);
            Assert.Contains(error, (string)refused.Json["error"]!, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task H262_SwappedNames_AndComputedDefaults_Work()
    {
        await using var server = await StartAsync("create table t (a, b, c)", "insert into t values (1, 2, 3)");
        string Rename(string from, string to) => Op("rename_column", $"\"name\": \"{from}\", \"to\": \"{to}\"");
        var swap = string.Join(
            ',',
            Rename("a", "x"),
            Rename("b", "a"),
            Rename("x", "b"),
            Op("drop_column", "\"name\": \"c\""),
            Rename("a", "c")
        );
        Assert.Equal(200, (await AlterAsync(server, swap)).Status);
        Assert.Equal("1|2", await AskAsync(server, "select b, c from t"));
        var add = Op("add_column", "\"name\": \"at\", \"not_null\": true, \"default_expr\": \"current_date\"");
        Assert.Equal(200, (await AlterAsync(server, add)).Status);
        Assert.Matches(@"^\d{4}-\d\d-\d\d$", await AskAsync(server, "select at from t"));
        // Columns that are not there are gone, or have their name, already.
        var nothing = await AlterAsync(server, Op("drop_column", "\"name\": \"zz\"") + "," + Rename("zz", "yy"));
        Assert.Equal(200, nothing.Status);
        Assert.False((bool)nothing.Json["altered"]!);
    }

    [Theory]
    [InlineData("", "operations: List should have at least 1 item")]
    [InlineData("{\"op\": \"explode\", \"args\": {}}", "operations.0: Input tag 'explode'")]
    [InlineData("{\"args\": {}}", "operations.0: Unable to extract tag")]
    [InlineData("{\"op\": \"add_column\", \"args\": {}}", "operations.0.add_column.args.name: Field required")]
    [InlineData("{\"op\": \"add_column\", \"args\": {\"name\": 5}}", "operations.0.add_column.args.name: Input should be a valid string")]
    [InlineData("{\"op\": \"drop_column\", \"args\": {\"name\": \"a\", \"x\": 1}}", "operations.0.drop_column.args.x: Extra inputs")]
    [InlineData("{\"op\": \"drop_column\", \"args\": {\"name\": \"a\"}, \"y\": 1}", "operations.0.drop_column.y: Extra inputs")]
    [InlineData(
        "{\"op\": \"add_column\", \"args\": {\"name\": \"n\", \"type\": \"money\"}}",
        "operations.0.add_column.args.type: Input should be"
    )]
    [InlineData("{\"op\": \"rename_table\", \"args\": {\"to\": \"sqlite_x\"}}", "operations.0.rename_table.args.to: Invalid table name")]
    [InlineData("{\"op\": \"reorder_columns\", \"args\": {\"columns\": [\"zz\"]}}", "operations.0.reorder_columns: Column not found: zz")]
    [InlineData("{\"op\": \"alter_column\", \"args\": {\"name\": \"zz\"}}", "operations.0.alter_column: Column not found: zz")]
    [InlineData("{\"op\": \"drop_column\", \"args\": {\"name\": \"id\"}}", "operations.0.drop_column: id is part of the primary key")]
    public async Task H262_Errors_NameThePlace(string operations, string error)
    {
        await using var server = await StartAsync("create table t (id integer primary key, a)");
        var (status, answer) = await AlterAsync(server, operations);
        Assert.Equal(400, status);
        Assert.Contains(error, (string)answer["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task H262_ViewsShadowTablesAndStrangers_AreRefused()
    {
        await using var server = await StartAsync(
            "create table t (a)",
            "create view v as select 1",
            "create virtual table f using fts5(x)"
        );
        var drop = Op("drop_column", "\"name\": \"x\"");
        Assert.Equal(400, (await AlterAsync(server, drop, "v")).Status);
        Assert.Equal(400, (await AlterAsync(server, drop, "f")).Status);
        Assert.Equal(400, (await AlterAsync(server, drop, "f_data")).Status);
        Assert.Equal(404, (await AlterAsync(server, drop, "nothing")).Status);
        Assert.Equal(403, (await server.SendAsync("POST", "/data/t/-/alter", $"{{\"operations\": [{drop}]}}")).Status);
    }

    [Fact]
    public async Task H263_Targets_AreVisibleTablesWithOneKey()
    {
        await using var server = await StartAsync(
            "create table t (id integer primary key, a)",
            "create table word (w varchar(9) primary key)",
            "create table two (x, y, primary key (x, y))",
            "create table none (x)",
            "create table _hidden (id integer primary key)"
        );
        var all = await server.GetAsync("/data/-/foreign-key-targets", TestServer.Root);
        Assert.Equal(
            """[{"fk_table":"t","fk_column":"id","type":"integer"},{"fk_table":"word","fk_column":"w","type":"text"}]""",
            JsonNode.Parse(all.Text)!["targets"]!.ToJsonString()
        );
        Assert.Equal(200, (await server.GetAsync("/data/-/foreign-key-targets?table=t", TestServer.Root)).Status);
        Assert.Equal(404, (await server.GetAsync("/data/-/foreign-key-targets?table=zz", TestServer.Root)).Status);
        Assert.Equal(403, (await server.GetAsync("/data/-/foreign-key-targets")).Status);
    }

    [Fact]
    public async Task H264_Suggestions_AreKeysThatAllSampledRowsFit()
    {
        await using var server = await StartAsync(
            "create table t (id integer primary key, o_id integer, n integer, name text)",
            "create table o (id integer primary key)",
            "insert into o values (1), (2)",
            "insert into t values (1, 1, 7, 'x'), (2, 2, 1, 'y'), (3, null, 1, 'z')"
        );
        var answer = JsonNode.Parse((await server.GetAsync("/data/t/-/foreign-key-suggestions", TestServer.Root)).Text)!;
        Assert.Equal("completed", (string)answer["row_check"]!["status"]!);
        Assert.Equal(3, (int)answer["row_check"]!["sampled_rows"]!);
        var columns = answer["columns"]!.AsArray().ToDictionary(c => (string)c!["column"]!, c => c!);
        Assert.Single(columns["o_id"]["suggestions"]!.AsArray());
        Assert.Empty(columns["n"]["suggestions"]!.AsArray());
        Assert.Single(columns["n"]["options"]!.AsArray());
        Assert.Empty(columns["name"]["options"]!.AsArray());
        Assert.Equal(403, (await server.GetAsync("/data/t/-/foreign-key-suggestions")).Status);
    }
}
