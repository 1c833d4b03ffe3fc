using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>Pages of the user's own.</summary>
public sealed class CustomPageTests
{
    [Fact]
    public async Task C122_Page_AnswersItsPath_InTheFrame()
    {
        await using var site = await TemplateSite.StartAsync(
            ("pages/about.html", "{% capture title %}About us{% endcapture %}<h1>{{ request.path }}</h1>"),
            ("pages/docs/start.html", "start {{ request.args.x }}"),
            ("pages/docs/café.html", "coffee"),
            ("pages/data.html", "behind the database")
        );
        var document = await site.PageAsync("/about");
        Assert.Equal("About us", document.Title);
        Assert.Equal("/about", document.QuerySelector("section.content h1")!.TextContent);
        Assert.Equal("start &lt;1&gt;", await site.ContentAsync("/docs/start?x=%3C1%3E"));
        Assert.Equal("coffee", await site.ContentAsync("/docs/caf~C3~A9"));
        Assert.DoesNotContain("behind", await site.TextAsync("/data"), StringComparison.Ordinal);
        Assert.Equal(404, (await site.GetAsync("/docs")).Status);
        Assert.Equal(404, (await site.GetAsync("/docs/none")).Status);
        // A slash at the end leads to the page, as it leads to tables.
        Assert.Equal("/about", (await site.GetAsync("/about/")).Header("location"));
    }

    [Theory]
    [InlineData("/t/one", "one of one")]
    [InlineData("/t/exact", "exact")]
    [InlineData("/t/item-7", "item 7")]
    [InlineData("/t/one/two", "one and two")]
    [InlineData("/t/fixed/two", "fixed two")]
    [InlineData("/t/fixed/other", "fixed and other")]
    [InlineData("/t/~3Cb~3E", "&lt;b&gt; of &lt;b&gt;")]
    public async Task C122_Braces_CatchSegments_FixedNamesFirst(string path, string expected)
    {
        await using var site = await TemplateSite.StartAsync(
            ("pages/t/{name}.html", "{{ name }} of {{ params.name }}"),
            ("pages/t/exact.html", "exact"),
            ("pages/t/item-{id}.html", "item {{ id }}"),
            ("pages/t/{a}/{b}.html", "{{ a }} and {{ b }}"),
            ("pages/t/fixed/two.html", "fixed two")
        );
        Assert.Equal(expected, await site.ContentAsync(path));
    }

    [Fact]
    public async Task C122_StatusHeadersAndContentType()
    {
        await using var site = await TemplateSite.StartAsync(
            ("pages/teapot.html", "{% custom_status 418 %}{% custom_header \"x-pot\", \"tea\" %}short"),
            ("pages/robots.txt.html", "{% custom_header \"content-type\", \"text/plain\" %}User-agent: *\nAllow: {{ \"/\" | url }}")
        );
        var teapot = await site.GetAsync("/teapot");
        Assert.Equal((418, "tea"), (teapot.Status, teapot.Header("x-pot")));
        Assert.Contains("<footer", teapot.Text, StringComparison.Ordinal);
        var robots = await site.GetAsync("/robots.txt");
        Assert.Equal((200, "text/plain"), (robots.Status, robots.Header("content-type")));
        Assert.Equal("User-agent: *\nAllow: /", robots.Text);
    }

    [Fact]
    public async Task C122_Redirects()
    {
        await using var site = await TemplateSite.StartAsync(
            ("pages/old.html", "{% custom_redirect \"/new\" %}"),
            ("pages/moved/{x}.html", "{% capture to %}/data/{{ x }}{% endcapture %}{% custom_redirect to, 301 %}"),
            ("pages/out.html", "{% custom_redirect \"//example.com\" %}")
        );
        var old = await site.GetAsync("/old");
        Assert.Equal((302, "/new", ""), (old.Status, old.Header("location"), old.Text));
        var moved = await site.GetAsync("/moved/people");
        Assert.Equal((301, "/data/people"), (moved.Status, moved.Header("location")));
        Assert.Equal("/example.com", (await site.GetAsync("/out")).Header("location"));
    }

    [Fact]
    [Trait("Rule", "H026")]
    public async Task C122_NotFound_IsRaisedByThePage_AndShownByItsTemplate()
    {
        await using var site = await TemplateSite.StartAsync(
            ("pages/t/{name}.html", "{% if name == \"no\" %}{% raise_404 \"No such thing\" %}{% endif %}yes"),
            ("pages/plain.html", "{% raise_404 %}"),
            ("404.html", "mine: {{ status }} {{ error }}")
        );
        Assert.Equal("yes", await site.ContentAsync("/t/yes"));
        Assert.Equal("mine: 404 No such thing", await site.ContentAsync("/t/no", 404));
        Assert.StartsWith("mine: 404 404:", await site.ContentAsync("/plain", 404), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/..~2Fsecret")]
    [InlineData("/../secret")]
    [InlineData("/a/../../secret")]
    [InlineData("/~2E~2E/secret")]
    [InlineData("/~7Bname~7D")]
    [InlineData("/%2e%2e%2fsecret")]
    [InlineData("/~00")]
    [InlineData("//about")]
    public async Task C122_Paths_DoNotLeaveTheFolder(string path)
    {
        await using var site = await TemplateSite.StartAsync(
            ("secret.html", "secret"),
            ("../secret.html", "secret"),
            ("pages/about.html", "about"),
            ("pages/x/{name}.html", "x")
        );
        var answer = await site.GetAsync(path);
        Assert.DoesNotContain("secret<", answer.Text, StringComparison.Ordinal);
        Assert.True(answer.Status is 404 or 302 or 400, $"{answer.Status}");
    }

    [Theory]
    [InlineData("{% custom_status 99 %}", "'99' is no status")]
    [InlineData("{% custom_status \"x\" %}", "'x' is no status")]
    [InlineData("{% custom_redirect \"/a\", 200 %}", "'200' is no status")]
    [InlineData("{% custom_header \"a\" %}", "custom_header")]
    [InlineData("{% capture v %}a\nb{% endcapture %}{% custom_header \"x\", v %}", "line break")]
    public async Task C122_WrongArguments_AreNamed(string template, string expected)
    {
        await using var site = await TemplateSite.StartAsync(("pages/a.html", template));
        var text = await site.TextAsync("/a", 500);
        Assert.Contains("pages/a.html:", text, StringComparison.Ordinal);
        Assert.Contains(
            System.Net.WebUtility.HtmlEncode(expected).Replace("&#39;", "&#x27;", StringComparison.Ordinal),
            text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task C122_StatusTags_OutsidePages_AreRefused()
    {
        await using var site = await TemplateSite.StartAsync(("table.html", "\n{% custom_status 404 %}"));
        Assert.Contains(
            "table.html:2: custom_status is for pages in the folder pages/ alone",
            await site.TextAsync("/data/people", 500),
            StringComparison.Ordinal
        );
    }
}
