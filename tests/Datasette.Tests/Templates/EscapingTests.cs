using System.Net;
using System.Text.Json.Nodes;
using Datasette.Plugins;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>What comes from a database or an address is text; what is HTML says so by its type.</summary>
public sealed class EscapingTests
{
    private static readonly string[] Pieces =
    [
        "<",
        ">",
        "\"",
        "'",
        "&",
        "<script>",
        "</script>",
        "{{ 1 }}",
        "{% if %}",
        "]]>",
        "-->",
        "javascript:",
        "\\",
        "é",
        "😀",
        " ",
        "a",
        "\u0001",
        "\u2028",
        "\0x",
        "=",
        "`",
    ];

    /// <summary>Each way in which a template can show a value.</summary>
    private const string Template =
        "{% assign a = value %}{% capture c %}{{ value }}{% endcapture %}{% include \"_v.html\", v: value %}{% render \"_v.html\", v: value %}"
        + "[{{ value }}][{{ a }}][{{ c }}][{{ value | append: value }}][{{ value | strip | prepend: \"<\" | remove_first: \"<\" }}]"
        + "[{{ value | split: \"\" | join: \"\" }}][{{ value | default: \"<\" }}][{{ request.args.q }}][{{ request.args.q | upcase }}]"
        + "<a title=\"{{ value }}\" href='{{ value | safe_url }}'>{{ value | replace: \"a\", \"<i>\" }}</a>"
        + "{% for row in rows %}[{{ row.v }}][{{ row[\"v\"] }}][{{ row.display[\"v\"] }}]{% for cell in row %}[{{ cell.raw }}][{{ cell.text }}][{{ cell.value }}]{% endfor %}{% endfor %}"
        + "<script>var x = {{ value | json }}, y = {{ rows | json }}</script>";

