using System.Text.Json.Nodes;
using Datasette.Hosting;
using Datasette.Tests.Hosting;
using Xunit;

namespace Datasette.Tests.Plugins;

/// <summary>A third party can write a plugin in one file: the sample does all it says.</summary>
public sealed class HelloPluginTests
{
    [Fact]
    public async Task Sample_AsRoot_HasPageMenuLinkAndSqlFunction()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true }, new HelloPlugin());

        var page = await server.GetAsync("/-/hello", TestServer.Root);
        Assert.Equal(200, page.Status);
        Assert.Equal("Hello, root!", page.Text);

        var home = await server.GetAsync("/", TestServer.Root);
        Assert.Contains("<a href=\"/-/hello\">Say hello</a>", home.Text, StringComparison.Ordinal);

        var query = await server.GetAsync("/_memory/-/query.json?sql=select+hello('SQL')+as+h&_shape=arrayfirst");
        Assert.Equal("[\"Hello, SQL!\"]", query.Text);
    }

    [Fact]
    public async Task Sample_AsAnonymous_IsForbiddenAndNotInTheMenu()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true }, new HelloPlugin());

        var page = await server.GetAsync("/-/hello");
        Assert.Equal(403, page.Status);
        Assert.Contains("say-hello", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Say hello", (await server.GetAsync("/")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sample_ActionInConfiguration_OpensThePage()
    {
        var options = new ServeOptions
        {
            Memory = true,
            Settings = [("permissions.say-hello", "{\"id\": \"ann\"}"), ("plugins.hello.greeting", "Good day")],
        };
        await using var server = await TestServer.StartAsync(options, new HelloPlugin());

        var page = await server.GetAsync("/-/hello", TestServer.Cookie(new JsonObject { ["id"] = "ann" }));
        Assert.Equal("Good day, ann!", page.Text);
    }

    [Fact]
    public async Task Plugins_Listed_WithTheirHooks()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true }, new HelloPlugin());

        var list = JsonNode.Parse((await server.GetAsync("/-/plugins.json")).Text)!.AsArray();
        var hello = Assert.Single(list)!;
        Assert.Equal("hello", (string?)hello["name"]);
        Assert.Equal("1.0", (string?)hello["version"]);
        Assert.Contains("menu_links", hello["hooks"]!.AsArray().Select(hook => (string?)hook));
        Assert.True(JsonNode.Parse((await server.GetAsync("/-/plugins.json?all=1")).Text)!.AsArray().Count > 1);
    }

    [Fact]
    public async Task LoadPlugins_SetAndEmpty_LeavesThePluginOut()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, LoadPlugins = "" }, new HelloPlugin());

        Assert.Equal(404, (await server.GetAsync("/-/hello")).Status);
        Assert.Equal("[]", (await server.GetAsync("/-/plugins.json")).Text);
    }
}
