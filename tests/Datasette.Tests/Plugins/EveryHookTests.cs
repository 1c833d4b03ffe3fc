using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Cli;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Plugins;

/// <summary>Every hook is seen to work through HTTP, with a plugin that overrides them all.</summary>
public sealed partial class EveryHookTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly EveryHookPlugin plugin = new() { Missing = Make };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private async Task<TestServer> StartAsync(params (string, string)[] settings)
    {
        // The file is not there: the plugin makes it.
        return await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [folder.Combine("data.db")],
                Root = true,
                Settings = settings,
            },
            plugin
        );
    }

    private static void Make(string file)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        foreach (
            var sql in new[]
            {
                "create table teams (id integer primary key, name text)",
                "create table people (id integer primary key, name text, born integer, team_id integer references teams(id))",
                "create table hidden_from_all (id integer primary key)",
                "create view adults as select name, born from people where born < 2000",
                "insert into teams values (1, 'red')",
                "insert into people values (1, 'Ann', 1984, 1), (2, 'Bob', 1989, 1), (3, 'Cleo', 1991, null), (4, 'Dan', 2005, 1)",
            }
        )
        {
            SqlStatement.Execute(connection, sql);
        }
    }

    private static async Task<IDocument> PageAsync(TestServer server, string path, params (string, string)[] headers)
    {
        var answer = await server.GetAsync(path, headers);
        Assert.True(answer.Status == 200, $"{path}: {answer.Status} {answer.Text}");
        return await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
    }

    private static async Task<JsonNode> JsonAsync(TestServer server, string path, params (string, string)[] headers)
    {
        var answer = await server.GetAsync(path, headers);
        Assert.True(answer.Status == 200, $"{path}: {answer.Status} {answer.Text}");
        return JsonNode.Parse(answer.Text)!;
    }

    [Fact]
    public void EveryHook_IsOverriddenHere() => Assert.Equal(HookNames.All.Order(), HookNames.OverriddenBy(plugin).Order());

    [Fact]
    [Trait("Rule", "H281")]
    public async Task PluginsJson_ListsNameVersionAndAllHooks_AsTheOriginalNamesThem()
    {
        await using var server = await StartAsync();
        var listed = Assert.Single((await JsonAsync(server, "/-/plugins.json")).AsArray())!;
        Assert.Equal("every-hook", (string?)listed["name"]);
        Assert.Equal("1.2.3", (string?)listed["version"]);
        Assert.True((bool)listed["static"]!);
        Assert.True((bool)listed["templates"]!);
        var hooks = listed["hooks"]!.AsArray().Select(hook => (string)hook!).ToList();
        Assert.Equal(HookNames.All.Count, hooks.Count);
        foreach (
            var name in new[]
            {
                "actor_from_request",
                "actors_from_ids",
                "asgi_wrapper",
                "canned_queries",
                "extra_body_script",
                "extra_template_vars",
                "filters_from_request",
                "forbidden",
                "get_metadata",
                "handle_exception",
                "jump_items_sql",
                "permission_resources_sql",
                "prepare_connection",
                "prepare_jinja2_environment",
                "register_facet_classes",
                "register_output_renderer",
                "render_cell",
                "startup",
                "top_canned_query",
                "top_homepage",
                "track_event",
            }
        )
        {
            Assert.Contains(name, hooks);
        }
    }

    [Theory]
    [InlineData("/", "TopHomepageAsync index", "HomepageActionsAsync home", "index //  root")]
    [InlineData("/data", "TopDatabaseAsync database", "DatabaseActionsAsync data", "database data//  root")]
    [InlineData("/data/people", "TopTableAsync table", "TableActionsAsync people", "table data/people/ id,name,born,team_id root")]
    [InlineData("/data/adults", "TopTableAsync table", "ViewActionsAsync adults", "table data/adults/ name,born root")]
    [InlineData("/data/people/2", "TopRowAsync row", "RowActionsAsync 2", "row data/people/ id,name,born,team_id root")]
    [InlineData("/data/-/query?sql=select+1+as+one", "TopQueryAsync query", "QueryActionsAsync select 1 as one", "query data// one root")]
    [InlineData(
        "/data/shouted?word=hi",
        "TopStoredQueryAsync query",
        "QueryActionsAsync shouted",
        "query data//shouted shouted,weather root"
    )]
    [Trait("Rule", "U003")]
    [Trait("Rule", "U012")]
    public async Task Page_ShowsWhatAPluginAddsToIt(string path, string slot, string action, string context)
    {
        await using var server = await StartAsync();
        var page = await PageAsync(server, path, TestServer.Root);

        Assert.Equal(slot, Assert.Single(page.QuerySelectorAll("#content p.slot")).TextContent);
        var entry = page.QuerySelectorAll(".page-action-menu a, .page-title a")
            .Single(a => a.TextContent.Contains(action, StringComparison.Ordinal));
        Assert.Equal("Softer words", entry.QuerySelector(".dropdown-description")!.TextContent);
        Assert.StartsWith("/-/every/", entry.GetAttribute("href"), StringComparison.Ordinal);

        Assert.Equal("flag", page.QuerySelector("header nav #flag")!.TextContent);
        Assert.Equal("MenuLinksAsync menu", page.QuerySelector(".nav-menu-inner li a")!.TextContent);
        Assert.Single(page.QuerySelectorAll("head link[rel=stylesheet][href='/-/static-plugins/every-hook/shout.css']"));
        var script = Assert.Single(page.QuerySelectorAll("script[src='https://example.com/x.js']"));
        Assert.Equal("sha384-abc", script.GetAttribute("integrity"));
        Assert.Equal("module", script.GetAttribute("type"));
        Assert.Equal($"window.page = '{context} <3';", page.QuerySelectorAll("body script:not([src])").Single().TextContent);
    }

    [Fact]
    public async Task BaseUrl_StandsBeforeAssetsOfPlugins()
    {
        await using var server = await StartAsync(("settings.base_url", "/sub/"));
        var page = await PageAsync(server, "/sub/data");
        Assert.Single(page.QuerySelectorAll("link[href='/sub/-/static-plugins/every-hook/shout.css']"));
        var css = await server.GetAsync("/sub/-/static-plugins/every-hook/shout.css");
        Assert.Equal(200, css.Status);
    }

    [Fact]
    [Trait("Rule", "H301")]
    public async Task StaticFileOfAPlugin_HasTypeEtagAndHash_AndAnUnknownOneIs404()
    {
        await using var server = await StartAsync();
        var css = await server.GetAsync("/-/static-plugins/every-hook/shout.css");
        Assert.Equal(200, css.Status);
        Assert.Equal("text/css", css.Header("content-type"));
        Assert.Equal(304, (await server.GetAsync("/-/static-plugins/every-hook/shout.css", ("If-None-Match", css.Header("etag")!))).Status);
        Assert.Equal(404, (await server.GetAsync("/-/static-plugins/every-hook/other.css")).Status);
        Assert.Equal(404, (await server.GetAsync("/-/static-plugins/nobody/shout.css")).Status);
        Assert.Equal(404, (await server.GetAsync("/-/static-plugins/every-hook/a/../shout.css")).Status);
        Assert.Equal(403, (await server.GetAsync("/-/static-plugins/every-hook/", ("X-User", "bob"))).Status);
    }

    [Fact]
    public async Task DatabaseState_StandsBesideTheDatabase()
    {
        await using var server = await StartAsync();
        var page = await PageAsync(server, "/");
        Assert.Equal("data is well", page.QuerySelector(".db-item .state")!.TextContent);
    }

    [Fact]
    public async Task Metadata_OfAPlugin_IsShown_AndTheConfigurationWins()
    {
        await using var server = await StartAsync();
        Assert.Equal("Title of a plugin", (string?)(await JsonAsync(server, "/.json"))["metadata"]!["title"]);
        Assert.Equal("A plugin describes data", (string?)(await JsonAsync(server, "/data.json"))["metadata"]!["description"]);
        var page = await PageAsync(server, "/data/people");
        Assert.Contains("A plugin describes people", page.Body!.TextContent, StringComparison.Ordinal);
        Assert.Equal("Who", page.QuerySelector("dl.column-descriptions dd")!.TextContent);

        var metadata = folder.Combine("metadata.json");
        await File.WriteAllTextAsync(metadata, """{"title": "Mine"}""", Ct);
        await using var configured = await TestServer.StartAsync(
            new ServeOptions { Memory = true, MetadataFile = metadata },
            new EveryHookPlugin()
        );
        var home = (await JsonAsync(configured, "/.json"))["metadata"]!;
        Assert.Equal("Mine", (string?)home["title"]);
        Assert.Equal("Source of a plugin", (string?)home["source"]);
    }

    [Fact]
    [Trait("Rule", "H004")]
    public async Task StoredQueries_OfAPlugin_Run_AndOneOfTheConfigurationWins()
    {
        await using var server = await StartAsync(("databases.data.queries.taken", "select 'configuration' as source"));
        var taken = await JsonAsync(server, "/data/taken.json?_shape=arrayfirst");
        Assert.Equal("""["configuration"]""", taken.ToJsonString());

        var query = await JsonAsync(server, "/data/shouted.json?word=hi&_shape=array", ("User-Agent", "tests"));
        Assert.Equal("""[{"shouted":"HI IN data","weather":"rain for tests"}]""", query.ToJsonString());
        // A visitor cannot set a magic parameter.
        query = await JsonAsync(server, "/data/shouted.json?word=hi&_shape=array&_weather_today=sun", ("User-Agent", "tests"));
        Assert.Equal("rain for tests", (string?)query[0]!["weather"]);
        Assert.Equal("plugin", (string?)(await JsonAsync(server, "/data/shouted/-/definition"))["query"]!["source"]);
    }

    [Fact]
    public async Task WrapRequest_StandsAroundEveryRequest_AndMayAnswerItself()
    {
        await using var server = await StartAsync();
        Assert.Equal("wrapped", (await server.GetAsync("/data.json")).Header("x-every-hook"));
        Assert.Equal("wrapped", (await server.GetAsync("/nope2")).Header("x-every-hook"));
        Assert.Equal(418, (await server.GetAsync("/-/teapot")).Status);
    }

    [Fact]
    [Trait("Rule", "H286")]
    public async Task JumpItems_AreFoundByLabelAndSearchText()
    {
        await using var server = await StartAsync();
        var found = (await JsonAsync(server, "/-/jump.json?q=umbrella"))["matches"]!.AsArray();
        Assert.Equal(
            """{"name":"Weather","url":"/-/every/weather","type":"dashboard","description":"for umbrella"}""",
            Assert.Single(found)!.ToJsonString()
        );
        Assert.Empty((await JsonAsync(server, "/-/jump.json?q=sunshade"))["matches"]!.AsArray());
    }

    [Fact]
    public async Task TemplateVarsAndLiquidFilters_AreThereInTemplatesOfTheUser()
    {
        var templates = Directory.CreateDirectory(folder.Combine("templates")).FullName;
        await File.WriteAllTextAsync(
            Path.Join(templates, "table-data-people.html"),
            """<p id="weather">{{ weather | shout: "!" }} {{ "a<b" | shout }}</p>{{ content }}""",
            Ct
        );
        Make(folder.Combine("data.db"));
        var options = new ServeOptions { Files = [folder.Combine("data.db")], TemplateFolder = templates };
        await using (var dressed = await TestServer.StartAsync(options, plugin))
        {
            var page = await PageAsync(dressed, "/data/people");
            Assert.Equal("SUN ON TABLE! A<B", page.QuerySelector("#weather")!.TextContent);
            // What the host shows of the plugin otherwise stays.
            Assert.Equal("flag", page.QuerySelector("header nav #flag")!.TextContent);
            Assert.Single(page.QuerySelectorAll("p.slot"));
            Assert.Single(
                page.QuerySelectorAll("body script:not([src])"),
                script => script.TextContent.StartsWith("window.page", StringComparison.Ordinal)
            );
        }

        await using var server = await StartAsync();
        Assert.Equal("sun on vars", (string?)(await JsonAsync(server, "/-/every/vars"))["weather"]);
        var filter = Assert.Single(server.App.Hooks.Registered.LiquidFilters);
        Assert.Equal("HI!", filter.Apply("hi", ["!"]));
    }

    [Fact]
    [Trait("Rule", "H269")]
    public async Task Events_OfTheHostAndOfPlugins_AreTold_OnlyAfterSuccess()
    {
        await using var server = await StartAsync();
        async Task SendAsync(string path, string body, int status)
        {
            var answer = await server.SendAsync("POST", path, body, TestServer.Root, ("Content-Type", "application/json"));
            Assert.True(answer.Status == status, $"{path}: {answer.Status} {answer.Text}");
        }
        await server.GetAsync("/-/auth-token?token=" + server.App.RootToken);
        await SendAsync("/data/people/-/insert", """{"row": {"name": "Eve"}}""", 201);
        await SendAsync("/data/people/-/insert", """{"row": {"id": 1}}""", 400);
        await SendAsync("/data/people/-/upsert", """{"rows": [{"id": 1, "name": "Anne"}]}""", 200);
        await SendAsync("/data/people/1/-/update", """{"update": {"name": "Ann"}}""", 200);
        await SendAsync("/data/people/5/-/delete", "{}", 200);
        await SendAsync("/data/-/create", """{"table": "new", "row": {"id": 1}, "pk": "id"}""", 201);
        await SendAsync("/data/new/-/drop", """{"confirm": true}""", 200);
        await server.GetAsync("/-/every/event", ("X-User", "bob"));
        await server.SendAsync("POST", "/-/logout", "", TestServer.Root);
        Assert.Equal(
            [
                "data is missing",
                "started with data",
                "login by root / 0",
                "insert-rows by root data/people 1",
                "upsert-rows by root data/people 1",
                "update-row by root data/people 1",
                "delete-row by root data/people 1",
                "create-table by root data/new 0",
                "insert-rows by root data/new 1",
                "drop-table by root data/new 0",
                "mail-sent by bob / 0 to bob",
                "logout by root / 0",
            ],
            plugin.Told.Where(line => !line.StartsWith("failure", StringComparison.Ordinal))
        );

        var unknown = await server.GetAsync("/-/every/anything");
        Assert.Equal(500, unknown.Status);
        Assert.Contains("unheard-of", unknown.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Rule", "C077")]
    [Trait("Rule", "C078")]
    public async Task Configuration_OfTopLevelDatabaseAndTable_ReachesThePlugin()
    {
        Environment.SetEnvironmentVariable("EVERY_HOOK_TEST", "from outside");
        await using var server = await StartAsync(
            ("plugins.every-hook", """{"place": "top", "secret": {"$env": "EVERY_HOOK_TEST"}}"""),
            ("databases.data.plugins.every-hook.place", "database"),
            ("databases.data.tables.people.plugins.every-hook.place", "table")
        );
        async Task<string?> PlaceAsync(string query) => (string?)(await JsonAsync(server, "/-/every/config?" + query))["place"];
        Assert.Equal("top", await PlaceAsync(""));
        Assert.Equal("database", await PlaceAsync("db=data"));
        Assert.Equal("table", await PlaceAsync("db=data&table=people"));
        Assert.Equal("database", await PlaceAsync("db=data&table=teams"));
        Assert.Equal("from outside", (string?)(await JsonAsync(server, "/-/every/config"))["secret"]);
        Assert.Equal("null", (await server.GetAsync("/-/every/config?db=data&table=teams&fallback=no")).Text);
    }

    [Fact]
    [Trait("Rule", "C003")]
    public async Task Command_OfAPlugin_Runs()
    {
        Assert.Equal(7, await DatasetteProgram.RunAsync(["every-hook"], plugin));
        Assert.Contains("commanded", plugin.Told);
    }

    [Fact]
    [Trait("Rule", "C042")]
    [Trait("Rule", "C043")]
    public async Task ATour_CallsEveryHookThereIs()
    {
        await using (var server = await StartAsync())
        {
            foreach (
                var path in new[]
                {
                    "/",
                    "/data",
                    "/data/people?_facet_decade=born",
                    "/data/adults",
                    "/data/people/1",
                    "/data/-/query?sql=select+1",
                    "/data/shouted",
                    "/-/jump.json?q=x",
                    "/-/secret",
                    "/-/every/event",
                    "/-/every/actors",
                    "/data/-/durability/1",
                }
            )
            {
                await server.GetAsync(path);
            }
            var two = Database.PrivateMemory("two", new DatabaseOptions());
            await server.App.AddDatabaseAsync(two, Ct);
            Assert.Equal(200, (await server.GetAsync("/two/taken.json")).Status);
            await server.App.RemoveDatabaseAsync("two", Ct);
        }
        await DatasetteProgram.RunAsync(["every-hook"], plugin);
        Assert.Equal(
            ["data is missing", "started with data", "mail-sent by  / 0 to bob", "opened two", "closed two", "stopped", "commanded"],
            plugin.Told.Where(line => !line.StartsWith("failure", StringComparison.Ordinal))
        );
        Assert.Equal(HookNames.All.Order(), plugin.Called.Keys.Order());
    }
}
