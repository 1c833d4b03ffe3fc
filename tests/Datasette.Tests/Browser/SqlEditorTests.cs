using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>SQL by hand in a real browser.</summary>
[Collection(nameof(BrowserTests))]
public sealed class SqlEditorTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    private ILocator Editor => page.Locator("#sql-editor");

    private ILocator Names => page.Locator("#completions");

    public async ValueTask InitializeAsync() => page = await site.OpenAsync();

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    private async Task TypeAsync(string text) => await Editor.PressSequentiallyAsync(text);

    [Fact]
    [Trait("Rule", "U070")]
    public async Task U071_Editor_CompletesTables_Columns_AndRunsByTheKeyboard()
    {
        await page.GotoAsync("/space");
        await Editor.FillAsync("");
        await Editor.FocusAsync();
        await TypeAsync("select name from plan");
        await Expect(Names).ToContainTextAsync("planets");
        await Editor.PressAsync("Tab");
        Assert.Equal("select name from planets", await Editor.InputValueAsync());
        await Expect(Names).ToBeHiddenAsync();
        await TypeAsync(" p where p.dist");
        await Editor.PressAsync("ArrowDown");
        await Editor.PressAsync("ArrowUp");
        await Editor.PressAsync("Enter");
        Assert.Equal("select name from planets p where p.distance_from_sun_au", await Editor.InputValueAsync());
        await TypeAsync(" < 0.5");
        await Editor.PressAsync("Control+Enter");
        await Expect(page.Locator("h3.count")).ToContainTextAsync("returning");
        Assert.Equal(["Mercury"], await page.Locator("tbody td.col-name").AllInnerTextsAsync());
        await Expect(page.Locator("h3.count")).ToContainTextAsync("Custom SQL query returning 1 row");
    }

    [Fact]
    public async Task U071_Completion_IsAskedFor_Left_AndChosenByMouse()
    {
        await page.GotoAsync("/space/-/query?sql=select+1");
        await Editor.FillAsync("");
        await Editor.PressAsync("Control+ ");
        await Expect(Names).ToContainTextAsync("moons");
        Assert.Equal("completion-0", await Editor.GetAttributeAsync("aria-activedescendant"));
        await Editor.PressAsync("Escape");
        await Expect(Names).ToBeHiddenAsync();
        await TypeAsync("sel");
        await Names.Locator("[role=option]").First.ClickAsync();
        Assert.Equal("select", await Editor.InputValueAsync());
        await Editor.PressAsync("Tab");
        await Expect(Editor).Not.ToBeFocusedAsync();
    }

    [Fact]
    public async Task U071_Completion_LeavesTextsAndLineEndsAlone()
    {
        await page.GotoAsync("/space/-/query?sql=select+1");
        await Editor.FillAsync("");
        await TypeAsync("select 'from plan");
        await Expect(Names).ToBeHiddenAsync();
        await Editor.FillAsync("");
        await TypeAsync("select plan");
        await Expect(Names).ToBeVisibleAsync();
        await Editor.PressAsync("Enter");
        Assert.Equal("select plan\n", await Editor.InputValueAsync());
    }

    [Fact]
    public async Task U071_Parameters_FollowWhatIsTyped()
    {
        await page.GotoAsync("/space/-/query?sql=select+1");
        await Editor.FillAsync("select :first || ' and ' || :second as t");
        await page.FillAsync("#qp1", "one");
        await page.FillAsync("#qp2", "two");
        await page.GetByLabel("second").PressAsync("Enter");
        await Expect(page.Locator("tbody td.col-t")).ToHaveTextAsync("one and two");
        await Editor.FillAsync("select :second as t");
        await Expect(page.Locator(".sql-parameter-row")).ToHaveCountAsync(1);
        Assert.Equal("two", await page.InputValueAsync("#qp1"));
    }

    [Fact]
    [Trait("Rule", "U030")]
    public async Task U070_Sql_IsLaidOut_AndHidden()
    {
        await page.GotoAsync("/space/-/query?sql=select+a,b+from+(select+1+as+a,2+as+b)+where+a=1+and+b+between+1+and+3+order+by+a");
        await page.ClickAsync("#sql-format");
        Assert.Equal(
            """
            select
              a,
              b
            from (
              select
                1 as a,
                2 as b
            )
            where a = 1
              and b between 1 and 3
            order by a
            """,
            await Editor.InputValueAsync(),
            ignoreLineEndingDifferences: true
        );
        await page.ClickAsync("text=Run SQL");
        Assert.Equal(["1"], await page.Locator("tbody td.col-a").AllInnerTextsAsync());
        await page.ClickAsync(".show-hide-sql a");
        await Expect(Editor).ToHaveCountAsync(0);
        Assert.Equal(["1"], await page.Locator("tbody td.col-a").AllInnerTextsAsync());
    }

    [Theory]
    [InlineData("select 'it''s', \"a b\" from t -- why\nwhere x = 1", "it''s")]
    [InlineData(
        "with a as (select 1) select count(*), group_concat(x, ',') from a left outer join b on a.x = b.x group by 1",
        "left outer join"
    )]
    [InlineData("select case when a then b else c end from t where x in (1, 2, 3) /* ; */ limit 3", "/* ; */")]
    [InlineData("select json_extract(a, '$.b') ->> 'c', :p, -1, 1e5, [a b], `c` from t union all values (1, 2)", "union all")]
    public async Task U071_Format_ChangesOnlySpace(string sql, string kept)
    {
        await page.GotoAsync("/space/-/query");
        await Editor.FillAsync(sql);
        await page.ClickAsync("#sql-format");
        var formatted = await Editor.InputValueAsync();
        Assert.Equal(WithoutSpace(sql), WithoutSpace(formatted));
        Assert.Contains(kept, formatted.Replace("\n", " ").Replace("  ", " "));
    }

    private static string WithoutSpace(string text) => string.Concat(text.Where(c => !char.IsWhiteSpace(c)));

    [Fact]
    public async Task U070_Errors_ShowThePlace_AndTheNearestName()
    {
        await page.GotoAsync("/space");
        await Editor.FillAsync("select nmae from planets");
        await Editor.PressAsync("Control+Enter");
        await Expect(page.Locator("#sql-error")).ToContainTextAsync("no such column: nmae");
        await Expect(page.Locator(".sql-advice")).ToHaveTextAsync("Did you mean name?");
        await Expect(page.Locator("#sql-error-place mark")).ToHaveTextAsync("nmae");
        await page.GotoAsync("/space/-/query?sql=select+1+from+planetz");
        await Expect(page.Locator(".sql-advice")).ToHaveTextAsync("Did you mean planets?");
        await Expect(page.Locator("#sql-error-place mark")).ToHaveTextAsync("planetz");
        await page.GoBackAsync();
        Assert.Equal("select nmae from planets", await Editor.InputValueAsync());
    }

    [Fact]
    public async Task U080_WhatIsNoQuery_IsKeptForChanging()
    {
        await page.GotoAsync("/space/-/query?sql=delete+from+planets");
        await Expect(page.Locator("[role=alert]")).ToContainTextAsync("Statement must be a SELECT");
        Assert.Equal("delete from planets", await Editor.InputValueAsync());
        await Editor.FillAsync("select 7 as seven");
        await Editor.PressAsync("Control+Enter");
        await Expect(page.Locator("tbody td.col-seven")).ToHaveTextAsync("7");
    }
}