    [Fact]
    public async Task C120_RandomCells_NeverAppearUnescaped()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DATASETTE_SEED"), out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var site = await TemplateSite.StartAsync(
            null,
            [new ValuePlugin(request => request.Query["q"].ToString())],
            ("query.html", Template),
            ("_v.html", "[{{ v }}]")
        );
        for (var i = 0; i < 300; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => Pieces[random.Next(Pieces.Length)]))
                .Replace("\0", "", StringComparison.Ordinal);
            var html = await site.TextAsync($"/data/-/query?sql=select+:q+as+v&q={Uri.EscapeDataString(text)}");
            var document = new AngleSharp.Html.Parser.HtmlParser().ParseDocument(html);
            // Only the elements of the template and of the host, whatever the text was.
            var content = document.QuerySelector("section.content")!;
            var elements = content.QuerySelectorAll("*").Select(e => e.LocalName).ToList();
            Assert.True(elements.All(name => name is "a" or "script"), $"{text} made {string.Join(" ", elements)}");
            Assert.Single(content.QuerySelectorAll("script"));
            Assert.DoesNotContain(content.QuerySelectorAll("*").SelectMany(e => e.Attributes), a => a.Name is not ("title" or "href"));
            Assert.DoesNotContain(
                content.QuerySelectorAll("a"),
                a => a.GetAttribute("href")!.Trim().StartsWith("javascript:", StringComparison.OrdinalIgnoreCase)
            );
            Assert.Equal(
                text.Replace("\u0001", "", StringComparison.Ordinal),
                content.QuerySelector("a[title]")!.GetAttribute("title")!.Replace("\u0001", "", StringComparison.Ordinal)
            );
            var script = content.QuerySelector("script")!.TextContent;
            var json = script[(script.IndexOf('=', StringComparison.Ordinal) + 1)..script.IndexOf(", y = ", StringComparison.Ordinal)];
            Assert.Equal(text, (string?)JsonNode.Parse(json));
        }
    }

    [Fact]
    public async Task C120_Raw_IsTheOnlyWayToUnescapedText()
    {
        await using var site = await TemplateSite.StartAsync(
            ("table.html", "{% assign x = \"<b>\" %}{{ x }}|{{ x | raw }}|{{ x | escape }}")
        );
        Assert.Contains("&lt;b&gt;|<b>|&lt;b&gt;", await site.TextAsync("/data/people"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C120_FiltersAndVariables_OfPlugins()
    {
        await using var site = await TemplateSite.StartAsync(
            null,
            [
                new ValuePlugin(_ => new JsonObject
                {
                    ["n"] = 7,
                    ["list"] = new JsonArray("a", "<b>"),
                    ["no"] = null,
                }),
            ],
            (
                "table.html",
                "{{ value.n }} {{ value.list[1] }} {{ value.no }} {{ html }} {{ page }} {{ \"x\" | shout: 2 }} {{ \"x\" | strong }} {{ rows | total }} {{ deep.map.key }}"
            )
        );
        Assert.Equal("7 &lt;b&gt;  <i>1</i> table/people XX <b>x</b> 6 1.5", await site.ContentAsync("/data/people"));
    }

    [Theory]
    [InlineData("{{ 1234567.5 | number }}", "1,234,567.5")]
    [InlineData("{{ \"text\" | number }}", "text")]
    [InlineData("{{ \"data\" | database_url }}", "/data")]
    [InlineData("{{ \"odd name!\" | table_url: \"data\" }}", "/data/odd+name~21")]
    [InlineData("{{ \"a/b\" | tilde_encode }}", "a~2Fb")]
    [InlineData("{{ \"/-/x\" | url }}", "/-/x")]
    [InlineData("{{ \"_a b\" | css_class | slice: 0, 3 }}", "a-b")]
    [InlineData("{{ \"java\nscript:x\" | safe_url }}", "#")]
    [InlineData("{{ \"mailto:a@b\" | safe_url }}", "mailto:a@b")]
    [InlineData("{{ \"/a:b\" | safe_url }}", "/a:b")]
    [InlineData("{{ request.args | json }}", "{\"x\":\"1\"}")]
    [InlineData("{{ actor.id }}{% unless actor %}nobody{% endunless %}", "nobody")]
    [InlineData("{% for pair in request.args %}{{ pair[0] }}={{ pair[1] }}{% endfor %}", "x=1")]
    [InlineData("{{ 'a,b' | split: ',' | first }}", "a")]
    [InlineData("{{ \"2024-02-03\" | date: \"%d.%m.%Y\" }}", "03.02.2024")]
    [InlineData("{% case view_name %}{% when 'table' %}T{% else %}E{% endcase %}", "T")]
    public async Task C120_Language(string template, string expected)
    {
        await using var site = await TemplateSite.StartAsync(("table.html", template));
        Assert.Equal(expected, WebUtility.HtmlDecode(await site.ContentAsync("/data/people?x=1")));
    }

    private sealed class ValuePlugin(Func<HttpRequest, object?> value) : DatasettePlugin
    {
        public override string Name => "values";

        public override IEnumerable<LiquidFilter> RegisterLiquidFilters(IDatasette datasette) =>
            [
                new(
                    "shout",
                    (input, arguments) => string.Concat(Enumerable.Repeat($"{input}".ToUpperInvariant(), (int)(decimal)arguments[0]!))
                ),
                new("strong", (input, _) => new HtmlString($"<b>{input}</b>")),
                new(
                    "total",
                    (input, _) => ((IEnumerable<object?>)input!).Sum(item => (decimal)((Dictionary<string, object?>)item!)["id"]!)
                ),
            ];

        public override ValueTask<IReadOnlyDictionary<string, object?>?> ExtraTemplateVarsAsync(IDatasette datasette, PageContext page) =>
            ValueTask.FromResult<IReadOnlyDictionary<string, object?>?>(
                new Dictionary<string, object?>
                {
                    ["value"] = value(page.Http.Request),
                    ["html"] = new HtmlString("<i>1</i>"),
                    ["page"] = $"{page.View}/{page.Subject.Table}",
                    ["deep"] = new Dictionary<string, object?> { ["map"] = new Dictionary<string, object?> { ["key"] = 1.5 } },
                }
            );
    }
}
