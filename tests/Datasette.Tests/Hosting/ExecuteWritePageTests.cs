using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>The page for SQL that writes, as it is without a script.</summary>
[Trait("Rule", "U074")]
public sealed class ExecuteWritePageTests : IDisposable
{
    private const string FormType = "application/x-www-form-urlencoded";
    private const string Page = "/data/-/execute-write";
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static (string, string) Bob => TestServer.Cookie(new() { ["id"] = "bob" });

    public void Dispose() => folder.Dispose();

    private string Make(params string[] statements)
    {
        var file = folder.Combine("data.db");
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        foreach (var sql in statements)
        {
            SqlStatement.Execute(connection, sql);
        }
        return file;
    }

    private Task<TestServer> StartAsync(params string[] statements) =>
        TestServer.StartAsync(new ServeOptions { Files = [Make(statements)], Root = true });

    private static async Task<IDocument> ReadAsync(Conformance.Answer answer, int status = 200)
    {
        Assert.True(status == answer.Status, $"{answer.Status}\n{answer.Text}");
        return await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
    }

    private static async Task<IDocument> GetAsync(TestServer server, string query, (string, string)? actor = null) =>
        await ReadAsync(await server.GetAsync(Page + query, actor ?? TestServer.Root));

    private static async Task<IDocument> PostAsync(TestServer server, int status, params (string Name, string Value)[] fields)
    {
        var body = string.Join('&', fields.Select(field => $"{Escape(field.Name)}={Escape(field.Value)}"));
        return await ReadAsync(await server.SendAsync("POST", Page, body, TestServer.Root, ("Content-Type", FormType)), status);
    }

    private static string Escape(string text) => QueryArgs.Escape(text);

    private static string[] Operations(IDocument page) =>
        [
            .. page.QuerySelectorAll("#analysis-table tbody tr")
                .Select(row => string.Join('|', row.Children.Select(cell => cell.TextContent))),
        ];

    private static string Reason(IDocument page) => page.QuerySelector("#execute-write-disabled-reason")!.TextContent;

    private static bool IsDisabled(IDocument page) => page.QuerySelector("input[type=submit]")!.HasAttribute("disabled");

