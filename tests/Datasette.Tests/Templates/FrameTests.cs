using AngleSharp.Dom;
using Datasette.Hosting;
using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>The user's frame around the host's pages, and the blocks that a template may replace.</summary>
public sealed class FrameTests
{
    private const string Base =
        "<!DOCTYPE html><html lang=en><head><title>{{ title }} - mine</title>{{ head }}{{ extra_head }}</head><body class=\"{{ body_class }}\">"
        + "{{ header }}<div id=mine>{{ content }}</div>{{ messages }}<footer>{{ footer }}</footer>{{ scripts }}</body></html>";

    [Theory]
    [InlineData("/", 200)]
    [InlineData("/data", 200)]
    [InlineData("/data/people", 200)]
    [InlineData("/data/people/1", 200)]
    [InlineData("/data/adults", 200)]
    [InlineData("/data/-/query?sql=select+1", 200)]
    [InlineData("/-/versions", 200)]
    [InlineData("/-/api", 200)]
    [InlineData("/data/-/schema", 200)]
    [InlineData("/nowhere", 404)]
    [InlineData("/about", 200)]
    public async Task C120_Base_WrapsEveryPage(string path, int status)
    {
        await using var plain = await TemplateSite.StartAsync(("pages/about.html", "<h1>About</h1>"));
        await using var mine = await TemplateSite.StartAsync(("base.html", Base), ("pages/about.html", "<h1>About</h1>"));
        var (before, after) = (await plain.PageAsync(path, status), await mine.PageAsync(path, status));
        Assert.Equal(before.Title + " - mine", after.Title);
        Assert.Equal(before.Body!.ClassName, after.Body!.ClassName);
        Assert.Equal(WithoutTimes(Html(before, "section.content")), WithoutTimes(Html(after, "#mine")));
        Assert.Equal(WithoutTimes(Html(before, "footer.ft")), WithoutTimes(Html(after, "footer")));
        Assert.Equal(Html(before, "header.hd"), Html(after, "header.hd"));
        Assert.Equal(
            before.QuerySelectorAll("link,script,style").Select(e => e.OuterHtml),
            after.QuerySelectorAll("link,script,style").Select(e => e.OuterHtml)
        );
        Assert.Null(after.QuerySelector("footer.ft"));
    }

    private static string WithoutTimes(string html) => System.Text.RegularExpressions.Regex.Replace(html, @"[\d.]+ ms", "");

    private static string Html(IParentNode document, string selector) => document.QuerySelector(selector)!.InnerHtml.Trim();

    [Fact]
    public async Task C120_CapturedBlocks_ReplaceThoseOfTheHost()
    {
        const string Template =
            "{% capture title %}People & {{ table }}{% endcapture %}{% assign body_class = \"mine\" %}"
            + "{% capture extra_head %}<meta name=mine content=yes>{% endcapture %}{% capture crumbs %}<p class=crumbs>here</p>{% endcapture %}"
            + "{% capture footer %}{{ footer }} and me{% endcapture %}<p>Before</p>{{ content }}";
        await using var site = await TemplateSite.StartAsync(("table.html", Template));
        var document = await site.PageAsync("/data/people");
        Assert.Equal("People & people", document.Title);
        Assert.Equal("mine", document.Body!.ClassName);
        Assert.NotNull(document.QuerySelector("meta[name=mine]"));
        Assert.Equal("here", document.QuerySelector("p.crumbs")!.TextContent);
        Assert.NotNull(document.QuerySelector("details.nav-menu"));
        Assert.Contains("Powered by", document.QuerySelector("footer.ft")!.TextContent, StringComparison.Ordinal);
        Assert.EndsWith("and me", document.QuerySelector("footer.ft")!.TextContent.Trim(), StringComparison.Ordinal);
        Assert.StartsWith("<p>Before</p>", document.QuerySelector("section.content")!.InnerHtml.Trim(), StringComparison.Ordinal);
        Assert.NotNull(document.QuerySelector("table.rows-and-columns"));
    }

    [Fact]
    public async Task C120_CapturedBlock_IsInTheLargerOneThatTheFrameTakes()
    {
        await using var site = await TemplateSite.StartAsync(
            ("base.html", Base),
            ("table.html", "{% capture crumbs %}<p class=crumbs>here</p>{% endcapture %}{% assign footer = \"<mine>\" %}x")
        );
        var document = await site.PageAsync("/data/people");
        Assert.Equal("here", document.QuerySelector("header.hd p.crumbs")!.TextContent);
        Assert.NotNull(document.QuerySelector("header.hd details.nav-menu"));
        Assert.Equal("<mine>", document.QuerySelector("footer")!.TextContent);
        Assert.Equal("x", document.QuerySelector("#mine")!.InnerHtml);
    }

