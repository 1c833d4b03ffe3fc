using Microsoft.Playwright;
using Testing;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>What people do with a table and with SQL, by mouse.</summary>
[Collection(nameof(BrowserTests))]
public sealed class JourneyTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    public async ValueTask InitializeAsync() => page = await site.OpenAsync();

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    private ILocator Cells(string column) => page.Locator($"tbody td.col-{column}");

    private async Task<IReadOnlyList<string>> TextsAsync(string column) => await Cells(column).AllInnerTextsAsync();

    [Fact]
    public async Task U047_Header_SortsBothWays()
    {
        await page.GotoAsync("/space/planets");
        var head = page.Locator("th[data-column=name] a");
        await head.ClickAsync();
        Assert.Equal("Earth", (await TextsAsync("name"))[0]);
        await head.ClickAsync();
        Assert.Equal("Venus", (await TextsAsync("name"))[0]);
        Assert.Equal("descending", await page.Locator("th[data-column=name]").GetAttributeAsync("aria-sort"));
    }

    [Fact]
    public async Task U042_Filters_NarrowAndAreTakenAwayAgain()
    {
        await page.GotoAsync("/things/things");
        await page.SelectOptionAsync("[name=_filter_column]", "weight");
        await page.SelectOptionAsync("[name=_filter_op]", "gt");
        await page.FillAsync("[name=_filter_value]", "1");
        await page.ClickAsync("text=Apply filters");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("2 rows where weight > 1");
        Assert.EndsWith("/things/things?weight__gt=1", page.Url);
        await page.ClickAsync(".filter-row-remove");
        await page.ClickAsync("text=Apply filters");
        await Expect(page.Locator("h3.count")).ToHaveTextAsync("3 rows");
    }

    [Fact]
    public async Task U043_FilterRows_AreAdded_AndOfferValuesOfFacets()
    {
        await page.GotoAsync("/things/things?_facet=kind_id");
        await page.ClickAsync(".filter-row-add");
        await page.SelectOptionAsync("[name=_filter_column_1]", "kind_id");
        Assert.Equal(2, await page.Locator("datalist#values-_filter_value_1 option").CountAsync());
        await page.FillAsync("[name=_filter_value_1]", "1");
        await page.SelectOptionAsync("[name=_filter_column]", "name");
        await page.SelectOptionAsync("[name=_filter_op]", "startswith");
        await page.FillAsync("[name=_filter_value]", "C");
        await page.ClickAsync("text=Apply filters");
        Assert.Equal(["Chalk"], await TextsAsync("name"));
        Assert.DoesNotContain("_filter", page.Url);
    }

    [Fact]
    public async Task U046_Facets_AreSuggested_Counted_Chosen_Removed()
    {
        await page.GotoAsync("/space/visits");
        var first = page.Locator("#facet-kind [data-facet-value]").First;
        var value = await first.GetAttributeAsync("data-facet-value");
        await first.ClickAsync();
        Assert.All(await TextsAsync("kind"), text => Assert.Equal(value, text));
        await page.ClickAsync("#facet-kind li.selected a.cross");
        Assert.DoesNotContain("kind=", page.Url);
        var box = (await page.Locator(".facet-results").BoundingBoxAsync())!;
        var rows = (await page.Locator("#rows").BoundingBoxAsync())!;
        Assert.True(box.X + box.Width <= rows.X, "facets stand beside the rows on a wide screen");
    }

    [Fact]
    public async Task U042_Search_FindsAndKeepsWhatWasTyped()
    {
        await page.GotoAsync("/space/missions");
        await page.FillAsync("#_search", "moon");
        await page.PressAsync("#_search", "Enter");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("search matches \"moon\"");
        Assert.Equal("moon", await page.InputValueAsync("#_search"));
        Assert.NotEmpty(await TextsAsync("name"));
    }

    [Fact]
    public async Task U049_Pages_HoldEveryRowOnce()
    {
        await page.GotoAsync("/space/moons?_size=50&_sort=discovered_year");
        var total = int.Parse(
            (await page.Locator("h3.count").InnerTextAsync()).Split(' ')[0],
            System.Globalization.CultureInfo.InvariantCulture
        );
        var seen = new List<string>(await TextsAsync("id"));
        while (await page.Locator(".pager >> text=Next page").CountAsync() > 0)
        {
            await page.ClickAsync("text=Next page");
            seen.AddRange(await TextsAsync("id"));
        }
        Assert.Equal(total, seen.Count);
        Assert.Equal(total, seen.Distinct().Count());
        await page.ClickAsync("text=First page");
        Assert.DoesNotContain("_next", page.Url);
    }

    [Fact]
    public async Task U041_CountAll_IsToldInPlace()
    {
        await page.GotoAsync("/things/numbers");
        await Expect(page.Locator("h3.count")).ToContainTextAsync(">10,000 rows");
        await page.ClickAsync("a.count-sql");
        await Expect(page.Locator("h3.count")).ToHaveTextAsync("10,500 rows");
        Assert.EndsWith("/things/numbers", page.Url);
    }

    [Fact]
    [Trait("Rule", "U050")]
    public async Task U050_ColumnMenu_SortsFacetsHides()
    {
        await page.GotoAsync("/things/things");
        await MenuAsync("name", "Sort descending");
        Assert.Equal("Chalk", (await TextsAsync("name"))[0]);
        await MenuAsync("kind_id", "Facet by this");
        await Expect(page.Locator("#facet-kind_id")).ToBeVisibleAsync();
        await MenuAsync("note", "Show not-blank rows");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("2 rows where note is not blank");
        await MenuAsync("note", "Hide this column");
        await Expect(page.Locator("th[data-column=note]")).ToHaveCountAsync(0);
        await MenuAsync("name", "Show all columns");
        await Expect(page.Locator("th[data-column=note]")).ToHaveCountAsync(1);
        Assert.Contains("_sort_desc=name", page.Url);
    }

    [Fact]
    public async Task U050_ColumnMenu_TellsTheType_AndOffersOnlyWhatMakesSense()
    {
        await page.GotoAsync("/things/things?_facet=kind_id");
        await page.ClickAsync("th[data-column=kind_id] button.col-menu");
        await Expect(page.Locator("#column-menu .menu-note")).ToHaveTextAsync("integer, refers to kinds");
        await Expect(page.Locator("#column-menu >> text=Facet by this")).ToHaveCountAsync(0);
        await page.Keyboard.PressAsync("Escape");
        await page.ClickAsync("th[data-column=id] button.col-menu");
        await Expect(page.Locator("#column-menu .menu-note")).ToHaveTextAsync("integer, primary key");
        await Expect(page.Locator("#column-menu >> text=Facet by this")).ToHaveCountAsync(0);
        await Expect(page.Locator("#column-menu >> text=Hide this column")).ToHaveCountAsync(0);
        await page.ClickAsync("h1");
        await Expect(page.Locator("#column-menu")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task U051_Columns_AreChosenAndReordered()
    {
        await page.GotoAsync("/things/things");
        await page.ClickAsync("column-chooser summary");
        await page.UncheckAsync("column-chooser input[value=picture]");
        await page.UncheckAsync("column-chooser input[value=link]");
        await page.ClickAsync("[aria-label='Move up: weight']");
        await page.ClickAsync("text=Show these columns");
        var heads = await page.Locator("th[data-column]").EvaluateAllAsync<string[]>("all => all.map(th => th.dataset.column)");
        Assert.Equal(["id", "name", "weight", "kind_id", "tags", "note"], heads);
        await Expect(page.Locator("column-chooser summary")).ToHaveTextAsync("Columns (2 hidden)");
        Assert.Equal(8, await page.EvaluateAsync<int>("window._columnChooserData.allColumns.length"));
        Assert.Equal(6, await page.EvaluateAsync<int>("window._columnChooserData.selectedColumns.length"));
    }

    [Fact]
    [Trait("Rule", "U054")]
    public async Task U012_Pages_TellScriptsWhereTheyAre()
    {
        await page.GotoAsync("/things/pairs");
        Assert.Equal(
            ["things", "pairs", "/things/pairs"],
            await page.EvaluateAsync<string[]>("['database', 'table', 'tableUrl'].map(key => window._datasetteTableData[key])")
        );
        Assert.Matches(@"^\d+\.\d+", await page.EvaluateAsync<string>("window.datasetteVersion"));
    }

    [Fact]
    public async Task U006_Menus_CloseByAClickElsewhere()
    {
        await page.GotoAsync("/");
        await page.ClickAsync("summary[aria-label=Menu]");
        await Expect(page.Locator(".nav-menu-inner")).ToBeVisibleAsync();
        await page.Mouse.ClickAsync(300, 500);
        await Expect(page.Locator(".nav-menu-inner")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task Links_AreCopied_AndLeadToTheSame()
    {
        await page.GotoAsync("/space/moons?_sort_desc=name");
        await page.ClickAsync("text=Copy link");
        Assert.Equal(page.Url, await page.EvaluateAsync<string>("navigator.clipboard.readText()"));
        await page.GotoAsync("/space/-/query?sql=select+:a+as+a&a=1");
        await page.FillAsync("#sql-editor", "select :a + 1 as b");
        await page.FillAsync("[name=a]", "41");
        await page.ClickAsync("text=Copy link");
        await Expect(page.Locator(".copy-link")).ToHaveTextAsync("Copied");
        await page.GotoAsync(await page.EvaluateAsync<string>("navigator.clipboard.readText()"));
        Assert.Equal(["42"], await TextsAsync("b"));
    }

    private async Task MenuAsync(string column, string entry)
    {
        await page.ClickAsync($"th[data-column={column}] button.col-menu");
        await page.ClickAsync($"#column-menu >> text={entry}");
    }
}
