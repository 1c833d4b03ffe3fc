using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Rules about pages that no recorded line shows and that need no browser.</summary>
public sealed class PageRuleTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private string Make(params string[] statements) => MakeNamed("data", statements);

    private string MakeNamed(string name, params string[] statements)
    {
        var file = folder.Combine(name + ".db");
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        foreach (var sql in statements)
        {
            SqlStatement.Execute(connection, sql);
        }
        return file;
    }

    private string Config(string yaml)
    {
        var file = folder.Combine("datasette.yaml");
        File.WriteAllText(file, yaml);
        return file;
    }

    private static async Task<IDocument> PageAsync(
        TestServer server,
        string path,
        int status = 200,
        params (string Name, string Value)[] headers
    )
    {
        var answer = await server.GetAsync(path, headers);
        Assert.True(status == answer.Status, $"{path} -> {answer.Status}\n{answer.Text}");
        return await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
    }

    private static string? Menu(IDocument page, string label) =>
        page.QuerySelectorAll(".actions-menu-links [role=menuitem]")
            .FirstOrDefault(e => e.TextContent.StartsWith(label, StringComparison.Ordinal))
            is { } item
            ? item.TextContent
            : null;

    [Fact]
    public async Task U009_Lock_StandsWhereOnlySomeMayLook()
    {
        var config = Config("databases: {data: {tables: {hidden: {allow: {id: root}}}}}");
        var file = Make("create table hidden (a)", "create table open (a)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], ConfigFile = config });
        var database = await PageAsync(server, "/data", headers: TestServer.Root);
        Assert.Contains("🔒", database.QuerySelector("h3#hidden")!.TextContent);
        Assert.DoesNotContain("🔒", database.QuerySelector("h3#open")!.TextContent);
        Assert.Contains("🔒", (await PageAsync(server, "/data/hidden", headers: TestServer.Root)).QuerySelector("h1")!.TextContent);
        Assert.DoesNotContain("hidden", (await PageAsync(server, "/data")).QuerySelector("main")!.TextContent);
    }

    [Fact]
    public async Task U021_SecondHome_IsNotIndexed()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        Assert.Null((await PageAsync(server, "/")).QuerySelector("meta[name=robots]"));
        var page = await PageAsync(server, "/-/");
        Assert.Equal("noindex", page.QuerySelector("meta[name=robots]")!.GetAttribute("content"));
        Assert.Equal("_memory", page.QuerySelector(".db-item h2")!.TextContent);
    }

    [Fact]
    public async Task U032_CrossDatabasePage_ListsWhatIsAttached()
    {
        var files = new[] { Make("create table t (a)"), MakeNamed("other", "create table u (a)") };
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = files, CrossDb = true });
        var box = (await PageAsync(server, "/_memory")).QuerySelector(".message-info")!;
        Assert.Equal(["data", "other"], box.QuerySelectorAll("li strong").Select(e => e.TextContent));
    }

    [Fact]
    public async Task U033_DatabaseActions_AreForThoseWhoMay()
    {
        var file = Make("create table t (a)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], Root = true });
        var page = await PageAsync(server, "/data", headers: TestServer.Root);
        Assert.Equal("Database actions", page.QuerySelector(".actions-menu-links > summary")!.TextContent.Trim());
        Assert.StartsWith("Create table", page.QuerySelector("button[data-database-action=create-table]")!.TextContent);
        Assert.NotNull(Menu(page, "Execute write SQL"));
        Assert.Null((await PageAsync(server, "/data")).QuerySelector(".actions-menu-links"));
    }

    [Fact]
    public async Task U033_DatabaseActions_AreNotForWhatNeverChanges()
    {
        var file = Make("create table t (a)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Immutables = [file], Root = true });
        var page = await PageAsync(server, "/data", headers: TestServer.Root);
        Assert.Null(page.QuerySelector("button[data-database-action=create-table]"));
        Assert.Null(Menu(page, "Execute write SQL"));
    }

    [Fact]
    public async Task U055_BadSort_IsAnErrorPage_WithAWayBack()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("create table t (a)")] });
        var page = await PageAsync(server, "/data/t?_sort=nope", 400);
        Assert.Equal("Error 400", page.QuerySelector("h1")!.TextContent);
        Assert.Contains("Cannot sort table by nope", page.QuerySelector("[role=alert]")!.TextContent);
        Assert.Equal("/data/t", page.QuerySelector("section.content a")!.GetAttribute("href"));
        Assert.Null(page.QuerySelector("table"));
    }

    [Fact]
    public async Task U080_NotFound_NamesTheNearest()
    {
        var file = Make("create table planets (a)", "create table moons (a)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file] });
        var page = await PageAsync(server, "/data/plantes", 404);
        Assert.Contains("There is no table, view or query", page.QuerySelector("[role=alert]")!.TextContent);
        Assert.Equal(["/data/planets", "/data", "/"], page.QuerySelectorAll("section.content a").Select(a => a.GetAttribute("href")));
        page = await PageAsync(server, "/date", 404);
        Assert.Equal(["/data", "/"], page.QuerySelectorAll("section.content a").Select(a => a.GetAttribute("href")));
    }

    [Fact]
    public async Task U080_Errors_TellNothingThatOneMayNotSee()
    {
        var config = Config("databases: {data: {tables: {planets: {allow: {id: root}}}}}");
        var file = Make("create table planets (a)", "create table moons (a)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], ConfigFile = config });
        Assert.DoesNotContain("planets", (await PageAsync(server, "/data/plantes", 404)).QuerySelector("main")!.TextContent);
        var page = await PageAsync(server, "/data/planets", 403);
        Assert.Contains("You are not signed in.", page.QuerySelector("[role=alert]")!.TextContent);
        page = await PageAsync(server, "/-/permissions", 403);
        Assert.Contains("This needs the permission permissions-debug.", page.QuerySelector("[role=alert]")!.TextContent);
    }

    [Fact]
    public async Task U073_Queries_AreSearched_Filtered_Paged()
    {
        var queries = Enumerable.Range(1, 25).Select(i => $"q{i:00}: {{sql: 'select {i}'}}");
        var config = Config(
            $"databases: {{data: {{queries: {{{string.Join(", ", queries)}, change: {{sql: 'update t set a = 1', write: true}}}}}}}}"
        );
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [Make("create table t (a)")], ConfigFile = config }
        );
        var first = await PageAsync(server, "/data/-/queries");
        Assert.Equal(20, first.QuerySelectorAll("ul.bullets a[href^='/data/']:not([href*='/-/'])").Length);
        Assert.Contains("Read-only 25", first.QuerySelector("main")!.TextContent);
        Assert.Contains("Writable 1", first.QuerySelector("main")!.TextContent);
        var second = first.QuerySelectorAll("a").Single(a => a.TextContent == "Next page").GetAttribute("href")!;
        Assert.Equal(
            6,
            (await PageAsync(server, new Uri(second).PathAndQuery))
                .QuerySelectorAll("ul.bullets a[href^='/data/']:not([href*='/-/'])")
                .Length
        );
        var found = await PageAsync(server, "/data/-/queries?q=q07");
        Assert.Equal(["q07"], found.QuerySelectorAll("ul.bullets a[href^='/data/']:not([href*='/-/'])").Select(a => a.TextContent));
        Assert.Equal("q07", found.QuerySelector("input[type=search]")!.GetAttribute("value"));
        var writable = await PageAsync(server, "/data/-/queries?is_write=1");
        Assert.Equal("/data/change", writable.QuerySelector("ul.bullets a")!.GetAttribute("href"));
    }

    [Fact]
    public async Task U081_Tokens_AreMadeWithLimits_AndShownOnce()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("create table t (a)")], Root = true });
        var page = await PageAsync(server, "/-/create-token", headers: TestServer.Root);
        Assert.NotNull(page.QuerySelector("select[name=expire_type]"));
        Assert.Equal("All databases and tables", page.QuerySelector("details.tool-group > summary")!.TextContent.Trim());
        Assert.NotNull(page.QuerySelector("details input[type=checkbox][name='resource:data:t:view-table']"));
        var made = await server.SendAsync(
            "POST",
            "/-/create-token",
            "expire_type=hours&expire_duration=2&resource%3Adata%3At%3Aview-table=on",
            TestServer.Root,
            ("Content-Type", "application/x-www-form-urlencoded")
        );
        var shown = await new HtmlParser().ParseDocumentAsync(made.Text, Ct);
        var token = shown.QuerySelector("#token-input")!.GetAttribute("value")!;
        Assert.StartsWith("dstok_", token);
        Assert.Equal(7200, (int)JsonNode.Parse(shown.QuerySelector("pre:not(.token-use)")!.TextContent)!["d"]!);
        var actor = await server.GetAsync("/-/actor.json", ("Authorization", "Bearer " + token));
        Assert.Equal("root", (string)JsonNode.Parse(actor.Text)!["actor"]!["id"]!);
    }

    [Fact]
    public async Task U081_ApiExplorer_ShowsACallForEachTable()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("create table t (a)")], Root = true });
        var page = await PageAsync(server, "/-/api", headers: TestServer.Root);
        Assert.Equal(["get", "post"], page.QuerySelectorAll("form.tool").Select(form => form.GetAttribute("method")));
        var calls = page.QuerySelectorAll("ul.bullets a").Select(a => a.TextContent).ToList();
        Assert.Contains("/data/t.json", calls);
        Assert.Contains("/data/t/-/insert", calls);
        Assert.Contains(
            "#method=GET&path=",
            page.QuerySelectorAll("ul.bullets a").Single(a => a.TextContent == "/data/t.json").GetAttribute("href")
        );
    }

    [Theory]
    [InlineData("/-/permissions", "Playground")]
    [InlineData("/-/check", "Check")]
    [InlineData("/-/allowed?action=view-table", "Allowed")]
    [InlineData("/-/rules?action=view-table", "Rules")]
    [InlineData("/-/allow-debug", "Allow debug")]
    public async Task U082_PermissionTools_ShareTabs(string path, string current)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("create table t (a)")], Root = true });
        var page = await PageAsync(server, path, headers: TestServer.Root);
        Assert.Equal(
            ["Playground", "Check", "Allowed", "Rules", "Actions", "Allow debug"],
            page.QuerySelectorAll(".tabs a").Select(a => a.TextContent)
        );
        Assert.Equal(current, page.QuerySelector(".tabs a[aria-current=page]")!.TextContent);
    }

    [Fact]
    public async Task U082_Introspection_IsJsonOnAPage()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("create table t (a)")] });
        var page = await PageAsync(server, "/-/settings");
        Assert.Equal("settings.json", page.QuerySelector("h1")!.TextContent);
        Assert.NotNull(JsonNode.Parse(page.QuerySelector("pre")!.TextContent)!["default_page_size"]);
        var schema = await PageAsync(server, "/-/schema");
        Assert.Contains("CREATE TABLE t (a)", schema.QuerySelector("pre code")!.TextContent, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("/-/patterns")]
    [InlineData("/-/messages")]
    [InlineData("/-/debug/autocomplete")]
    [InlineData("/-/threads")]
    public async Task U083_DebugPages_Exist(string path)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("create table t (a)")], Root = true });
        Assert.NotNull((await PageAsync(server, path, headers: TestServer.Root)).QuerySelector("h1"));
    }

    /// <summary>Time runs ten seconds at each look at the clock, as on a disk that needs seconds for every count.</summary>
    private sealed class HastyClock : TimeProvider
    {
        private long looks;

        public override long GetTimestamp() => Interlocked.Increment(ref looks) * 10 * TimestampFrequency;
    }

    [Fact]
    public async Task U020_U031_Counts_EndWithTheirTime()
    {
        var file = Make("create table a (x)", "create table b (x)", "create table c (x)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file] }, new HastyClock());
        var counts = (await PageAsync(server, "/data")).QuerySelectorAll(".db-table .num").Select(e => e.TextContent);
        Assert.Equal(["Many rows", "Many rows", "Many rows"], counts);
        Assert.Equal("3 tables", (await PageAsync(server, "/")).QuerySelector(".db-item p")!.TextContent);
    }

    [Fact]
    public async Task U001_StyleAndScript_AreSentSmall_AndKept()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        var page = await PageAsync(server, "/");
        foreach (
            var address in new[]
            {
                page.QuerySelector("link[rel=stylesheet]")!.GetAttribute("href")!,
                page.QuerySelector("script[src]")!.GetAttribute("src")!,
            }
        )
        {
            var plain = await server.GetAsync(address);
            var small = await server.GetAsync(address, ("Accept-Encoding", "gzip, br"));
            Assert.Equal("gzip", small.Header("content-encoding"));
            Assert.True(small.Body.Length < plain.Body.Length / 2 && small.Body.Length < 12_000, $"{address}: {small.Body.Length} bytes");
            Assert.Contains("immutable", small.Header("cache-control"));
            Assert.Null(plain.Header("content-encoding"));
        }
    }
}