    [Fact]
    public async Task C120_AssignedText_IsEscapedInItsBlock()
    {
        await using var site = await TemplateSite.StartAsync(
            ("table.html", "{% assign title = \"<b>\" %}{% assign body_class = 'a\"><script>' %}x")
        );
        var text = await site.TextAsync("/data/people");
        Assert.Contains("<title>&lt;b&gt;</title>", text, StringComparison.Ordinal);
        Assert.Contains("<body class=\"a&quot;&gt;&lt;script&gt;\">", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C120_PagesAndFrame_ShareTheirVariables()
    {
        await using var site = await TemplateSite.StartAsync(
            ("table.html", "{% assign section = \"data\" %}{% include \"_banner.html\", text: \"Hi\" %}"),
            ("_banner.html", "<b>{{ text }} {{ table }}</b>"),
            ("base.html", "{{ section }}/{{ view_name }}/{{ text }}/{{ content }}")
        );
        Assert.StartsWith("data/table//<b>Hi people</b>", await site.TextAsync("/data/people"), StringComparison.Ordinal);
        Assert.StartsWith("/index//", await site.TextAsync("/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C120_Layout_IsChosenByTheTemplate()
    {
        await using var site = await TemplateSite.StartAsync(
            ("base.html", "base {{ content }}"),
            ("print.html", "print {{ content }}"),
            ("table.html", "{% layout \"print.html\" %}rows"),
            ("row.html", "{% layout none %}bare"),
            ("index.html", "\n<!doctype html><title>x</title>whole")
        );
        Assert.StartsWith("print rows", await site.TextAsync("/data/people"), StringComparison.Ordinal);
        Assert.StartsWith("bare<!--", await site.TextAsync("/data/people/1"), StringComparison.Ordinal);
        Assert.StartsWith("\n<!doctype html>", await site.TextAsync("/"), StringComparison.Ordinal);
        site.Save("table.html", "{% layout \"gone.html\" %}rows");
        Assert.Contains(
            "gone.html: a template names it as its layout",
            await site.TextAsync("/data/people", 500),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task C120_Render_SeesOnlyWhatItIsGiven()
    {
        await using var site = await TemplateSite.StartAsync(
            ("table.html", "{% assign a = 1 %}{% render \"_a.html\", b: 2 %}[{{ c }}]"),
            ("_a.html", "({{ a }},{{ b }},{{ table }}){% assign c = 3 %}")
        );
        Assert.Equal("(,2,people)[]", await site.ContentAsync("/data/people"));
    }

    [Fact]
    public async Task C074_U012_StylesAndScripts_OfTheConfiguration()
    {
        const string Config = """
            {
              "extra_css_urls": ["/static/a.css", {"url": "https://example.com/b.css", "sri": "sha384-bbb"}],
              "extra_js_urls": ["/static/a.js", {"url": "https://example.com/b.js", "sri": "sha384-ccc", "module": true}]
            }
            """;
        await using var site = await TemplateSite.StartAsync(
            (options, folder) =>
            {
                File.WriteAllText(folder.Combine("extra.json"), Config);
                File.WriteAllText(Path.Join(folder.CreateFolder("assets"), "a.css"), "p{color:red}");
                return options with
                {
                    ConfigFile = folder.Combine("extra.json"),
                    Settings = [("settings.base_url", "/prefix/")],
                    StaticMounts = [new("static", folder.Combine("assets"))],
                };
            },
            []
        );
        var document = await site.PageAsync("/prefix/");
        var styles = document.QuerySelectorAll("head link[rel=stylesheet]").ToList();
        Assert.StartsWith("/prefix/-/static/app.css", styles[0].GetAttribute("href"), StringComparison.Ordinal);
        Assert.Equal(["/prefix/static/a.css", "https://example.com/b.css"], styles.Skip(1).Select(s => s.GetAttribute("href")));
        Assert.Equal("sha384-bbb", styles[2].GetAttribute("integrity"));
        Assert.Equal("anonymous", styles[2].GetAttribute("crossorigin"));
        Assert.Null(styles[1].GetAttribute("integrity"));
        var scripts = document.QuerySelectorAll("script[src]").TakeLast(2).ToList();
        Assert.Equal(["/prefix/static/a.js", "https://example.com/b.js"], scripts.Select(s => s.GetAttribute("src")));
        Assert.Equal("module", scripts[1].GetAttribute("type"));
        Assert.Equal("sha384-ccc", scripts[1].GetAttribute("integrity"));
        // app.js puts it into window.datasetteVersion before they run.
        Assert.Matches(@"^\d+\.\d+", document.QuerySelector("script[data-version]")!.GetAttribute("data-version"));
        Assert.Equal("p{color:red}", await site.TextAsync("/prefix/static/a.css"));
        site.Save("index.html", "{% for css in extra_css_urls %}{{ css.url }} {{ css.sri }};{% endfor %}{{ \"/x\" | url }}");
        Assert.Equal("/prefix/static/a.css ;https://example.com/b.css sha384-bbb;/prefix/x", await site.ContentAsync("/prefix/"));
    }

    [Theory]
    [InlineData("{\"extra_css_urls\": {\"href\": \"a.css\"}}", "extra_css_urls")]
    [InlineData("{\"extra_js_urls\": [{\"src\": \"a.js\"}]}", "extra_js_urls")]
    [InlineData("{\"extra_js_urls\": [7]}", "extra_js_urls")]
    public async Task C074_StylesAndScripts_WithoutAddress_StopTheStart(string config, string key)
    {
        var failure = await Assert.ThrowsAsync<StartupException>(() =>
            TemplateSite.StartAsync(
                (options, folder) =>
                {
                    File.WriteAllText(folder.Combine("extra.json"), config);
                    return options with { ConfigFile = folder.Combine("extra.json") };
                },
                []
            )
        );
        Assert.Contains(key, failure.Message, StringComparison.Ordinal);
        Assert.Contains("extra.json:1:", failure.Message, StringComparison.Ordinal);
    }
}
