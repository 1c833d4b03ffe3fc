using System.Text.Json;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>Tables made, changed and dropped in the pages.</summary>
[Collection(nameof(BrowserTests))]
public sealed class SchemaFormsTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    public async ValueTask InitializeAsync() => page = await site.OpenAsync(isRoot: true);

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    private async Task OpenAsync(string address, string action)
    {
        await page.GotoAsync(address);
        await page.ClickAsync(".actions-menu-links > summary");
        await page.ClickAsync($"button[{action}]");
        await Expect(page.Locator("dialog[open]")).ToBeVisibleAsync();
    }

    private async Task<string> SqlOfAsync(string table)
    {
        var sql = Uri.EscapeDataString($"select sql from sqlite_master where name = '{table}'");
        var answer = await page.APIRequest.GetAsync($"/forms/-/query.json?_shape=arrays&sql={sql}");
        using var json = JsonDocument.Parse(await answer.TextAsync());
        var rows = json.RootElement.GetProperty("rows");
        return rows.GetArrayLength() == 0
            ? ""
            : string.Join(' ', rows[0][0].GetString()!.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    [Trait("Rule", "U033")]
    public async Task U034_Table_IsMade_WithKeyDefaultAndForeignKey()
    {
        await OpenAsync("/forms", "data-database-action=create-table");
        var dialog = page.Locator("#table-create-dialog");
        await Expect(dialog.Locator(".table-create-table-name")).ToBeFocusedAsync();
        await page.ClickAsync(".table-create-save");
        await Expect(dialog.Locator(".table-create-error")).ToHaveTextAsync("Give the table a name.");
        await page.FillAsync(".table-create-table-name", "plants & co");
        await page.ClickAsync(".table-create-save");
        await Expect(dialog.Locator(".table-create-error")).ToContainTextAsync("a column needs a change");
        var second = dialog.Locator(".table-create-column-row").Nth(1);
        await second.Locator(".table-create-column-name").FillAsync("name");
        await second.Locator(".table-create-more-options summary").ClickAsync();
        await second.Locator(".table-create-not-null-input").CheckAsync();
        await second.Locator(".table-create-default").FillAsync("it's new");
        await page.ClickAsync(".table-create-add-column");
        var third = dialog.Locator(".table-create-column-row").Nth(2);
        await Expect(third.Locator(".table-create-column-name")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("owner");
        await third.Locator(".table-create-column-type").SelectOptionAsync("integer");
        await third.Locator(".table-create-more-options summary").ClickAsync();
        await third.Locator(".table-create-foreign-key-target").SelectOptionAsync(new SelectOptionValue { Label = "owners.id" });
        await third.Locator(".table-create-move-up").ClickAsync();
        await page.ClickAsync(".table-create-save");
        await Expect(page).ToHaveURLAsync("/forms/plants+~26+co");
        await Expect(page.Locator(".table-insert-row")).ToBeVisibleAsync();
        Assert.Equal(
            "CREATE TABLE \"plants & co\" ( \"id\" INTEGER PRIMARY KEY, \"owner\" INTEGER REFERENCES \"owners\"(\"id\"), \"name\" TEXT NOT NULL DEFAULT 'it''s new' )",
            (await SqlOfAsync("plants & co")).Replace("[", "\"", StringComparison.Ordinal).Replace("]", "\"", StringComparison.Ordinal)
        );
        await OpenAsync("/forms", "data-database-action=create-table");
        await page.FillAsync(".table-create-table-name", "owners");
        await dialog.Locator(".table-create-column-name").Nth(1).FillAsync("name");
        await page.ClickAsync(".table-create-save");
        await Expect(dialog.Locator(".table-create-error")).ToContainTextAsync("already exists");
        Assert.Equal("owners", await page.InputValueAsync(".table-create-table-name"));
    }

    [Fact]
    public async Task U053_Table_IsAltered_AfterAReview_AndDropped()
    {
        await OpenAsync("/forms/changing", "data-table-action=alter-table");
        var dialog = page.Locator("#table-alter-dialog");
        await page.ClickAsync(".table-alter-save");
        await Expect(dialog.Locator(".table-alter-error")).ToHaveTextAsync("Nothing is changed yet.");
        await dialog.Locator("[data-column=name] .table-alter-column-name").FillAsync("title");
        await dialog.Locator("[data-column=old] .table-alter-remove-column").ClickAsync();
        await page.ClickAsync(".table-alter-add-column");
        await page.Keyboard.TypeAsync("size");
        await dialog.Locator(".table-alter-column-type").Last.SelectOptionAsync("float");
        await page.FillAsync(".table-alter-table-name", "changed");
        await page.ClickAsync(".table-alter-save");
        await Expect(dialog.Locator(".table-alter-review li")).ToHaveCountAsync(4);
        await Expect(dialog.Locator(".table-alter-review-damaging")).ToHaveTextAsync("Drop the column old with everything that is in it");
        Assert.Contains("changing", await SqlOfAsync("changing"), StringComparison.Ordinal);
        await page.ClickAsync(".table-alter-back");
        await Expect(dialog.Locator("[data-column=name] .table-alter-column-name")).ToHaveValueAsync("title");
        await page.ClickAsync(".table-alter-save");
        await page.ClickAsync(".table-alter-save");
        await Expect(page).ToHaveURLAsync("/forms/changed");
        Assert.Equal(
            ["id", "title", "size"],
            await page.Locator("th[data-column]").EvaluateAllAsync<string[]>("all => all.map(th => th.dataset.column)")
        );
        await Expect(page.Locator("tr[data-row='1'] td.col-title")).ToHaveTextAsync("kept");
        await OpenAsync("/forms/changed", "data-table-action=alter-table");
        await page.ClickAsync(".table-alter-drop-table");
        await Expect(dialog.Locator(".table-alter-review-damaging")).ToContainTextAsync("It holds 1 row. All of it is gone then.");
        await Expect(page.Locator(".table-alter-cancel")).ToBeFocusedAsync();
        await page.ClickAsync(".table-alter-save");
        await Expect(page).ToHaveURLAsync("/forms");
        Assert.Equal("", await SqlOfAsync("changed"));
    }
}
