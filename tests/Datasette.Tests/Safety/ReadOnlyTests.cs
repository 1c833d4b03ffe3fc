using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Responses;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>What a reader of a database cannot do, whoever let the SQL through; and what a query may cost.</summary>
public sealed class ReadOnlyTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private string Make(string name = "data.db")
    {
        using var connection = new SqliteConnection($"Data Source={folder.Combine(name)};Pooling=False");
        connection.Open();
        SqlStatement.Execute(connection, "create table t (id integer primary key, a text)");
        SqlStatement.Execute(connection, "insert into t (a) values ('x'), ('y')");
        SqlStatement.Execute(connection, "create virtual table r using rtree(id, a, b)");
        SqlStatement.Execute(connection, "create virtual table f4 using fts4(x)");
        SqlStatement.Execute(connection, "create virtual table f5 using fts5(x)");
        return folder.Combine(name);
    }

    [Theory]
    [Trait("Rule", "H351")]
    [InlineData("insert into t (a) values ('z')")]
    [InlineData("delete from t")]
    [InlineData("create table u (x)")]
    [InlineData("create temp table u (x)")]
    [InlineData("drop table t")]
    [InlineData("alter table t rename to u")]
    [InlineData("attach 'other.db' as other")]
    [InlineData("detach main")]
    [InlineData("vacuum")]
    [InlineData("vacuum into 'copy.db'")]
    [InlineData("pragma query_only = 0")]
    [InlineData("pragma writable_schema = 1")]
    [InlineData("pragma journal_mode = delete")]
    [InlineData("pragma trusted_schema = 1")]
    [InlineData("pragma temp_store_directory = '/tmp'")]
    [InlineData("select load_extension('evil')")]
    [InlineData("select fts3_tokenizer('simple')")]
    [InlineData("reindex")]
    [InlineData("analyze")]
    public async Task Reader_Refuses(string sql)
    {
        var file = Make();
        await using var database = Database.File("data", file, new());
        await Assert.ThrowsAsync<SqliteException>(() => database.ExecuteAsync(sql, ct: Ct));
        Assert.Equal(2L, (await database.ExecuteAsync("select count(*) from t", ct: Ct)).Scalar);
        Assert.Equal(0L, (await database.ExecuteAsync("pragma trusted_schema", ct: Ct)).Scalar);
        Assert.Equal(1L, (await database.ExecuteAsync("pragma query_only", ct: Ct)).Scalar);
        Assert.Equal(["data.db"], folder.Contents());
    }

    [Theory]
    [InlineData("select * from r")]
    [InlineData("select * from f4 where f4 match 'x'")]
    [InlineData("select * from f5 where f5 match 'x'")]
    [InlineData("select * from json_each('[1,2]')")]
    [InlineData("select * from pragma_table_info('t')")]
    [InlineData("pragma cache_size")]
    [InlineData("explain query plan select * from t where a = 'x'")]
    public async Task Reader_StillReads(string sql)
    {
        await using var database = Database.File("data", Make(), new());
        await database.ExecuteAsync(sql, ct: Ct);
    }

    [Fact]
    public async Task TooManyBytes_AreRefusedWithTheLimit()
    {
        await using var database = Database.File("data", Make(), new() { MaxResultBytes = 1 << 20, TimeLimit = TimeSpan.FromSeconds(30) });
        var failure = await Assert.ThrowsAsync<DatasetteException>(() =>
            database.ExecuteAsync(
                "with recursive c(x) as (select 1 union all select x + 1 from c limit 100) select zeroblob(100000) from c",
                ct: Ct
            )
        );
        Assert.Equal(400, failure.Status);
        Assert.Contains("1 MB", failure.Message, StringComparison.Ordinal);
        Assert.Single((await database.ExecuteAsync("select zeroblob(100000)", ct: Ct)).Rows);
    }

    [Fact]
    public async Task H214_TooSlow_SaysWhyAndHowToRaiseTheLimit()
    {
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [Make()], Settings = [("settings.sql_time_limit_ms", "50")] }
        );
        var sql = QueryArgs.Escape("with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c");
        var data = await server.GetAsync("/data/-/query.json?sql=" + sql);
        Assert.Equal(400, data.Status);
        Assert.Contains("SQL query took too long", data.Text, StringComparison.Ordinal);
        Assert.Contains("sql_time_limit_ms", data.Text, StringComparison.Ordinal);
        var page = await server.GetAsync("/data/-/query?sql=" + sql);
        Assert.Equal(400, page.Status);
        Assert.Contains("sql_time_limit_ms", page.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("select a,\n  nope\nfrom t", "nope")]
    [InlineData("select a frm t x", "t")]
    [InlineData("select 'ü', wrong from t", "wrong")]
    public async Task H213_WrongSql_ThePageMarksThePlace(string sql, string marked)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make()] });
        var answer = await server.GetAsync("/data/-/query?sql=" + QueryArgs.Escape(sql));
        Assert.Equal(400, answer.Status);
        var page = await new AngleSharp.Html.Parser.HtmlParser().ParseDocumentAsync(answer.Text, Ct);
        Assert.Equal(marked, page.QuerySelector("#sql-error-place mark")?.TextContent);
    }
}
