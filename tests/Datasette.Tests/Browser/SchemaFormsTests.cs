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
    public async Task U034_Table_IsMade_FromCsv_WithTheTypesShown()
    {
        await OpenAsync("/forms", "data-database-action=create-table");
        var dialog = page.Locator("#table-create-dialog");
        var summary = dialog.Locator(".table-create-data-preview-summary");
        await page.FillAsync(".table-create-table-name", "from csv");
        await page.ClickAsync(".table-create-from-data");
        await Expect(dialog.Locator(".table-create-table-name")).ToHaveValueAsync("from csv");
        await page.ClickAsync(".table-create-save");
        await Expect(dialog.Locator(".table-create-error")).ToContainTextAsync("There are no rows yet.");
        await page.FillAsync(".table-create-data-textarea", "a,A\n1,2");
        await Expect(summary).ToHaveTextAsync("Two columns are called A.");
        await page.FillAsync(".table-create-data-textarea", "a,\n1,2");
        await Expect(summary).ToContainTextAsync("A column has no name");
        const string Csv = """
            zip,count,price,big,note,code
            00123,1,1.5,9223372036854775807,"He said ""hi"",
            twice",a
            10115,,2,1,,b
            +49,3,-3e2,9223372036854775808,"",c
            """;
        await page.FillAsync(".table-create-data-textarea", Csv);
        await Expect(summary).ToHaveTextAsync("3 rows, 6 columns:");
        await Expect(dialog.Locator(".table-create-data-preview-table th"))
            .ToHaveTextAsync(["zip text", "count integer", "price float", "big text", "note text", "code text"]);
        await Expect(dialog.Locator(".table-create-data-preview-table tbody tr").Nth(1).Locator("td"))
            .ToHaveTextAsync(["10115", "NULL", "2", "1", "NULL", "b"]);
        await Expect(dialog.Locator(".table-create-data-primary-key")).ToHaveValueAsync("id");
        await Expect(dialog.Locator(".table-create-data-primary-key option"))
            .ToHaveTextAsync(["none", "id, a new column that counts up", "zip", "price", "big", "code"]);
        await dialog.Locator(".table-create-data-primary-key").SelectOptionAsync("code");
        await page.ClickAsync(".table-create-manual");
        await Expect(dialog.Locator(".table-create-column-row")).ToHaveCountAsync(2);
        await page.ClickAsync(".table-create-from-data");
        await page.FillAsync(".table-create-data-textarea", Csv);
        await dialog.Locator(".table-create-data-primary-key").SelectOptionAsync("code");
        await page.ClickAsync(".table-create-save");
        await Expect(page).ToHaveURLAsync("/forms/from+csv");
        Assert.Equal(
            "CREATE TABLE \"from csv\" ( \"zip\" TEXT, \"count\" INTEGER, \"price\" REAL, \"big\" TEXT, \"note\" TEXT, \"code\" TEXT PRIMARY KEY )",
            await SqlOfAsync("from csv")
        );
        var rows = await page.APIRequest.GetAsync("/forms/from+csv.json?_shape=array");
        Assert.Equal(
            """[{"zip":"00123","count":1,"price":1.5,"big":"9223372036854775807","note":"He said \u0022hi\u0022,\ntwice","code":"a"},{"zip":"10115","count":null,"price":2.0,"big":"1","note":null,"code":"b"},{"zip":"\u002B49","count":3,"price":-300.0,"big":"9223372036854775808","note":"","code":"c"}]""",
            await rows.TextAsync()
        );
    }

    [Fact]
    public async Task U034_Table_IsMade_FromAFileOfJson_AndWhatIsRefusedStays()
    {
        await OpenAsync("/forms", "data-database-action=create-table");
        var dialog = page.Locator("#table-create-dialog");
        await page.ClickAsync(".table-create-from-data");
        await page.SetInputFilesAsync(
            ".table-create-data-open-file",
            new FilePayload
            {
                Name = "owners.json",
                MimeType = "application/json",
                Buffer = System.Text.Encoding.UTF8.GetBytes(
                    """[{"id": 9007199254740993, "tags": ["a"], "ok": true}, {"id": 2, "more": 0.5}]"""
                ),
            }
        );
        await Expect(dialog.Locator(".table-create-data-preview-table th"))
            .ToHaveTextAsync(["id integer", "tags text", "ok integer", "more float"]);
        await Expect(dialog.Locator(".table-create-table-name")).ToHaveValueAsync("owners");
        await Expect(dialog.Locator(".table-create-data-primary-key")).ToHaveValueAsync("id");
        // A table of that name is there already, and must not be filled with these.
        await page.ClickAsync(".table-create-save");
        await Expect(dialog.Locator(".table-create-error")).ToContainTextAsync("already");
        await Expect(dialog.Locator(".table-create-data-textarea"))
            .ToHaveValueAsync(new System.Text.RegularExpressions.Regex("9007199254740993"));
        await page.FillAsync(".table-create-table-name", "from json");
        await page.ClickAsync(".table-create-save");
        await Expect(page).ToHaveURLAsync("/forms/from+json");
        var rows = await page.APIRequest.GetAsync("/forms/from+json.json?_shape=array");
        Assert.Equal(
            """[{"id":2,"tags":null,"ok":null,"more":0.5},{"id":9007199254740993,"tags":"[\u0022a\u0022]","ok":1,"more":null}]""",
            await rows.TextAsync()
        );
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
