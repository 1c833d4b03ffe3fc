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

/// <summary>Hooks that take part in an answer, and in who may have it.</summary>
public sealed partial class EveryHookTests
{
    [Fact]
    [Trait("Rule", "H002")]
    [Trait("Rule", "U045")]
    public async Task OutputRenderer_AnswersTablesRowsAndQueries_AndIsLinkedWhereItFits()
    {
        await using var server = await StartAsync();
        var table = await server.GetAsync("/data/people.lines?_size=2&_col=name&_sort=id");
        Assert.Equal(200, table.Status);
        Assert.StartsWith("table data people - \n1|Ann\n2|Bob\nhttp://localhost/data/people.lines?", table.Text, StringComparison.Ordinal);
        Assert.Equal("row data people - \n3|Cleo|1991|\n", (await server.GetAsync("/data/people/3.lines")).Text);
        Assert.Equal("query data - - \n5\n", (await server.GetAsync("/data/-/query.lines?sql=select+5")).Text);
        Assert.StartsWith(
            "query data - shouted \nHI IN data|",
            (await server.GetAsync("/data/shouted.lines?word=hi")).Text,
            StringComparison.Ordinal
        );
        var wrong = await server.GetAsync("/data/-/query.lines?sql=select+nowhere");
        Assert.Equal("query data - - no such column: nowhere\n", wrong.Text);
        Assert.Equal(404, (await server.GetAsync("/data/people.names")).Status);
        Assert.Equal(404, (await server.GetAsync("/data/people.other")).Status);

        static string[] Formats(IDocument page) => [.. page.QuerySelectorAll("p.export-links a").Select(a => a.TextContent)];
        var page = await PageAsync(server, "/data/people?_size=2");
        Assert.Equal(["json", "lines", "names", "CSV", "advanced"], Formats(page));
        Assert.Equal("/data/people.lines?_size=2", page.QuerySelectorAll("p.export-links a")[1].GetAttribute("href"));
        Assert.Equal(["json", "lines", "names"], Formats(await PageAsync(server, "/data/people/1")));
        Assert.Equal(["json", "lines", "CSV"], Formats(await PageAsync(server, "/data/-/query?sql=select+1")));
        var renderers = (await JsonAsync(server, "/data/people.json?_extra=renderers"))["renderers"]!.AsObject();
        Assert.Equal(["json", "lines", "names"], renderers.Select(pair => pair.Key));
    }

    [Fact]
    public async Task Facet_OfAPlugin_Counts_IsSuggested_Configured_AndFiltersThroughItsCondition()
    {
        await using var server = await StartAsync();
        var page = await PageAsync(server, "/data/people");
        var suggested = page.QuerySelectorAll(".suggested-facets a")
            .Single(a => a.GetAttribute("href")!.Contains("_facet_decade=born", StringComparison.Ordinal));
        Assert.Equal("born", suggested.TextContent);

        var json = await JsonAsync(server, "/data/people.json?_facet_decade=born");
        var facet = json["facet_results"]!["results"]!["born"]!;
        Assert.Equal("decade", (string?)facet["type"]);
        var results = facet["results"]!.AsArray();
        Assert.Equal([1980, 1990, 2000], results.Select(result => (int)result!["value"]!));
        Assert.Equal([2, 1, 1], results.Select(result => (int)result!["count"]!));

        var toggle = new Uri((string)results[0]!["toggle_url"]!).PathAndQuery;
        Assert.Contains("_decade=1980", toggle, StringComparison.Ordinal);
        var filtered = await JsonAsync(server, toggle + "&_extra=human_description_en,count");
        Assert.Equal(2, (int)filtered["count"]!);
        Assert.Equal("where born in the 1980s", (string?)filtered["human_description_en"]);
        Assert.True((bool)filtered["facet_results"]!["results"]!["born"]!["results"]![0]!["selected"]!);
        Assert.Equal("id,name\r\n1,Ann\r\n2,Bob\r\n", (await server.GetAsync("/data/people.csv?_decade=1980&_col=name")).Text);
        Assert.Equal("id,name\r\n1,Ann\r\n2,Bob\r\n", (await server.GetAsync("/data/people.csv?_decade=1980&_col=name&_stream=1")).Text);

        await using var configured = await StartAsync(("databases.data.tables.people.facets", """[{"decade": "born"}]"""));
        Assert.Single((await PageAsync(configured, "/data/people")).QuerySelectorAll("#facet-born"));
        Assert.Equal(400, (await server.GetAsync("/data/people.json?_facet_decade=nothing")).Status);
    }

