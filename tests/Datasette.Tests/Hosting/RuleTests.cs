using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Rules that no recorded line shows.</summary>
public sealed class RuleTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

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

    private const string Many =
        "with recursive c(x) as (select 1 union all select x + 1 from c where x < 10002) insert into t select x, x % 7 from c";

    private static async Task<IDocument> PageAsync(TestServer server, string path)
    {
        var answer = await server.GetAsync(path);
        Assert.Equal(200, answer.Status);
        return await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
    }

    private static JsonNode Json(Conformance.Answer answer) => JsonNode.Parse(answer.Text)!;

    [Fact]
    public async Task H004_RouteOfAPlugin_ComesBeforeTheHosts()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true }, new VersionsPlugin());
        Assert.Equal("mine", (await server.GetAsync("/-/versions.json")).Text);
    }

    private sealed class VersionsPlugin : DatasettePlugin
    {
        public override string Name => "versions";

        public override IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) =>
            [new("^/-/versions.json$", (_, _, _) => Task.FromResult(Datasette.Responses.Respond.Text("mine")))];
    }

    [Fact]
    public async Task H053_LargeFiles_AreNotCountedOnTheHomePage()
    {
        var file = Make("create table t (a)", "insert into t values (zeroblob(105 * 1024 * 1024))");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file] });
        var database = Json(await server.GetAsync("/.json"))["databases"]![0]!;
        Assert.False((bool)database["show_table_row_counts"]!);
        Assert.Null(database["tables_and_views_truncated"]![0]!["count"]);
    }

    [Fact]
    public async Task H064_Counts_StopAtTenThousand_SaveInImmutableFiles()
    {
        var file = Make("create table t (id integer primary key, a)", Many);
        await using (var server = await TestServer.StartAsync(new ServeOptions { Files = [file] }))
        {
            var table = Json(await server.GetAsync("/data.json"))["tables"]![0]!;
            Assert.Equal(10001, (int)table["count"]!);
            Assert.True((bool)table["count_truncated"]!);
            Assert.Contains(
                ">10,000 rows",
                (await server.GetAsync("/data")).Text.Replace("&gt;", ">", StringComparison.Ordinal),
                StringComparison.Ordinal
            );
        }
        await using var immutable = await TestServer.StartAsync(new ServeOptions { Immutables = [file] });
        Assert.Equal(10002, (int)Json(await immutable.GetAsync("/data.json"))["tables"]![0]!["count"]!);
    }

    [Fact]
    public async Task H166_SlowFacet_IsNamedAndThePageIsStillThere()
    {
        var file = Make("create table t (id integer primary key, a)", Many);
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [file], Settings = [("settings.facet_time_limit_ms", "0")] }
        );
        var answer = await server.GetAsync("/data/t.json?_facet=a&_size=1");
        Assert.Equal(200, answer.Status);
        Assert.Equal("[\"a\"]", Json(answer)["facet_results"]!["timed_out"]!.ToJsonString());
        Assert.Contains("timed out: a", (await server.GetAsync("/data/t?_facet=a&_size=1")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task H219_DuplicateNames_CollapseInObjectsAndStayInArrays()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        var sql = "/_memory/-/query.json?sql=select+1+as+a,+2+as+a";
        Assert.Equal("[{\"a\":2}]", Json(await server.GetAsync(sql))["rows"]!.ToJsonString());
        Assert.Equal("[[1,2]]", Json(await server.GetAsync(sql + "&_shape=arrays"))["rows"]!.ToJsonString());
    }

    [Fact]
    public async Task H320_FlashMessage_IsShownOnceAndForgotten()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        var form = ("Content-Type", "application/x-www-form-urlencoded");
        var sent = await server.SendAsync("POST", "/-/messages", "message=Hello+you&message_type=WARNING", form);
        var cookie = sent.Headers("set-cookie").Single(c => c.StartsWith("ds_messages=", StringComparison.Ordinal)).Split(';')[0];
        var page = await server.GetAsync("/", ("Cookie", cookie));
        Assert.Contains("message-warning", page.Text, StringComparison.Ordinal);
        Assert.Contains("Hello you", page.Text, StringComparison.Ordinal);
        Assert.Contains(page.Headers("set-cookie"), c => c.StartsWith("ds_messages=\"\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task H100_Trace_TellsTheQueriesOfAPage()
    {
        var file = Make("create table t (id integer primary key, a)");
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Files = [file], Settings = [("settings.trace_debug", "true")] }
        );
        var trace = Json(await server.GetAsync("/data/t.json?_trace=1"))["_trace"]!;
        Assert.True((int)trace["num_traces"]! > 0);
        Assert.Contains(trace["traces"]!.AsArray(), entry => ((string)entry!["sql"]!).Contains("from t", StringComparison.Ordinal));
        Assert.Contains("num_traces", (await server.GetAsync("/data/t?_trace=1")).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("_trace", (await server.GetAsync("/data/t.json")).Text, StringComparison.Ordinal);
        await using var off = await TestServer.StartAsync(new ServeOptions { Memory = true });
        Assert.DoesNotContain("num_traces", (await off.GetAsync("/_memory.json?_trace=1")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C024_StaticMount_ServesFiles_ButNeverALiveDatabase()
    {
        var file = Make("create table t (id integer primary key, a)");
        var mount = folder.CreateFolder("static");
        await File.WriteAllTextAsync(Path.Combine(mount, "a.txt"), "hello", Ct);
        // Another name of the same file: only device and inode tell.
        await using var link = await TestProcess.RunAsync("/bin/ln", [file, Path.Combine(mount, "backup.bin")], cancellationToken: Ct);
        Assert.Equal(0, link.ExitCode);
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], StaticMounts = [new("files", mount)] });
        Assert.Equal("hello", (await server.GetAsync("/files/a.txt")).Text);
        Assert.Equal(404, (await server.GetAsync("/files/backup.bin")).Status);
        Assert.Equal(404, (await server.GetAsync("/files/../data.db")).Status);
        Assert.NotEqual(200, (await server.GetAsync("/files/%2e%2e/data.db")).Status);
    }

    [Fact]
    public async Task C026_WithoutASecret_TokensDieWithTheStart()
    {
        await using var one = await StartWithoutSecretAsync();
        await using var two = await StartWithoutSecretAsync();
        var signed = one.App.Sign("{\"a\":1}", "test");
        Assert.True(one.App.TryUnsign(signed, "test", out _));
        Assert.False(two.App.TryUnsign(signed, "test", out _));
    }

    private static Task<DatasetteServer> StartWithoutSecretAsync() =>
        DatasetteServer.StartAsync(
            new ServeOptions { Memory = true, Port = 0 },
            [],
            Ct,
            logging: log => log.SetMinimumLevel(LogLevel.None)
        );

    [Fact]
    public async Task C003_C012_C130_Program_ListsItsCommands_AndTellsWhereItListens()
    {
        var program = Repository.ProgramOf("Datasette.Door");
        await using var help = await TestProcess.RunAsync(program, ["--help"], cancellationToken: Ct);
        Assert.Equal(0, help.ExitCode);
        Assert.All(
            new[] { "serve", "inspect", "plugins", "create-token", "package", "publish", "install", "uninstall" },
            command => Assert.Contains(command, help.StandardOutput, StringComparison.Ordinal)
        );
        var port = Processes.FreePort();
        await using var server = TestProcess.Start(
            program,
            ["--memory", "-p", $"{port}"],
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = "" }
        );
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, Ct);
        for (var i = 0; i < 100 && !server.Output.Contains("127.0.0.1", StringComparison.Ordinal); i++)
        {
            await Task.Delay(50, Ct);
        }
        Assert.Contains($"http://127.0.0.1:{port}/", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C015_Reload_StartsAgainWhenTheConfigurationChanges_AndSurvivesAMistake()
    {
        var config = folder.Combine("datasette.json");
        await File.WriteAllTextAsync(config, "{\"settings\": {\"default_page_size\": 7}}", Ct);
        var port = Processes.FreePort();
        await using var server = TestProcess.Start(
            Repository.ProgramOf("Datasette.Door"),
            ["--memory", "-c", config, "--reload", "-p", $"{port}"],
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = "" }
        );
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, Ct);
        Assert.Equal(7, await PageSizeAsync(port));
        await File.WriteAllTextAsync(config, "{\"settings\": {\"default_page_size\": \"many\"}}", Ct);
        for (var i = 0; i < 200 && !server.Output.Contains("Waiting for the next change", StringComparison.Ordinal); i++)
        {
            await Task.Delay(50, Ct);
        }
        Assert.Contains("default_page_size", server.Output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(config, "{\"settings\": {\"default_page_size\": 11}}", Ct);
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, Ct);
        Assert.Equal(11, await PageSizeAsync(port));
        var answer = await Conformance.Answer.SendAsync(port, "GET", "/_memory/nothing.json", [], null, Ct);
        Assert.Null(answer.Header("cache-control"));
    }

    private static async Task<int> PageSizeAsync(int port) =>
        (int)Json(await Conformance.Answer.SendAsync(port, "GET", "/-/settings.json", [], null, Ct))["default_page_size"]!;

    [Fact]
    public async Task C075_TableKeys_OfTheConfiguration_AreKept()
    {
        var file = Make(
            "create table t (id integer primary key, a, b)",
            "insert into t values (1, 'x', 3), (2, 'y', 2), (3, 'x', 1)",
            "create table u (a)"
        );
        var config = folder.Combine("datasette.json");
        await File.WriteAllTextAsync(
            config,
            """
            {"databases": {"data": {"tables": {
              "t": {"sort_desc": "id", "size": 2, "sortable_columns": ["id", "b"], "label_column": "a", "facets": ["a"], "facet_size": 1},
              "u": {"hidden": true}}}}}
            """,
            Ct
        );
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], ConfigFile = config });
        var data = Json(await server.GetAsync("/data/t.json?_extra=facet_results"));
        Assert.Equal([3, 2], data["rows"]!.AsArray().Select(row => (int)row!["id"]!));
        Assert.Equal(400, (await server.GetAsync("/data/t.json?_sort=a")).Status);
        var facet = data["facet_results"]!["results"]!["a"]!;
        Assert.Single(facet["results"]!.AsArray());
        Assert.False((bool)facet["hideable"]!);
        Assert.Equal("x", (await PageAsync(server, "/data/t")).QuerySelector("tr[data-row='3']")!.GetAttribute("data-row-label"));
        Assert.True(
            (bool)Json(await server.GetAsync("/data.json"))["tables"]!.AsArray().Single(t => (string)t!["name"]! == "u")!["hidden"]!
        );
    }

    [Fact]
    public async Task C079_Metadata_IsInTheInternalDatabase()
    {
        var file = Make("create table t (id integer primary key, a)");
        var metadata = folder.Combine("metadata.json");
        await File.WriteAllTextAsync(
            metadata,
            """{"title": "T", "databases": {"data": {"source": "S", "tables": {"t": {"description": "D", "columns": {"a": "A"}}}}}}""",
            Ct
        );
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file], MetadataFile = metadata });
        async Task<string> Ask(string sql) =>
            string.Join('|', (await server.App.Catalog.Database.ExecuteAsync(sql, ct: Ct)).Rows.SelectMany(row => row));
        Assert.Equal("title|T", await Ask("select * from metadata_instance"));
        Assert.Equal("data|source|S", await Ask("select * from metadata_databases"));
        Assert.Equal("data|t|description|D", await Ask("select * from metadata_resources"));
        Assert.Equal("data|t|a|description|A", await Ask("select * from metadata_columns"));
    }

    [Fact]
    public async Task U001_U006_Frame_HasLanguageViewportOneStyleSheetAndMenus()
    {
        var file = Make("create table t (id integer primary key, a)");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file] });
        foreach (var path in new[] { "/", "/data", "/data/t", "/data/-/query", "/-/versions" })
        {
            var page = await PageAsync(server, path);
            Assert.Equal("en", page.DocumentElement.GetAttribute("lang"));
            Assert.NotNull(page.QuerySelector("meta[name=viewport]"));
            Assert.StartsWith(
                "/-/static/app.css?_hash=",
                Assert.Single(page.QuerySelectorAll("link[rel=stylesheet]")).GetAttribute("href"),
                StringComparison.Ordinal
            );
            Assert.DoesNotContain(
                page.QuerySelectorAll("[src], link[rel=stylesheet]"),
                e => (e.GetAttribute("src") ?? e.GetAttribute("href"))!.Contains("//", StringComparison.Ordinal)
            );
            Assert.NotEmpty(page.QuerySelectorAll("details.details-menu > summary"));
        }
    }

    [Fact]
    public async Task U042_FilterForm_HasARowForEachFilterAndABlankOne()
    {
        var file = Make("create table t (id integer primary key, a)", "insert into t values (1, 'x')");
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [file] });
        var page = await PageAsync(server, "/data/t?a__contains=x&id__gt=0&_facet=a&_sort=a");
        var form = page.QuerySelector("form.core.filters")!;
        Assert.Equal(3, form.QuerySelectorAll(".filter-row").Length);
        Assert.Equal("a", form.QuerySelector("select[name=_filter_column_1] option[selected]")!.GetAttribute("value"));
        Assert.Equal("contains", form.QuerySelector("select[name=_filter_op_1] option[selected]")!.GetAttribute("value"));
        Assert.Equal("x", form.QuerySelector("input[name=_filter_value_1]")!.GetAttribute("value"));
        Assert.Equal(22, form.QuerySelectorAll("select[name=_filter_op] option").Length);
        Assert.NotNull(form.QuerySelector("input[type=hidden][name=_facet][value=a]"));
        Assert.Null(form.QuerySelector("input[type=hidden][name=_sort]"));
        Assert.Equal("a", form.QuerySelector("select[name=_sort] option[selected]")!.GetAttribute("value"));
    }
}
