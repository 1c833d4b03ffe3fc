using Datasette.Text;
using Xunit;

namespace Datasette.Tests.Templates;

/// <summary>Which file stands for which page.</summary>
public sealed class LookupTests
{
    private static readonly string s_odd = TildeEncoding.CssClass("odd name!");

    public static TheoryData<string, string[]> Pages =>
        new()
        {
            { "/", ["index.html"] },
            { "/data", ["database-data.html", "database.html"] },
            { "/data/people", ["table-data-people.html", "table.html"] },
            { "/data/tall", ["table-data-tall.html", "table.html"] },
            { "/data/odd~20name~21", [$"table-data-{s_odd}.html", "table.html"] },
            { "/data/people/1", ["row-data-people.html", "row.html"] },
            { "/data/-/query?sql=select+1", ["query-data.html", "query.html"] },
            { "/data/adults", ["query-data-adults.html", "query-data.html", "query.html"] },
            { "/data/people/9", ["404.html", "error.html"] },
            { "/data/-/query?sql=drop+table+t", ["400.html", "error.html"] },
            { "/-/versions", ["show_json.html"] },
            { "/data/-/schema", ["schema.html"] },
        };

    [Theory]
    [MemberData(nameof(Pages))]
    [Trait("Rule", "H026")]
    [Trait("Rule", "U011")]
    public async Task C120_EachPage_TakesTheMostSpecialTemplate(string path, string[] names)
    {
        await using var site = await TemplateSite.StartAsync();
        var status = (await site.GetAsync(path)).Status;
        var own = await site.TextAsync(path, status);
        Assert.DoesNotContain("mine:", own, StringComparison.Ordinal);
        Assert.EndsWith($"<!-- Templates considered: {Considered(names, names[^1])} -->\n", own, StringComparison.Ordinal);
        // From the most general to the most special: each new one wins.
        foreach (var name in names.Reverse())
        {
            site.Save(name, $"mine: {name} {{{{ view_name }}}}");
            var text = await site.TextAsync(path, status);
            Assert.Contains($"mine: {name}", text, StringComparison.Ordinal);
            Assert.EndsWith($"<!-- Templates considered: {Considered(names, name)} -->\n", text, StringComparison.Ordinal);
            Assert.Contains("class=\"ft\"", text, StringComparison.Ordinal);
        }
    }

    private static string Considered(string[] names, string taken) =>
        string.Join(", ", names.Select(name => name == taken ? "*" + name : name));

    [Theory]
    [InlineData("/data/people", "table")]
    [InlineData("/data/people/1", "row")]
    public async Task C120_Rows_HaveTemplatesOfTheirOwn(string path, string page)
    {
        string[] names = ["_table.html", $"_table-{page}-data-people.html", "_table-data-people.html"];
        await using var site = await TemplateSite.StartAsync();
        foreach (var name in names)
        {
            site.Save(name, $"<i id=\"{name}\">{{% for row in display_rows %}}[{{{{ row[\"name\"] }}}}]{{% endfor %}}</i>");
            var document = await site.PageAsync(path);
            Assert.Contains("[Ada <b>]", document.GetElementById(name)!.TextContent, StringComparison.Ordinal);
            // The rest of the page is the host's own.
            Assert.Null(document.QuerySelector("table.rows-and-columns"));
            Assert.NotNull(document.QuerySelector("h1"));
        }
    }

    [Fact]
    public async Task C120_FragmentOfATable_IsDrawnByTheTemplateToo()
    {
        await using var site = await TemplateSite.StartAsync(("_table.html", "{% for row in rows %}<p>{{ row.name }}</p>{% endfor %}"));
        Assert.Equal("<p>Bo</p>", await site.TextAsync("/data/people/-/fragment?_row=2"));
    }

    [Fact]
    public async Task C120_Fields_OfRowsAndCells()
    {
        const string Template =
            "{% for row in display_rows %}{{ row.url }}|{{ row.key }}|{{ row[\"height\"] }}|{{ row.display[\"town\"] }}|"
            + "{% for cell in row %}{{ cell.column }}={{ cell.raw }}/{{ cell.value }};{% endfor %}\n{% endfor %}";
        await using var site = await TemplateSite.StartAsync(("_table.html", Template));
        var text = await site.TextAsync("/data/people");
        Assert.Contains(
            "/data/people/1|1|1.5|<a href=\"/data/towns/1\">Bern</a> <em>1</em>|"
                + "id=1/<a href=\"/data/people/1\">1</a>;name=Ada &lt;b&gt;/Ada &lt;b&gt;;"
                + "town=1/<a href=\"/data/towns/1\">Bern</a> <em>1</em>;height=1.5/1.5;\n",
            text,
            StringComparison.Ordinal
        );
        Assert.Contains("/data/people/3|3|2.0|&nbsp;|", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C120_Variables_OfATablePage()
    {
        const string Template =
            "{{ database }},{{ table }},{{ count }},{{ human_description_en }},{{ columns | join: \"+\" }},{{ primary_keys[0] }},"
            + "{{ facet_results[0].name }}:{{ facet_results[0].results[0].label }}={{ facet_results[0].results[0].count }},"
            + "{{ query.sql | size | at_least: 9 | at_most: 9 }},{{ next_url }},{{ request.args._facet }},{{ sort_desc }}.";
        await using var site = await TemplateSite.StartAsync(("table.html", Template));
        Assert.Equal(
            "data,people,2,where name is not blank sorted by name descending,id+name+town+height,id,town:Bern=1,9,,town,name.",
            await site.ContentAsync("/data/people?name__notblank=1&_facet=town&_sort_desc=name")
        );
    }

    [Fact]
    [Trait("Rule", "H055")]
    [Trait("Rule", "U021")]
    public async Task C120_HostsOwnHomePage_StaysAtItsOwnAddress()
    {
        await using var site = await TemplateSite.StartAsync(
            ("index.html", "mine"),
            ("base.html", "broken {{ content | nil_filter }}"[..7])
        );
        Assert.Equal("broken ", await site.TextAsync("/").ContinueWith(t => t.Result[..7], TestContext.Current.CancellationToken));
        var document = await site.PageAsync("/-/");
        Assert.NotNull(document.QuerySelector("footer.ft"));
        Assert.Equal("noindex", document.QuerySelector("meta[name=robots]")!.GetAttribute("content"));
    }

    [Fact]
    public async Task C100_FolderOfConfiguration_BringsItsTemplates_AndTheOptionWins()
    {
        await using (var site = await TemplateSite.StartAsync((options, _) => InFolder(options), [], ("index.html", "from the folder")))
        {
            Assert.Equal("from the folder", await site.ContentAsync("/"));
        }
        await using var other = await TemplateSite.StartAsync(
            (options, folder) =>
            {
                File.WriteAllText(Path.Join(folder.CreateFolder("other"), "index.html"), "from the option");
                return InFolder(options) with { TemplateFolder = folder.Combine("other") };
            },
            [],
            ("index.html", "from the folder")
        );
        Assert.Equal("from the option", await other.ContentAsync("/"));

        static Datasette.Hosting.ServeOptions InFolder(Datasette.Hosting.ServeOptions options) =>
            options with
            {
                Files = [Path.GetDirectoryName(options.Files[0])!],
                ConfigFile = null,
                TemplateFolder = null,
            };
    }
}
