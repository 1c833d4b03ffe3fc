using System.Text.Json;
using Microsoft.Playwright;
using Testing;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>Rows inserted, edited and deleted in the pages, by somebody who may. What is stored is read back by SQL, with its type.</summary>
[Collection(nameof(BrowserTests))]
public sealed class EditFormsTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    public async ValueTask InitializeAsync() => page = await site.OpenAsync(isRoot: true);

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    private ILocator Editor => page.Locator("#row-edit-dialog");

    private ILocator Field(string column) => Editor.Locator($"[name='{column}']");

    private ILocator State(string column) => Editor.Locator($".row-edit-field[data-column='{column}'] .row-edit-state");

    private ILocator Problem(string column) => Editor.Locator($".row-edit-field[data-column='{column}'] .row-edit-field-error");

    private ILocator Status => page.Locator(".row-mutation-status");

    private Task SaveAsync() => page.ClickAsync(".row-edit-save");

    private async Task EditAsync(string address, string key)
    {
        await page.GotoAsync(address);
        await page.ClickAsync($"tr[data-row=\"{key}\"] button[data-row-action=\"edit\"]");
        await Expect(Editor).ToBeVisibleAsync();
    }

    private async Task InsertAsync(string address)
    {
        await page.GotoAsync(address);
        await page.ClickAsync("button[data-table-action=\"insert-row\"]");
        await Expect(Editor).ToBeVisibleAsync();
    }

    /// <summary>One value as SQLite writes it: texts in quotes, numbers as they are, NULL.</summary>
    private async Task<string> StoredAsync(string expression, string from)
    {
        var sql = Uri.EscapeDataString($"select quote({expression}) from {from}");
        var answer = await page.APIRequest.GetAsync($"/forms/-/query.json?_shape=arrays&sql={sql}");
        using var json = JsonDocument.Parse(await answer.TextAsync());
        return string.Join(" ", json.RootElement.GetProperty("rows").EnumerateArray().Select(row => row[0].GetString()));
    }

    [Fact]
    [Trait("Rule", "U047")]
    public async Task U053_Edit_ChangesTheRowInItsPlace_AndTellsIt()
    {
        await EditAsync("/forms/records?_nocol=note", "4");
        await Expect(Editor.Locator(".modal-title")).ToHaveTextAsync("Edit row 4 (Fourth)");
        await Expect(Field("id")).Not.ToBeEditableAsync();
        await Expect(Field("length")).ToHaveCountAsync(0);
        await Field("title").FillAsync("Quatrième <b>");
        await SaveAsync();
        await Expect(Editor).ToBeHiddenAsync();
        await Expect(Status).ToContainTextAsync("Updated row 4");
        await Expect(page.Locator("tr[data-row='4'] td.col-title")).ToHaveTextAsync("Quatrième <b>");
        await Expect(page.Locator("tr[data-row='4'] td.col-note")).ToHaveCountAsync(0);
        await Expect(page.Locator("tr[data-row='4'] [data-row-action=edit]")).ToBeFocusedAsync();
        Assert.EndsWith("/forms/records?_nocol=note", page.Url);
        Assert.Equal("'Quatrième <b>'", await StoredAsync("title", "records where id = 4"));
        Assert.Equal("'four'", await StoredAsync("note", "records where id = 4"));
    }

    [Fact]
    public async Task U053_Null_AndEmptyText_AreToldApart_AndSet()
    {
        await EditAsync("/forms/records", "1");
        Assert.Equal("null", await State("note").InputValueAsync());
        Assert.Equal("NULL", await Field("note").GetAttributeAsync("placeholder"));
        await State("note").SelectOptionAsync("empty");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 1");
        Assert.Equal("''", await StoredAsync("note", "records where id = 1"));
        await EditAsync("/forms/records", "1");
        Assert.Equal("empty", await State("note").InputValueAsync());
        await Field("note").FillAsync("typed");
        Assert.Equal("text", await State("note").InputValueAsync());
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 1");
        Assert.Equal("'typed'", await StoredAsync("note", "records where id = 1"));
        await EditAsync("/forms/records", "1");
        await State("note").SelectOptionAsync("null");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 1");
        Assert.Equal("NULL", await StoredAsync("note", "records where id = 1"));
    }

    [Fact]
    public async Task U053_BigIntegers_AndReals_StayExact()
    {
        await EditAsync("/forms/records", "2");
        Assert.Equal("9223372036854775807", await Field("big").InputValueAsync());
        await Field("big").FillAsync("9223372036854775808");
        await SaveAsync();
        await Expect(Problem("big")).ToContainTextAsync("does not fit");
        await Expect(Field("big")).ToBeFocusedAsync();
        await Field("big").FillAsync("-9223372036854775807");
        await Field("ratio").FillAsync("-.1e-7");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 2");
        Assert.Equal("-9223372036854775807", await StoredAsync("big", "records where id = 2"));
        Assert.Equal("-1.0e-08", await StoredAsync("ratio", "records where id = 2"));
        // What is not touched is not sent, and so stays what it was.
        await EditAsync("/forms/records", "1");
        await Field("title").FillAsync("First again");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 1");
        Assert.Equal("9007199254740993", await StoredAsync("big", "records where id = 1"));
        Assert.Equal("X'89504E47'", await StoredAsync("picture", "records where id = 1"));
    }

    [Fact]
    public async Task U053_Insert_OffersForeignKeys_LeavesDefaultsToTheTable_AndShowsTheRow()
    {
        await InsertAsync("/forms/records");
        await Expect(Field("title")).ToBeFocusedAsync();
        Assert.Equal("default: 'new'", await Field("state").GetAttributeAsync("placeholder"));
        await SaveAsync();
        await Expect(Problem("title")).ToContainTextAsync("Type a text");
        await Field("title").FillAsync("Inserted");
        await Field("owner_id").FillAsync("2");
        await Expect(Editor.Locator(".row-edit-field[data-column=owner_id] .row-edit-hint")).ToHaveTextAsync("→ Grace");
        await Expect(Editor.Locator("datalist option[value='2']")).ToHaveCountAsync(1);
        await Field("site").FillAsync("not an address");
        await SaveAsync();
        await Expect(Problem("site")).ToHaveTextAsync("Invalid URL");
        Assert.Equal("Inserted", await Field("title").InputValueAsync());
        await Field("site").FillAsync("https://example.com/");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Inserted row ");
        var row = page.Locator(".rows-and-columns tbody tr").First;
        await Expect(row.Locator("td.col-title")).ToHaveTextAsync("Inserted");
        await Expect(row.Locator("td.col-owner_id")).ToContainTextAsync("Grace");
        await Expect(row.Locator("[data-row-action=delete]")).ToHaveCountAsync(1);
        Assert.Equal("'new'", await StoredAsync("state", "records where title = 'Inserted'"));
        Assert.Equal("NULL", await StoredAsync("big", "records where title = 'Inserted'"));
        Assert.Equal("2", await StoredAsync("owner_id", "records where title = 'Inserted'"));
    }

    [Fact]
    public async Task U053_CompoundKey_IsEditedAndDeleted()
    {
        await page.GotoAsync("/forms/pairs");
        var row = page.Locator("tbody tr", new() { HasText = "x/1" });
        await row.Locator("[data-row-action=edit]").ClickAsync();
        await Field("value").FillAsync("22");
        await SaveAsync();
        await Expect(Status).ToHaveTextAsync("Updated row x/1, ü, ~");
        Assert.Equal("22", await StoredAsync("value", "pairs where a = 'x/1'"));
        await row.Locator("[data-row-action=delete]").ClickAsync();
        await page.ClickAsync(".row-delete-confirm");
        await Expect(Status).ToHaveTextAsync("Deleted row x/1, ü, ~");
        await Expect(row).ToHaveCountAsync(0);
        await page.ClickAsync("button[data-table-action=\"insert-row\"]");
        await Field("a").FillAsync("ä b");
        await Field("b").FillAsync("~.,");
        await SaveAsync();
        await Expect(Status).ToHaveTextAsync("Inserted row ä b, ~.,");
        await Expect(page.Locator("tbody tr").First.Locator("td.col-a")).ToHaveTextAsync("ä b");
        Assert.Equal("'ä b'", await StoredAsync("a", "pairs where b = '~.,'"));
    }

    [Fact]
    public async Task U053_TableWithoutKey_IsWrittenByRowid()
    {
        await InsertAsync("/forms/loose");
        await Expect(Field("rowid")).ToHaveCountAsync(0);
        await Field("name").FillAsync("three");
        await Field("amount").FillAsync("007");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Inserted row 3");
        Assert.Equal("7", await StoredAsync("amount", "loose where name = 'three'"));
        await page.ClickAsync("tr[data-row='3'] [data-row-action=edit]");
        await Field("name").FillAsync("drei");
        await SaveAsync();
        await Expect(page.Locator("tr[data-row='3'] td.col-name")).ToHaveTextAsync("drei");
        await page.ClickAsync("tr[data-row='3'] [data-row-action=delete]");
        await page.ClickAsync(".row-delete-confirm");
        await Expect(page.Locator("tr[data-row='3']")).ToHaveCountAsync(0);
        await Expect(page.Locator("h3.count")).ToHaveTextAsync("2 rows");
        Assert.Equal("2", await StoredAsync("count(*)", "loose"));
    }

    [Fact]
    public async Task U053_TableWithoutRowid_IsWrittenByItsKey_AndAKeyTwiceIsTold()
    {
        await InsertAsync("/forms/codes");
        await Field("code").FillAsync("a");
        await Field("name").FillAsync("Another");
        await SaveAsync();
        await Expect(Problem("code")).ToHaveTextAsync("Another row has this already. Choose another one.");
        await Expect(Editor.Locator(".row-edit-error")).ToContainTextAsync("UNIQUE constraint failed");
        await Field("code").FillAsync("b");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Inserted row b");
        Assert.Equal("'Another'", await StoredAsync("name", "codes where code = 'b'"));
    }

    [Fact]
    public async Task U053_Refusal_IsShown_WithWhatToDo_AndNothingTypedIsLost()
    {
        await EditAsync("/forms/records", "5");
        await Field("state").FillAsync("broken");
        await Field("note").FillAsync("kept");
        await SaveAsync();
        await Expect(Editor.Locator(".row-edit-error")).ToContainTextAsync("CHECK constraint failed");
        await Expect(Editor.Locator(".row-edit-error")).ToContainTextAsync("The table has a rule that this breaks");
        Assert.Equal("kept", await Field("note").InputValueAsync());
        Assert.Equal("'five'", await StoredAsync("note", "records where id = 5"));
        await page.RouteAsync("**/-/update", route => route.AbortAsync());
        await SaveAsync();
        await Expect(Editor.Locator(".row-edit-error")).ToContainTextAsync("The server does not answer");
        await page.UnrouteAllAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(Editor.Locator(".row-edit-error")).ToContainTextAsync("Press Escape again");
        await Field("state").FillAsync("old");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 5");
        Assert.Equal("'kept'", await StoredAsync("note", "records where id = 5"));
    }

    [Fact]
    public async Task U053_Json_IsChecked_AndLineEndsStay()
    {
        await EditAsync("/forms/records", "3");
        await Field("extra").FillAsync("[1, 2");
        await SaveAsync();
        await Expect(Problem("extra")).ToContainTextAsync("This is no JSON");
        await Field("extra").FillAsync("[1, 2]");
        await Field("note").FillAsync("two\nother lines");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 3");
        Assert.Equal("'[1, 2]'", await StoredAsync("extra", "records where id = 3"));
        Assert.Equal("'74776F0D0A6F74686572206C696E6573'", await StoredAsync("hex(note)", "records where id = 3"));
        Assert.Equal("2000", await StoredAsync("length(picture)", "records where id = 3"));
    }

    [Fact]
    public async Task U053_Bytes_AreTold_AndReplacedByAFile()
    {
        await EditAsync("/forms/records", "7");
        var control = Editor.Locator(".row-edit-binary-control[data-column=picture]");
        await Expect(control.Locator(".row-edit-binary-size")).ToContainTextAsync("2 bytes now");
        await Field("picture")
            .SetInputFilesAsync(
                new FilePayload
                {
                    Name = "three.bin",
                    MimeType = "application/octet-stream",
                    Buffer = [0, 255, 10],
                }
            );
        await Expect(control.Locator(".row-edit-binary-name")).ToHaveTextAsync("three.bin");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 7");
        Assert.Equal("X'00FF0A'", await StoredAsync("picture", "records where id = 7"));
        await EditAsync("/forms/records", "7");
        await State("picture").SelectOptionAsync("null");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 7");
        Assert.Equal("NULL", await StoredAsync("picture", "records where id = 7"));
    }

    [Fact]
    public async Task U053_AChangeOfSomebodyElse_IsNotOverwrittenUnseen()
    {
        await EditAsync("/forms/records", "6");
        var headers = new Dictionary<string, string> { ["Content-Type"] = "application/json" };
        var other = await page.APIRequest.PostAsync(
            "/forms/records/6/-/update",
            new() { Headers = headers, Data = """{"update": {"note": "theirs", "big": 66}}""" }
        );
        Assert.Equal(200, other.Status);
        await Field("note").FillAsync("mine");
        await SaveAsync();
        await Expect(Problem("note")).ToContainTextAsync("it is now “theirs”");
        Assert.Equal("'theirs'", await StoredAsync("note", "records where id = 6"));
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Updated row 6");
        Assert.Equal("'mine'", await StoredAsync("note", "records where id = 6"));
        // Their other change stays: only what was changed in the form is sent.
        Assert.Equal("66", await StoredAsync("big", "records where id = 6"));
    }

    [Fact]
    public async Task U053_ManyRows_ArePasted_Previewed_Checked_AndStored()
    {
        await InsertAsync("/forms/many");
        await page.ClickAsync(".row-edit-bulk-insert");
        await page.FillAsync(".row-edit-bulk-textarea", "id,nome\n2,x");
        await Expect(page.Locator(".row-edit-bulk-preview-summary")).ToContainTextAsync("many has no column nome");
        var lines = string.Join(
            '\n',
            Enumerable.Range(2, 249).Select(i => $"{i},\"na\"\"me, {i}\",{9007199254740990 + i},{(i % 2 == 0 ? "\"\"" : "")}")
        );
        await page.FillAsync(".row-edit-bulk-textarea", "id,name,amount,note\n" + lines);
        await Expect(page.Locator(".row-edit-bulk-preview-summary")).ToHaveTextAsync("249 rows; the first 5:");
        await Expect(page.Locator(".row-edit-bulk-preview-table tbody tr")).ToHaveCountAsync(5);
        await Expect(page.Locator(".row-edit-save")).ToHaveTextAsync("Insert 249 rows");
        await SaveAsync();
        await Expect(Status).ToHaveTextAsync("Inserted 249 rows");
        Assert.Equal("250", await StoredAsync("count(*)", "many"));
        Assert.Equal("'na\"me, 3'", await StoredAsync("name", "many where id = 3"));
        Assert.Equal("9007199254740993", await StoredAsync("amount", "many where id = 3"));
        Assert.Equal("'' NULL", await StoredAsync("note", "many where id in (2, 3) order by id"));
        await page.ClickAsync("button[data-table-action=\"insert-row\"]");
        await page.ClickAsync(".row-edit-bulk-insert");
        await page.FillAsync(".row-edit-bulk-textarea", """[{"id": 1, "name": "other", "amount": 9007199254740993}]""");
        await SaveAsync();
        await Expect(Editor.Locator(".row-edit-error")).ToContainTextAsync("UNIQUE constraint failed");
        await page.SelectOptionAsync(".row-edit-bulk-conflict-mode", "update");
        await SaveAsync();
        await Expect(Status).ToHaveTextAsync("Stored 1 row");
        Assert.Equal(
            "'other' 9007199254740993",
            await StoredAsync("name", "many where id = 1") + " " + await StoredAsync("amount", "many where id = 1")
        );
    }

    [Fact]
    [Trait("Rule", "U091")]
    public async Task U053_ByKeyboardAlone_ARowIsInserted_Edited_Deleted()
    {
        async Task PressAsync(params string[] keys)
        {
            foreach (var key in keys)
            {
                await page.Keyboard.PressAsync(key);
            }
        }

        await page.GotoAsync("/forms/keyboard");
        await page.FocusAsync(".table-insert-row");
        await PressAsync("Enter");
        await Expect(Field("name")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("typed");
        await PressAsync("Control+Enter");
        await Expect(Status).ToHaveTextAsync("Inserted row 1 (typed)");
        await Expect(page.Locator(".table-insert-row")).ToBeFocusedAsync();
        await page.FocusAsync("tr[data-row='1'] [data-row-action=edit]");
        await PressAsync("Space");
        await Expect(Field("name")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync(" more");
        await PressAsync("Tab", "Tab", "Tab", "Escape", "Escape");
        await Expect(Editor).ToBeHiddenAsync();
        await Expect(page.Locator("tr[data-row='1'] [data-row-action=edit]")).ToBeFocusedAsync();
        Assert.Equal("'typed'", await StoredAsync("name", "keyboard"));
        await PressAsync("Tab", "Enter");
        await Expect(page.Locator(".row-delete-cancel")).ToBeFocusedAsync();
        await PressAsync("Shift+Tab");
        await Expect(page.Locator(".row-delete-confirm")).ToBeFocusedAsync();
        await PressAsync("Enter");
        await Expect(Status).ToHaveTextAsync("Deleted row 1 (typed)");
        Assert.Equal("0", await StoredAsync("count(*)", "keyboard"));
    }

    [Fact]
    [Trait("Rule", "U060")]
    public async Task U061_RowPage_IsEdited_AndDeleted_WithAMessage()
    {
        await page.GotoAsync("/forms/owners");
        await InsertAsync("/forms/owners");
        await Field("name").FillAsync("Edsger");
        await SaveAsync();
        await Expect(Status).ToContainTextAsync("Inserted row 3");
        await page.GotoAsync("/forms/owners/3");
        await page.ClickAsync(".actions-menu-links > summary");
        await page.ClickAsync(".actions-menu-links [data-row-action=edit]");
        await Field("name").FillAsync("Edsger W.");
        await SaveAsync();
        await Expect(page.Locator(".message-info")).ToContainTextAsync("Updated row 3");
        // The page is a new one: until its script runs, the button opens the API explorer.
        await page.WaitForFunctionAsync("window.datasetteForms");
        await Expect(page.Locator("td.col-name")).ToHaveTextAsync("Edsger W.");
        await page.ClickAsync(".actions-menu-links > summary");
        await page.ClickAsync(".actions-menu-links [data-row-action=delete]");
        await page.ClickAsync(".row-delete-cancel");
        await Expect(page.Locator("#row-delete-dialog")).ToBeHiddenAsync();
        await page.ClickAsync(".actions-menu-links > summary");
        await page.ClickAsync(".actions-menu-links [data-row-action=delete]");
        await page.ClickAsync(".row-delete-confirm");
        await Expect(page).ToHaveURLAsync("/forms/owners");
        await Expect(page.Locator(".message-info")).ToContainTextAsync("Deleted row 3");
        Assert.Equal("2", await StoredAsync("count(*)", "owners"));
    }
}
