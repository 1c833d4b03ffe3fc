using System.Text.Json.Nodes;
using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>The variables of a page, shown to those who write its template.</summary>
public sealed class ContextTests
{
    [Theory]
    [InlineData("/")]
    [InlineData("/data")]
    [InlineData("/data/people?_facet=town")]
    [InlineData("/data/tall")]
    [InlineData("/data/people/1")]
    [InlineData("/data/adults")]
    [InlineData("/data/-/query?sql=select+x'00'+as+b,+1e300+as+d")]
    [InlineData("/-/versions")]
    [InlineData("/nowhere")]
    public async Task H100_Context_IsShownAsJson_WithTheSettingOnly(string path)
    {
        var asked = path + (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "_context=1";
        await using (var site = await TemplateSite.StartAsync())
        {
            Assert.NotNull((await site.PageAsync(asked, path == "/nowhere" ? 404 : 200)).QuerySelector("footer.ft"));
        }
        await using var debug = await TemplateSite.StartAsync(
            (options, _) => options with { Settings = [("settings.template_debug", "true")] },
            []
        );
        var page = await debug.PageAsync(asked, path == "/nowhere" ? 404 : 200);
        var json = JsonNode.Parse(page.QuerySelector("pre")!.TextContent)!.AsObject();
        Assert.NotNull(json["view_name"]);
        Assert.Equal(path.Split('?')[0], (string?)json["request"]!["path"]);
    }
}