    [Fact]
    public async Task RenderCell_ShowsACellInItsOwnWay_OnTablesRowsQueriesAndLabels()
    {
        await using var server = await StartAsync();
        var table = await PageAsync(server, "/data/people");
        Assert.Equal(
            "Ann of people in data, one of 4, asked as /data/people",
            table.QuerySelector("tbody td.col-name b.shouted")!.TextContent
        );
        Assert.Equal(
            "Bob of people in data, one of 4, asked as /data/people/2",
            (await PageAsync(server, "/data/people/2")).QuerySelector("b.shouted")!.TextContent
        );
        Assert.StartsWith(
            "X IN data of - in data, one of 1,",
            (await PageAsync(server, "/data/-/query?sql=select+shout('x')+as+shouted")).QuerySelector("b.shouted")!.TextContent,
            StringComparison.Ordinal
        );
        var json = await JsonAsync(server, "/data/people.json?_extra=render_cell");
        Assert.StartsWith("<b class=", (string?)json["render_cell"]![0]!["name"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Permissions_OfAPlugin_AllowAndDeny_AndItsActionIsConfigurable()
    {
        await using var server = await StartAsync();
        Assert.Equal(403, (await server.GetAsync("/data/hidden_from_all.json", ("X-User", "bob"))).Status);
        var tables = (await JsonAsync(server, "/data.json"))["tables"]!.AsArray();
        Assert.Equal(["people", "teams"], tables.Select(table => (string?)table!["name"]));
        async Task<bool> MayWater(string actor) =>
            await server.App.AllowedAsync("water-plants", new("data"), Datasette.Permissions.Actor.WithId(actor), Ct);
        Assert.True(await MayWater("gardener"));
        Assert.False(await MayWater("bob"));
        Assert.Contains("water-plants", (await server.GetAsync("/-/actions.json", TestServer.Root)).Text, StringComparison.Ordinal);

        await using var configured = await StartAsync(("permissions.water-plants", """{"id": "bob"}"""));
        Assert.True(await configured.App.AllowedAsync("water-plants", new("data"), Datasette.Permissions.Actor.WithId("bob"), Ct));
    }

    [Fact]
    [Trait("Rule", "H310")]
    public async Task Actor_OfAPlugin_ComesBeforeTheCookie_AndActorsAreFoundByIds()
    {
        await using var server = await StartAsync();
        var actor = await JsonAsync(server, "/-/actor.json", ("X-User", "zoe"), TestServer.Root);
        Assert.Equal("zoe", (string?)actor["actor"]!["id"]);
        Assert.Equal("root", (string?)(await JsonAsync(server, "/-/actor.json", TestServer.Root))["actor"]!["id"]);
        Assert.Equal("""["ann=Ann of the plugin","nobody=nobody"]""", (await JsonAsync(server, "/-/every/actors")).ToJsonString());
    }

    [Fact]
    public async Task Forbidden_AndHandleException_MayAnswer_OrLeaveItToTheHost()
    {
        await using var server = await StartAsync();
        var away = await server.GetAsync("/-/secret");
        Assert.Equal(302, away.Status);
        Assert.Equal("/-/every/signin?why=keep%20out", away.Header("location"));
        Assert.Equal(403, (await server.GetAsync("/-/secret", ("X-User", "bob"))).Status);
        Assert.Equal("no such thing", (await server.GetAsync("/nope")).Text);
        Assert.Equal(404, (await server.GetAsync("/nope2")).Status);
        Assert.Contains("failure: keep out", plugin.Told);
    }
}
