using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>The same journeys in a browser that runs no script: links and forms do it all.</summary>
[Collection(nameof(BrowserTests))]
[Trait("Rule", "U013")]
public sealed class NoScriptTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    public async ValueTask InitializeAsync() => page = await site.OpenAsync(hasScript: false);

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    private async Task<IReadOnlyList<string>> TextsAsync(string column) =>
        await page.Locator($"tbody td.col-{column}").AllInnerTextsAsync();

    [Fact]
    public async Task U013_Browse_Sort_Filter_Facet()
    {
        await page.GotoAsync("/");
        await page.ClickAsync(".db-item >> text=things");
        await page.ClickAsync(".db-table a >> text=things");
        await page.ClickAsync("th[data-column=name] a");
        await page.ClickAsync("th[data-column=name] a");
        Assert.Equal("Chalk", (await TextsAsync("name"))[0]);
        await page.SelectOptionAsync("[name=_filter_column]", "name");
        await page.SelectOptionAsync("[name=_filter_op]", "not");
        await page.FillAsync("[name=_filter_value]", "Chalk");
        await page.ClickAsync("text=Apply filters");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("2 rows where name != \"Chalk\"");
        await page.SelectOptionAsync("[name=_filter_column_1]", "");
        await page.ClickAsync("text=Apply filters");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("3 rows");
        await page.ClickAsync("column-chooser summary");
        await page.ClickAsync("li[data-column=kind_id] >> text=Facet by this");
        await page.ClickAsync("#facet-kind_id [data-facet-value='2']");
        Assert.Equal(["Birch"], await TextsAsync("name"));
        await page.ClickAsync("tbody a >> text=2");
        await Expect(page.Locator("h1")).ToContainTextAsync("things: 2");
    }

    [Fact]
    [Trait("Rule", "U050")]
    [Trait("Rule", "U051")]
    public async Task U013_Columns_AreSortedByHiddenAndChosen()
    {
        await page.GotoAsync("/things/things");
        await page.ClickAsync("column-chooser summary");
        await page.ClickAsync("li[data-column=weight] >> text=Sort descending");
        Assert.Equal("Agate", (await TextsAsync("name"))[0]);
        await page.ClickAsync("column-chooser summary");
        await page.ClickAsync("li[data-column=weight] >> text=Hide this column");
        await Expect(page.Locator("th[data-column=weight]")).ToHaveCountAsync(0);
        await page.ClickAsync("column-chooser summary");
        await page.CheckAsync("li[data-column=weight] input");
        await page.UncheckAsync("li[data-column=tags] input");
        await page.ClickAsync("text=Show these columns");
        await Expect(page.Locator("th[data-column=weight]")).ToHaveCountAsync(1);
        await Expect(page.Locator("th[data-column=tags]")).ToHaveCountAsync(0);
        await page.ClickAsync("column-chooser summary");
        await page.ClickAsync("text=Show all columns");
        await Expect(page.Locator("th[data-column=tags]")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task U013_Search_Page_Export()
    {
        await page.GotoAsync("/space/missions");
        await page.FillAsync("#_search", "moon");
        await page.PressAsync("#_search", "Enter");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("search matches \"moon\"");
        await page.GotoAsync("/space/missions?_size=10");
        var first = await TextsAsync("id");
        await page.ClickAsync("text=Next page");
        Assert.Empty(first.Intersect(await TextsAsync("id")));
        await page.ClickAsync("text=First page");
        Assert.Equal(first, await TextsAsync("id"));
        await page.CheckAsync("[name=_dl]");
        var download = await page.RunAndWaitForDownloadAsync(() => page.ClickAsync("text=Export CSV"));
        Assert.Equal("missions.csv", download.SuggestedFilename);
        await page.ClickAsync(".export-links >> text=json");
        await Expect(page.Locator("body")).ToContainTextAsync("\"ok\":true");
    }

    [Fact]
    [Trait("Rule", "U070")]
    [Trait("Rule", "U072")]
    public async Task U013_Sql_AndStoredQueries_Run()
    {
        await page.GotoAsync("/space");
        await page.FillAsync("#sql-editor", "select :n * 2 as twice");
        await page.ClickAsync("text=Run SQL");
        await page.FillAsync("[name=n]", "21");
        await page.ClickAsync("text=Run SQL");
        Assert.Equal(["42"], await TextsAsync("twice"));
        await page.GotoAsync("/things/tagged");
        await page.FillAsync("[name=tag]", "hard");
        await page.ClickAsync("text=Run SQL");
        Assert.Equal(["Agate"], await TextsAsync("name"));
        await page.ClickAsync(".stored-query-edit-sql");
        await Expect(page.Locator("#sql-editor")).ToHaveValueAsync("select id, name, tags from things where tags like '%' || :tag || '%'");
        await page.GotoAsync("/things/secret");
        await Expect(page.Locator("#sql-query")).ToHaveCountAsync(0);
        await page.ClickAsync(".show-hide-sql a");
        await Expect(page.Locator("#sql-query")).ToHaveTextAsync("select 1 as one");
    }

    [Fact]
    [Trait("Rule", "U072")]
    [Trait("Rule", "U004")]
    public async Task U013_Writing_AndLeaving()
    {
        var root = await site.OpenAsync(hasScript: false, isRoot: true);
        await root.GotoAsync("/things/rename");
        await root.FillAsync("[name=id]", "3");
        await root.FillAsync("[name=name]", "Chalk");
        await root.ClickAsync("text=Run SQL");
        await Expect(root.Locator(".message-info")).ToBeVisibleAsync();
        await root.ClickAsync("summary[aria-label=Menu]");
        await root.ClickAsync(".nav-menu-logout button");
        await root.ClickAsync("summary[aria-label=Menu]");
        await Expect(root.Locator(".nav-menu-logout")).ToHaveCountAsync(0);
        await root.Context.DisposeAsync();
    }

    [Fact]
    public async Task U013_OnAPhone_ColumnsAreStillReached()
    {
        await page.SetViewportSizeAsync(390, 800);
        await page.GotoAsync("/things/things");
        await page.ClickAsync("column-chooser summary");
        await page.ClickAsync("li[data-column=name] >> text=Sort descending");
        Assert.Equal("Chalk", (await TextsAsync("name"))[0]);
    }

    [Fact]
    public async Task U041_CountAll_LeadsToTheQueryThatCounts()
    {
        await page.GotoAsync("/things/numbers?third=1");
        await Expect(page.Locator("a.count-sql")).ToHaveCountAsync(0);
        await page.GotoAsync("/things/numbers?id__gt=10");
        await page.ClickAsync("a.count-sql");
        Assert.Equal(["10490"], await page.Locator("tbody td").AllInnerTextsAsync());
    }
}
