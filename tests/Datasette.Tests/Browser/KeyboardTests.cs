using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>Without a mouse.</summary>
[Collection(nameof(BrowserTests))]
public sealed class KeyboardTests(Site site) : IAsyncLifetime
{
    private IPage page = null!;

    public async ValueTask InitializeAsync() => page = await site.OpenAsync();

    public async ValueTask DisposeAsync() => await page.Context.DisposeAsync();

    private async Task PressAsync(params string[] keys)
    {
        foreach (var key in keys)
        {
            await page.Keyboard.PressAsync(key);
        }
    }

    private Task<string> FocusedTextAsync() => page.EvaluateAsync<string>("document.activeElement.textContent.trim()");

    [Fact]
    [Trait("Rule", "U090")]
    [Trait("Rule", "U050")]
    public async Task U091_ColumnMenu_IsOpened_Walked_Left_AndChosen()
    {
        await page.GotoAsync("/things/things");
        var button = page.GetByLabel("Menu of column name");
        await button.FocusAsync();
        await PressAsync("Enter");
        await Expect(button).ToHaveAttributeAsync("aria-expanded", "true");
        Assert.Equal("Sort ascending", await FocusedTextAsync());
        await PressAsync("ArrowDown");
        Assert.Equal("Sort descending", await FocusedTextAsync());
        await PressAsync("End");
        Assert.Equal("Choose columns", await FocusedTextAsync());
        await PressAsync("ArrowDown");
        Assert.Equal("Sort ascending", await FocusedTextAsync());
        await PressAsync("Escape");
        await Expect(button).ToBeFocusedAsync();
        await Expect(button).ToHaveAttributeAsync("aria-expanded", "false");
        await PressAsync("ArrowDown", "ArrowDown", "Enter");
        await Expect(page).ToHaveURLAsync(new Regex("_sort_desc=name$"));
        await Expect(page.GetByLabel("Menu of column name")).ToBeFocusedAsync();
        await page.ReloadAsync();
        await Expect(page.GetByLabel("Menu of column name")).Not.ToBeFocusedAsync();
    }

    [Fact]
    public async Task U091_ChooseColumns_LeadsToTheList()
    {
        await page.GotoAsync("/things/things");
        await page.GetByLabel("Menu of column name").FocusAsync();
        await PressAsync("ArrowUp", "Enter");
        await Expect(page.Locator("column-chooser input[value=name]")).ToBeFocusedAsync();
        await PressAsync("Space");
        await Expect(page.Locator("column-chooser input[value=name]")).Not.ToBeCheckedAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Show these columns" }).FocusAsync();
        await PressAsync("Enter");
        await Expect(page).ToHaveURLAsync(new Regex("_col="));
        await Expect(page.Locator("th[data-column=name]")).ToHaveCountAsync(0);
    }

    [Fact]
    [Trait("Rule", "U007")]
    public async Task U091_ActionMenu_IsWalkedByArrows()
    {
        var root = await site.OpenAsync(isRoot: true);
        await root.GotoAsync("/things");
        var summary = root.Locator(".actions-menu-links > summary");
        Assert.Equal("menu", await summary.GetAttributeAsync("aria-haspopup"));
        await summary.FocusAsync();
        await root.Keyboard.PressAsync("ArrowDown");
        await Expect(summary).ToHaveAttributeAsync("aria-expanded", "true");
        var focused = await root.EvaluateAsync<string>("document.activeElement.getAttribute('role')");
        Assert.Equal("menuitem", focused);
        await root.Keyboard.PressAsync("Escape");
        await Expect(summary).ToBeFocusedAsync();
        await Expect(root.Locator(".actions-menu-links .menu-body")).ToBeHiddenAsync();
        await root.Context.DisposeAsync();
    }

    [Fact]
    [Trait("Rule", "U003")]
    public async Task U008_Jump_OpensBySlash_FindsAndRemembers()
    {
        await page.GotoAsync("/");
        await PressAsync("/");
        var input = page.Locator("navigation-search .search-input");
        await Expect(input).ToBeFocusedAsync();
        await input.FillAsync("moons");
        await Expect(page.Locator("navigation-search .results-heading")).ToHaveTextAsync("2 results");
        await Expect(page.Locator("navigation-search .result-item").First).ToContainTextAsync("space: moons");
        await PressAsync("ArrowDown");
        Assert.Equal("jump-1", await input.GetAttributeAsync("aria-activedescendant"));
        await PressAsync("ArrowUp", "Enter");
        await Expect(page).ToHaveURLAsync(new Regex("/space/moons$"));
        await page.ClickAsync("summary[aria-label=Menu]");
        await page.ClickAsync("text=Jump to…");
        await Expect(page.Locator("navigation-search .results-heading")).ToHaveTextAsync("Recent");
        await page.ClickAsync("[data-clear-recent-items]");
        await Expect(page.Locator("navigation-search .results-heading")).Not.ToHaveTextAsync("Recent");
        await PressAsync("Escape");
        await Expect(page.Locator("navigation-search dialog")).ToBeHiddenAsync();
    }

    [Fact]
    public async Task U008_Slash_IsALetterWhereOneTypes()
    {
        await page.GotoAsync("/space");
        await page.FocusAsync("#sql-editor");
        await page.FillAsync("#sql-editor", "select 4");
        await PressAsync("/", "2");
        Assert.Equal("select 4/2", await page.InputValueAsync("#sql-editor"));
    }

    [Fact]
    public async Task U091_Skip_LeadsPastTheHeader()
    {
        await page.GotoAsync("/space");
        await PressAsync("Tab");
        Assert.Equal("Skip to content", await FocusedTextAsync());
        await Expect(page.Locator(".skip")).ToBeInViewportAsync();
        await PressAsync("Enter", "Tab");
        Assert.True(await page.EvaluateAsync<bool>("document.querySelector('main').contains(document.activeElement)"));
    }

    /// <summary>Tab goes through everything that can be operated, in the order of the page, and one always sees where one is.</summary>
    [Theory]
    [InlineData("/")]
    [InlineData("/things")]
    [InlineData("/things/things?_facet=kind_id")]
    [InlineData("/things/things/1")]
    [InlineData("/things/tagged?tag=hard")]
    [InlineData("/space/-/query?sql=select+*+from+planets")]
    [InlineData("/nope")]
    public async Task U091_Tab_ReachesEverything_WithAVisibleFocus(string address)
    {
        await page.GotoAsync(address);
        var expected = await page.EvaluateAsync<int>(
            """
            () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
                .filter(e => !e.disabled && e.type !== "hidden" && e.checkVisibility() && e.tabIndex >= 0).length
            """
        );
        var seen = new List<string>();
        for (var i = 0; i < expected + 5; i++)
        {
            await PressAsync("Tab");
            var state = await page.EvaluateAsync<string>(
                """
                () => {
                    const e = document.activeElement;
                    if (e === document.body || e.dataset.seen) return "";
                    e.dataset.seen = "1";
                    const style = getComputedStyle(e);
                    const isRinged = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                    return (isRinged ? "ok " : "NO RING ") + e.outerHTML.slice(0, 120);
                }
                """
            );
            if (state.Length == 0)
            {
                break;
            }
            seen.Add(state);
        }
        Assert.DoesNotContain(seen, state => state.StartsWith("NO RING", StringComparison.Ordinal));
        Assert.Equal(expected, seen.Count);
    }
}
