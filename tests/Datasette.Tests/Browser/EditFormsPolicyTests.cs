using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>Who gets the forms that write, and what they need not have.</summary>
[Collection(nameof(BrowserTests))]
public sealed class EditFormsPolicyTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    public async ValueTask InitializeAsync() => page = await site.OpenAsync(isRoot: true);

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    [Fact]
    [Trait("Rule", "U054")]
    public async Task U053_WhoMayNotWrite_GetsNoButtons_AndNoScript()
    {
        var reader = await site.OpenAsync();
        var asked = new List<string>();
        reader.Request += (_, request) => asked.Add(request.Url);
        foreach (var address in new[] { "/forms/records", "/forms/records/1", "/forms" })
        {
            await reader.GotoAsync(address);
            await Expect(reader.Locator("[data-row-action], [data-table-action], [data-database-action], #edit-forms")).ToHaveCountAsync(0);
        }
        Assert.DoesNotContain(asked, url => url.Contains("/edit.", StringComparison.Ordinal));
        await reader.Context.DisposeAsync();
        await page.GotoAsync("/forms/records");
        Assert.Equal("/forms/records/-/insert", await page.EvaluateAsync<string>("window._datasetteTableData.insertRow.path"));
        Assert.Equal("owners", await page.EvaluateAsync<string>("window._datasetteTableData.foreignKeys.owner_id.table"));
    }

    [Fact]
    [Trait("Rule", "U091")]
    public async Task U053_AStrictContentSecurityPolicy_IsKept()
    {
        var problems = new List<string>();
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                problems.Add(message.Text);
            }
        };
        await page.RouteAsync(
            "**/forms/looks",
            async route =>
            {
                var response = await route.FetchAsync();
                var headers = new Dictionary<string, string>(response.Headers)
                {
                    ["content-security-policy"] = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
                };
                await route.FulfillAsync(new() { Response = response, Headers = headers });
            }
        );
        await page.GotoAsync("/forms/looks");
        await page.ClickAsync("tr[data-row='1'] [data-row-action=edit]");
        await page.FillAsync("#row-edit-dialog [name=note]", "under a policy");
        await page.ClickAsync(".row-edit-save");
        await Expect(page.Locator(".row-mutation-status")).ToContainTextAsync("Updated row 1");
        Assert.Empty(problems);
    }
}
