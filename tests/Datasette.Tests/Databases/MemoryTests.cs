using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Databases;

/// <summary>What is remembered between requests is never older than what a query would see.</summary>
public sealed class MemoryTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string File => folder.Combine("data.db");

    public void Dispose() => folder.Dispose();

    private void Run(params string[] statements)
    {
        using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        connection.Open();
        foreach (var sql in statements)
        {
            SqlStatement.Execute(connection, sql);
        }
    }

    private static async Task<JsonNode> JsonAsync(TestServer server, string path) => JsonNode.Parse((await server.GetAsync(path)).Text)!;

    [Theory]
    [InlineData("wal")]
    [InlineData("delete")]
    public async Task CountsAndSuggestions_FollowEveryWriteAtOnce(string journal)
    {
        Run("create table t (id integer primary key, a)", "insert into t(a) values (1), (1), (2)");
        using (var connection = new SqliteConnection($"Data Source={File};Pooling=False"))
        {
            connection.Open();
            SqlStatement.Query(connection, "pragma journal_mode=" + journal);
        }
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [File], Settings = [("settings.facet_suggest_time_limit_ms", "10000")] }
        );
        const string path = "/data/t.json?_extra=count,suggested_facets";
        for (var i = 3; i < 12; i++)
        {
            // Many readers at once, so that all of them have something to remember.
            var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => JsonAsync(server, path)));
            Assert.All(answers, answer => Assert.Equal(i, (int)answer["count"]!));
            Assert.All(
                answers,
                answer => Assert.Contains("_facet=a", answer["suggested_facets"]!.ToJsonString(), StringComparison.Ordinal)
            );
            if (i % 2 == 0)
            {
                Run("insert into t(a) values (1)");
            }
            else
            {
                await server.App.Databases["data"]!.WriteAsync(c => SqlStatement.Execute(c, "insert into t(a) values (2)"), Ct);
            }
        }
        Run("update t set a = id");
        Assert.DoesNotContain("_facet=a", (await JsonAsync(server, path))["suggested_facets"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(1, (int)(await JsonAsync(server, "/data/t.json?_extra=count&a__lt=2"))["count"]!);
        Assert.Equal(2, (int)(await JsonAsync(server, "/data/t.json?_extra=count&a__lt=3"))["count"]!);
    }

    [Fact]
    public async Task KeptStatement_SeesColumnsThatWereAddedMeanwhile()
    {
        Run("create table t (a)", "insert into t values (1)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [File] });
        const string path = "/data/-/query.json?sql=select+*+from+t&_shape=array";
        Assert.Equal("[{\"a\":1}]", (await JsonAsync(server, path)).ToJsonString());
        Run("alter table t add column b default 2");
        Assert.Equal("[{\"a\":1,\"b\":2}]", (await JsonAsync(server, path)).ToJsonString());
        Run("alter table t drop column a");
        Assert.Equal("[{\"b\":2}]", (await JsonAsync(server, path)).ToJsonString());
        Run("drop table t");
        Assert.Equal(400, (await server.GetAsync(path)).Status);
    }

    [Fact]
    public async Task KeptStatement_HoldsNoReadTransaction()
    {
        Run("create table t (a)", "insert into t values (1), (2), (3)");
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [File], Settings = [("settings.max_returned_rows", "1")] }
        );
        Assert.True((bool)(await JsonAsync(server, "/data/-/query.json?sql=select+*+from+t"))["truncated"]!);
        // An open reader would keep the file from being changed in this journal mode.
        Run("pragma busy_timeout=0", "vacuum");
    }

    [Fact]
    public async Task RuleOfAPlugin_HoldsAtOnce()
    {
        Run("create table t (a)");
        var plugin = new SwitchPlugin();
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [File] }, plugin);
        for (var i = 0; i < 4; i++)
        {
            plugin.IsOpen = i % 2 == 0;
            Assert.Equal(plugin.IsOpen ? 200 : 403, (await server.GetAsync("/data/t.json")).Status);
        }
    }

    private sealed class SwitchPlugin : DatasettePlugin
    {
        public bool IsOpen { get; set; }

        public override string Name => "switch";

        public override ValueTask<IReadOnlyList<PermissionSql>> PermissionResourcesSqlAsync(
            IDatasette datasette,
            Actor? actor,
            string action,
            CancellationToken cancellationToken
        ) => new([PermissionSql.Everywhere(Name, IsOpen, "switched")]);
    }
}