    private static string Sql(IDocument page) =>
        string.Join(' ', page.QuerySelector("textarea[name=sql]")!.TextContent.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    [Fact]
    public async Task U074_Templates_AreAboutTheChosenTable()
    {
        await using var server = await StartAsync(
            "create table plain (id integer primary key, name text, twice integer generated always as (id * 2))",
            "create table \"odd \"\"one\" (\"1st\" text, \"a b\" text, a_b text, _cookie_x text)",
            "create table pairs (a text, b text, primary key (a, b))",
            "create table alone (id integer primary key)",
            "create view v as select 1"
        );
        var page = await GetAsync(server, "");
        Assert.Equal(["alone", "odd \"one", "pairs", "plain"], page.QuerySelectorAll("#template-table option").Select(o => o.TextContent));
        Assert.Equal(
            ["insert", "update", "delete", "create-table"],
            page.QuerySelectorAll("button[data-sql-template]").Select(button => button.GetAttribute("value"))
        );
        async Task<string> TemplateAsync(string kind, string table) =>
            Sql(await GetAsync(server, $"?template={kind}&table={Escape(table)}"));
        Assert.Equal("insert into plain ( name ) values ( :name )", await TemplateAsync("insert", "plain"));
        Assert.Equal("update plain set name = :name where id = :id", await TemplateAsync("update", "plain"));
        Assert.Equal("delete from plain where id = :id", await TemplateAsync("delete", "plain"));
        Assert.Equal(
            "insert into \"odd \"\"one\" ( \"1st\", \"a b\", a_b, _cookie_x ) values ( :p1st, :a_b, :a_b_2, :cookie_x )",
            await TemplateAsync("insert", "odd \"one")
        );
        Assert.Equal("delete from \"odd \"\"one\" where rowid = :rowid", await TemplateAsync("delete", "odd \"one"));
        Assert.Equal("update pairs set a = :new_a, b = :new_b where a = :a and b = :b", await TemplateAsync("update", "pairs"));
        Assert.Equal("insert into alone default values", await TemplateAsync("insert", "alone"));
        Assert.Equal("update alone set id = :new_id where id = :id", await TemplateAsync("update", "alone"));
        Assert.StartsWith("create table new_table", await TemplateAsync("create-table", ""), StringComparison.Ordinal);
        // Each can be run as it is.
        foreach (var table in new[] { "plain", "odd \"one", "pairs", "alone" })
        {
            foreach (var kind in new[] { "insert", "update", "delete" })
            {
                page = await GetAsync(server, $"?template={kind}&table={Escape(table)}");
                Assert.True(Reason(page).Length == 0, $"{kind} {table}: {Reason(page)}");
                Assert.Equal(table, page.QuerySelector("#template-table option[selected]")!.TextContent);
            }
        }
    }

    [Fact]
    public async Task U074_Templates_AreOnlyOfWhatOneMaySeeAndChange()
    {
        var config = folder.Combine("datasette.yaml");
        await File.WriteAllTextAsync(
            config,
            """
            databases:
              data:
                permissions: {execute-write-sql: {id: bob}}
                tables:
                  mine: {permissions: {insert-row: {id: bob}, update-row: {id: bob}, delete-row: {id: bob}}}
                  hidden: {allow: false, permissions: {insert-row: {id: bob}}}
            """,
            Ct
        );
        var file = Make("create table mine (a)", "create table other (a)", "create table hidden (secret_column)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], ConfigFile = config });
        var page = await GetAsync(server, "?template=insert&table=hidden", Bob);
        Assert.Equal(["mine"], page.QuerySelectorAll("#template-table option").Select(o => o.TextContent));
        Assert.Empty(page.QuerySelectorAll("button[value=create-table]"));
        Assert.DoesNotContain("secret_column", page.DocumentElement.OuterHtml);
        // What may not be done says why, and the button is off.
        page = await GetAsync(server, "?sql=delete+from+other", Bob);
        Assert.Equal(["delete|other|delete-row|denied"], Operations(page));
        Assert.True(IsDisabled(page));
        Assert.Equal("You do not have all the permissions this SQL needs", Reason(page));
        page = await GetAsync(server, "?sql=delete+from+mine+where+a+%3D+%3Aa", Bob);
        Assert.Equal(["delete|mine|delete-row|allowed", "read|mine|view-table|allowed"], Operations(page));
        Assert.False(IsDisabled(page));
        Assert.NotNull(page.QuerySelector("input[name=_sql_param_a]"));
    }

    [Theory]
    [InlineData("", "SQL is required", false)]
    [InlineData("select 1", "Use /-/query for read-only SQL; this endpoint only executes writes", true)]
    [InlineData("insert into nowhere values (1)", "Could not analyze query: no such table: nowhere", true)]
    [InlineData("vacuum", "VACUUM is not allowed in user-supplied SQL", true)]
    public async Task U074_WhatCannotRun_SaysWhy(string sql, string reason, bool isDisabled)
    {
        await using var server = await StartAsync("create table t (a)");
        var page = await GetAsync(server, "?sql=" + Escape(sql));
        Assert.Equal(reason, Reason(page));
        // Without a script somebody must be able to send what he has typed into an empty editor, and to look at what he has mended.
        Assert.Equal(isDisabled, IsDisabled(page));
        Assert.Equal("get", page.QuerySelector("button[form=write-sql]")!.GetAttribute("formmethod"));
    }

    [Fact]
    public async Task U074_Operations_SayWhichTriggerDoesThem()
    {
        await using var server = await StartAsync(
            "create table t (a)",
            "create table log (a)",
            "create trigger note after delete on t begin insert into log values (old.a); end"
        );
        var page = await GetAsync(server, "?sql=delete+from+t");
        Assert.Contains("insert|log (by note)|insert-row, update-row, delete-row|allowed", Operations(page));
    }

    [Fact]
    public async Task U074_Immutable_SaysSo()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Immutables = [Make("create table t (a)")], Root = true });
        var page = await GetAsync(server, "?sql=delete+from+t");
        Assert.Equal("Database is immutable", Reason(page));
        Assert.True(IsDisabled(page));
        Assert.Empty(page.QuerySelectorAll("button[data-sql-template]"));
    }

    [Fact]
    public async Task U074_Insert_LinksToItsRow_AndShowsWhatItReturns()
    {
        await using var server = await StartAsync("create table t (id integer primary key, name text)", "insert into t values (7, 'old')");
        var page = await PostAsync(
            server,
            200,
            ("sql", "insert into t (name) values (:name) returning id, name"),
            ("_sql_param_name", "<new>")
        );
        Assert.StartsWith("Query executed, 1 row affected", page.QuerySelector(".message-info")!.TextContent, StringComparison.Ordinal);
        Assert.Equal("/data/t/8", page.QuerySelector("a.view-row")!.GetAttribute("href"));
        Assert.Equal("View row", page.QuerySelector("a.view-row")!.TextContent);
        Assert.Equal(["8", "<new>"], page.QuerySelectorAll("table.rows-and-columns tbody td").Select(cell => cell.TextContent));
        Assert.Equal("insert into t (name) values (:name) returning id, name", Sql(page));
        Assert.Equal("<new>", page.QuerySelector("input[name=_sql_param_name]")!.GetAttribute("value"));
        Assert.False(IsDisabled(page));
        Assert.Equal(200, (await server.GetAsync("/data/t/8")).Status);
    }

    [Theory]
    [InlineData("insert into names (name) values ('a/b')", "/data/names/a~2Fb")]
    [InlineData("insert or replace into t values (7, 'new')", "/data/t/7")]
    [InlineData("with n(x) as (select 'n') insert into loose (a) select x from n", "/data/loose/2")]
    [InlineData("insert into logged (a) values ('x')", "/data/logged/1")]
    [InlineData("insert into t (name) values ('a'), ('b')", null)]
    [InlineData("insert or ignore into t values (7, 'other')", null)]
    [InlineData("insert into t values (7, 'other') on conflict (id) do update set name = 'changed'", null)]
    [InlineData("insert into bare values ('k')", null)]
    [InlineData("insert into odd (rowid) values ('k')", null)]
    [InlineData("update t set name = 'x'", null)]
    [InlineData("create table made (a)", null)]
    [InlineData("create table copied as select * from t", null)]
    public async Task U074_ViewRow_IsTheInsertedRowOrNothing(string sql, string? link)
    {
        await using var server = await StartAsync(
            "create table t (id integer primary key, name text)",
            "insert into t values (7, 'old')",
            "create table names (name text primary key)",
            "create table loose (a)",
            "insert into loose values (1)",
            "create table bare (k text primary key) without rowid",
            "create table odd (rowid text)",
            "create table log (a)",
            "insert into log values (1), (2), (3)",
            "create table logged (a)",
            "create trigger note after insert on logged begin insert into log values (new.a); end"
        );
        var page = await PostAsync(server, 200, ("sql", sql));
        Assert.NotNull(page.QuerySelector(".message-info"));
        Assert.Null(page.QuerySelector(".message-error"));
        Assert.Equal(link, page.QuerySelector("a.view-row")?.GetAttribute("href"));
        if (link is not null)
        {
            Assert.Equal(200, (await server.GetAsync(link)).Status);
        }
    }

    [Theory]
    [InlineData("insert into t (id, name) values (:id, :name)", 400, "UNIQUE constraint failed: t.id")]
    [InlineData("insert into nowhere values (:id)", 400, "Could not analyze query: no such table: nowhere")]
    [InlineData("pragma user_version = 3", 403, "Unsupported SQL operation: pragma pragma")]
    [InlineData("select :id", 400, "Use /-/query for read-only SQL; this endpoint only executes writes")]
    [InlineData("  ", 400, "SQL is required")]
    public async Task U074_Refused_KeepsWhatWasTyped(string sql, int status, string message)
    {
        await using var server = await StartAsync("create table t (id integer primary key, name text)", "insert into t values (7, 'old')");
        var page = await PostAsync(server, status, ("sql", sql), ("_sql_param_id", "7"), ("_sql_param_name", "a \"name\""));
        Assert.Equal(message, page.QuerySelector(".message-error")!.TextContent);
        Assert.Equal(sql, page.QuerySelector("textarea[name=sql]")!.TextContent);
        foreach (var name in SqlParameters.Names(sql))
        {
            var value = page.QuerySelector($"input[name=_sql_param_{name}]")!.GetAttribute("value");
            Assert.Equal(name == "id" ? "7" : "a \"name\"", value);
        }
        Assert.Equal("""[{"id":7,"name":"old"}]""", (await server.GetAsync("/data/t.json?_shape=array")).Text);
    }
}
