using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Microsoft.Playwright;
using Testing;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>The whole way of somebody who starts the server and writes: link of root, token, curl, forms, logout.</summary>
[Collection(nameof(BrowserTests))]
public sealed partial class RootJourneyTests(Site site)
{
    [Fact]
    [Trait("Rule", "U053")]
    [Trait("Rule", "U080")]
    public async Task U081_RootLink_Token_Curl_InsertEditDelete_Logout()
    {
        var ct = TestContext.Current.CancellationToken;
        using var folder = new TempFolder();
        using (var connection = new SqliteConnection($"Data Source={folder.Combine("notes.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "create table notes (id integer primary key, text text not null, done integer not null default 0)";
            command.ExecuteNonQuery();
        }
        await using var server = TestProcess.Start(
            Repository.ProgramOf("Datasette.Door"),
            ["serve", "notes.db", "--root", "-h", "127.0.0.1", "-p", $"{Processes.FreePort()}"],
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = null },
            folder.Path
        );
        var link = await server.WaitForLineAsync(RootLink(), TimeSpan.FromSeconds(60), cancellationToken: ct);
        var home = link.Groups["home"].Value;
        var page = await site.OpenAsync();

        await page.GotoAsync(link.Value);
        await page.ClickAsync("summary[aria-label=Menu]");
        await Expect(page.Locator(".actor strong")).ToHaveTextAsync("root");

        await page.GotoAsync(home + "/-/create-token");
        await page.ClickAsync("input[type=submit], button[type=submit]:has-text('Create token')");
        var shown = await page.Locator("pre.token-use").InnerTextAsync();
        var token = await page.InputValueAsync("#token-input");
        Assert.Contains(token, shown, StringComparison.Ordinal);
        Assert.Contains(
            "\"id\": \"root\"",
            (await ShellAsync(shown, ct)).Replace("\":\"", "\": \"", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
        var insert =
            shown[..shown.LastIndexOf(' ')]
            + $" -X POST -H 'Content-Type: application/json' -d '{{\"row\": {{\"text\": \"by curl\"}}}}' {home}/notes/notes/-/insert";
        Assert.Contains("by curl", await ShellAsync(insert, ct), StringComparison.Ordinal);

        await page.GotoAsync(home + "/notes/notes");
        await Expect(page.Locator("tr[data-row='1'] td.col-text")).ToHaveTextAsync("by curl");
        await page.ClickAsync("button[data-table-action=\"insert-row\"]");
        await page.FillAsync("#row-edit-dialog [name=text]", "by hand");
        await page.ClickAsync(".row-edit-save");
        await Expect(page.Locator(".row-mutation-status")).ToHaveTextAsync("Inserted row 2");
        await page.ClickAsync("tr[data-row='2'] [data-row-action=edit]");
        await page.FillAsync("#row-edit-dialog [name=done]", "1");
        await page.ClickAsync(".row-edit-save");
        await Expect(page.Locator("tr[data-row='2'] td.col-done")).ToHaveTextAsync("1");
        await page.ClickAsync("tr[data-row='1'] [data-row-action=delete]");
        await page.ClickAsync(".row-delete-confirm");
        await Expect(page.Locator("tr[data-row='1']")).ToHaveCountAsync(0);

        // A form that was opened before the logout, in another tab.
        var old = await page.Context.NewPageAsync();
        await old.GotoAsync(home + "/notes/notes");
        await old.ClickAsync("tr[data-row='2'] [data-row-action=edit]");
        await page.ClickAsync("summary[aria-label=Menu]");
        await page.ClickAsync("text=Log out");
        await page.WaitForLoadStateAsync();
        await old.FillAsync("#row-edit-dialog [name=text]", "after the logout");
        await old.ClickAsync(".row-edit-save");
        await Expect(old.Locator(".row-edit-error")).ToContainTextAsync("Sign in in another tab");
        await page.GotoAsync(home + "/notes/notes");
        await Expect(page.Locator("tr[data-row='2'] td.col-text")).ToHaveTextAsync("by hand");
        await Expect(page.Locator("[data-row-action], [data-table-action], .actor")).ToHaveCountAsync(0);
        Assert.Equal(403, (await page.GotoAsync(home + "/-/create-token"))!.Status);
        Assert.Equal(403, (await page.GotoAsync(link.Value))!.Status);
        await page.Context.DisposeAsync();
    }

    [GeneratedRegex(@"(?<home>http://127\.0\.0\.1:\d+)/-/auth-token\?token=\w+")]
    private static partial Regex RootLink();

    private static async Task<string> ShellAsync(string command, CancellationToken ct)
    {
        using var shell = Process.Start(
            new ProcessStartInfo("sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var output = await shell.StandardOutput.ReadToEndAsync(ct);
        await shell.WaitForExitAsync(ct);
        return output;
    }
}
