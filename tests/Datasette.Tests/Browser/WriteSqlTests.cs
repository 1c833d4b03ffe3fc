using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>SQL that writes, in a real browser.</summary>
[Collection(nameof(BrowserTests))]
[Trait("Rule", "U074")]
public sealed class WriteSqlTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    private ILocator Editor => page.Locator("#sql-editor");

    private ILocator Run => page.Locator("input[type=submit]");

    private ILocator Reason => page.Locator("#execute-write-disabled-reason");

    public async ValueTask InitializeAsync() => page = await site.OpenAsync(isRoot: true);

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    [Fact]
    public async Task U074_WhatItWouldDo_IsToldWhileTyping()
    {
        await page.GotoAsync("/forms/-/execute-write");
        await Expect(Run).ToBeDisabledAsync();
        await Expect(Reason).ToHaveTextAsync("SQL is required");
        await Editor.FillAsync("update writing set name = :name where id = :id");
        await Expect(page.Locator("#analysis-table tbody tr").First).ToContainTextAsync("update");
        await Expect(page.Locator("#analysis-table tbody tr").First).ToContainTextAsync("allowed");
        await Expect(page.Locator(".sql-parameter-row label")).ToHaveTextAsync(["name", "id"]);
        await Expect(Run).ToBeEnabledAsync();
        await Expect(Reason).ToHaveTextAsync("");
        await page.FillAsync("[name=_sql_param_name]", "kept");
        await Editor.FillAsync("update writing set name = :name where id = :other");
        await Expect(page.Locator(".sql-parameter-row label")).ToHaveTextAsync(["name", "other"]);
        await Expect(page.Locator("[name=_sql_param_name]")).ToHaveValueAsync("kept");
        await Editor.FillAsync("updat");
        await Expect(Reason).ToContainTextAsync("syntax error");
        await Expect(Run).ToBeDisabledAsync();
        await Expect(page.Locator("#analysis-table")).ToBeHiddenAsync();
        await Expect(page.Locator(".check-sql")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task U074_Template_IsFilledIn_Run_AndLeadsToItsRow()
    {
        await page.GotoAsync("/forms");
        await page.ClickAsync(".actions-menu-links > summary");
        await page.ClickAsync("text=Execute write SQL");
        await page.SelectOptionAsync("#template-table", "writing");
        await page.ClickAsync("button[data-sql-template=insert]");
        await Expect(Editor).ToHaveValueAsync("insert into writing (\n  name\n) values (\n  :name\n)");
        await page.FillAsync("[name=_sql_param_name]", "made by hand");
        await Editor.PressAsync("Control+Enter");
        await Expect(page.Locator(".message-info")).ToContainTextAsync("Query executed, 1 row affected");
        await page.ClickAsync("a.view-row");
        await Expect(page.Locator("td.col-name")).ToHaveTextAsync("made by hand");
        await page.GoBackAsync();
        await Expect(page.Locator(".message-info")).ToBeVisibleAsync();
    }
}
