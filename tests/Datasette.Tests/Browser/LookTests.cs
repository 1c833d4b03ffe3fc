using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>Dark and light, wide and narrow.</summary>
[Collection(nameof(BrowserTests))]
public sealed class LookTests(Site site)
{
    [Fact]
    public async Task U091_Dark_FollowsTheSystem()
    {
        var page = await site.OpenAsync();
        await page.GotoAsync("/space");
        var light = await BackgroundAsync(page);
        await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        var dark = await BackgroundAsync(page);
        Assert.Equal("rgb(255, 255, 255)", light);
        Assert.Equal("rgb(20, 23, 22)", dark);
        await page.Context.DisposeAsync();
    }

    private static Task<string> BackgroundAsync(IPage page) =>
        page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");

    [Fact]
    public async Task U052_OnAPhone_RowsAreCards_AndColumnsAreReached()
    {
        var page = await site.OpenAsync(width: 390);
        await page.GotoAsync("/things/things");
        var label = await page.EvalOnSelectorAsync<string>("td.col-name", "td => getComputedStyle(td, '::before').content");
        Assert.Equal("\"name\"", label);
        var (first, second) = (await BoxAsync(page, "tbody td.col-id"), await BoxAsync(page, "tbody td.col-name"));
        Assert.True(second.Y >= first.Y + first.Height, "values stand below one another");
        await page.ClickAsync("button.column-actions-mobile.small-screen-only");
        await page.ClickAsync("li[data-column=name] >> text=Sort descending");
        await Expect(page.Locator("tbody td.col-name").First).ToHaveTextAsync("Chalk");
        await page.ClickAsync("button.choose-columns-mobile");
        await page.UncheckAsync("column-chooser input[value=tags]");
        await page.ClickAsync("text=Show these columns");
        await Expect(page.Locator("td.col-tags")).ToHaveCountAsync(0);
        await page.Context.DisposeAsync();
    }

    [Fact]
    public async Task U052_OnAPhone_FiltersAreFolded_SoThatRowsComeFirst()
    {
        var page = await site.OpenAsync(width: 390);
        await page.GotoAsync("/things/things");
        Assert.True((await BoxAsync(page, "tbody tr")).Y < 500, "the first row is on the first screen");
        await Expect(page.Locator("#sort_by")).ToBeHiddenAsync();
        await page.ClickAsync("text=Filter and sort");
        await page.SelectOptionAsync("#sort_by", "name");
        await page.CheckAsync("[name=_sort_by_desc]");
        await page.ClickAsync("text=Apply filters");
        await Expect(page.Locator("tbody td.col-name").First).ToHaveTextAsync("Chalk");
        await page.Context.DisposeAsync();
    }

    private static async Task<LocatorBoundingBoxResult> BoxAsync(IPage page, string selector) =>
        (await page.Locator(selector).First.BoundingBoxAsync())!;

    [Fact]
    public async Task U048_LongTexts_AreFolded_AndUnfoldedByFocus()
    {
        var page = await site.OpenAsync();
        await page.GotoAsync("/things/things");
        var note = page.Locator("div.long").First;
        var folded = (await note.BoundingBoxAsync())!.Height;
        await note.FocusAsync();
        Assert.True((await note.BoundingBoxAsync())!.Height > folded);
        await page.Context.DisposeAsync();
    }

    /// <summary>The heads make room for their menus before the script runs, so that nothing moves when it does.</summary>
    [Fact]
    public async Task U050_Menus_MoveNothing()
    {
        var page = await site.OpenAsync();
        await page.RouteAsync("**/app.js*", route => route.AbortAsync());
        await page.GotoAsync("/things/things");
        var before = (await page.Locator("table.rows-and-columns").BoundingBoxAsync())!;
        await page.UnrouteAllAsync();
        await page.ReloadAsync();
        await Expect(page.Locator("button.col-menu").First).ToBeVisibleAsync();
        var after = (await page.Locator("table.rows-and-columns").BoundingBoxAsync())!;
        Assert.Equal(before.Width, after.Width);
        Assert.Equal(before.Height, after.Height);
        await page.Context.DisposeAsync();
    }
}
