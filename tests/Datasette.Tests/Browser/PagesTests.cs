using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Testing;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Datasette.Tests.Browser;

/// <summary>
/// Every kind of page: accessible in light and dark, no wider than a phone, without inline scripts. A picture of each in both widths and both
/// schemes is left in <c>artifacts/screenshots</c>, to be looked at.
/// </summary>
[Collection(nameof(BrowserTests))]
public sealed partial class PagesTests(Site site)
{
    private static readonly string Pictures = Repository.PathOf("artifacts", "screenshots");

    /// <summary>Name of the picture, address, whether one must be signed in, and what to do before looking.</summary>
    public static TheoryData<string, string, bool, string> Pages =>
        new()
        {
            { "index", "/", false, "" },
            { "index-root", "/", true, "click summary[aria-label=Menu]" },
            { "database", "/space", false, "" },
            { "database-actions", "/things", true, "click .actions-menu-links > summary" },
            { "table", "/space/moons", false, "" },
            { "table-filtered", "/space/missions?_search=moon&launched__gt=1960&_sort_desc=launched&_facet=operator", false, "" },
            { "table-values", "/things/things?_facet=kind_id&_facet_array=tags", false, "" },
            { "table-menu", "/things/things", false, "click th[data-column=kind_id] button.col-menu" },
            { "table-columns", "/things/things?_nocol=picture", false, "open column-chooser details" },
            { "table-empty", "/things/empties?name=x", false, "" },
            { "table-long", "/things/numbers?_next=200", false, "" },
            { "table-wide", "/things/wide", false, "" },
            { "table-pairs", "/things/pairs", true, "" },
            { "table-no-key", "/things/no_key", false, "" },
            { "view", "/things/names", false, "" },
            { "row", "/space/missions/1", false, "" },
            { "row-values", "/things/things/2", true, "" },
            { "query", "/space/-/query?sql=select+name,+distance_from_sun_au+from+planets+where+name+like+:like&like=%25a%25", false, "" },
            { "query-completion", "/space", false, "type #sql-editor  where na" },
            { "query-error", "/space/-/query?sql=select+name%0Afrom+planetz%0Awhere+id+%3D+1", false, "" },
            { "query-none", "/space/-/query?sql=select+1+where+0", false, "" },
            { "query-invalid", "/space/-/query?sql=drop+table+planets", false, "" },
            { "stored-query", "/things/tagged?tag=hard", false, "" },
            { "stored-write", "/things/rename", true, "" },
            { "queries", "/things/-/queries", true, "" },
            { "store-query", "/space/-/queries/store?sql=select+1", true, "" },
            { "execute-write", "/things/-/execute-write?sql=delete+from+no_key+where+name+%3D+:name", true, "" },
            { "jump", "/space", false, "press /" },
            { "error-404", "/space/plantes", false, "" },
            { "error-400", "/space/planets?_sort=nope", false, "" },
            { "error-403", "/-/permissions", false, "" },
            { "schema", "/space/-/schema", false, "" },
            { "schema-table", "/space/planets/-/schema", false, "" },
            { "logout", "/-/logout", true, "" },
            { "json", "/-/settings", false, "" },
            { "api", "/-/api", true, "" },
            { "create-token", "/-/create-token", true, "" },
            { "permissions", "/-/permissions", true, "" },
            { "allowed", "/-/allowed?action=view-table", true, "" },
            { "check", "/-/check", true, "" },
            { "rules", "/-/rules", true, "" },
            { "allow-debug", "/-/allow-debug", false, "" },
            { "messages", "/-/messages", true, "" },
            { "patterns", "/-/patterns", false, "" },
            { "debug-autocomplete", "/-/debug/autocomplete", false, "" },
            { "litestream-status", "/-/litestream-status", true, "" },
        };

    [Theory]
    [MemberData(nameof(Pages))]
    [Trait("Rule", "U052")]
    [Trait("Rule", "U080")]
    [Trait("Rule", "U090")]
    public Task U091_Page_IsAccessible_FitsAPhone_InLightAndDark(string name, string address, bool isRoot, string prepare) =>
        CheckAsync(name, address, isRoot, prepare);

    /// <summary>Forms that write, open over their pages.</summary>
    public static TheoryData<string, string, bool, string> Dialogs =>
        new()
        {
            { "row-insert", "/forms/looks", true, "dialog [data-table-action=insert-row]" },
            { "row-edit", "/forms/looks", true, "dialog tr[data-row='2'] [data-row-action=edit]" },
            { "row-bulk", "/forms/looks", true, "many name\tkind_id\tweight\nCoal\t1\t1.3" },
            { "table-create", "/forms", true, "menu [data-database-action=create-table]" },
            { "table-alter", "/forms/looks", true, "menu [data-table-action=alter-table]" },
            { "row-delete", "/forms/looks", true, "dialog tr[data-row='2'] [data-row-action=delete]" },
        };

    [Theory]
    [MemberData(nameof(Dialogs))]
    [Trait("Rule", "U053")]
    public Task U091_Dialog_IsAccessible_FitsAPhone_InLightAndDark(string name, string address, bool isRoot, string prepare) =>
        CheckAsync(name, address, isRoot, prepare);

    private async Task CheckAsync(string name, string address, bool isRoot, string prepare)
    {
        var axe = await File.ReadAllTextAsync(Require.Oracle("axe-core", "axe.min.js"), TestContext.Current.CancellationToken);
        var page = await site.OpenAsync(isRoot: isRoot);
        var problems = new List<string>();
        page.Console += (_, message) =>
        {
            if (message.Type == "error" && !message.Text.Contains("Failed to load resource", StringComparison.Ordinal))
            {
                problems.Add("console: " + message.Text);
            }
        };
        page.PageError += (_, error) => problems.Add("script: " + error);
        await page.EmulateMediaAsync(new() { ReducedMotion = ReducedMotion.Reduce });
        await page.GotoAsync(address);
        await PrepareAsync(page, prepare);
        await page.EvaluateAsync(axe);
        problems.AddRange(await AxeAsync(page, "light"));
        await PictureAsync(page, name, "desktop-light");
        await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        problems.AddRange(await AxeAsync(page, "dark", "color-contrast", "link-in-text-block"));
        await PictureAsync(page, name, "desktop-dark");
        await page.SetViewportSizeAsync(390, 844);
        problems.AddRange(await AxeAsync(page, "phone", "target-size", "scrollable-region-focusable"));
        await PictureAsync(page, name, "phone-dark");
        await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        await PictureAsync(page, name, "phone-light");
        // 320 pixels are also what is left of 1,280 at four times the size.
        foreach (var width in new[] { 375, 320 })
        {
            await page.SetViewportSizeAsync(width, 800);
            problems.AddRange(await TooWideAsync(page));
        }
        await page.Context.DisposeAsync();
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    /// <summary>A policy that forbids inline scripts and handlers breaks nothing.</summary>
    [Fact]
    [Trait("Rule", "U001")]
    [Trait("Rule", "U012")]
    public async Task U091_StrictContentSecurityPolicy_BreaksNothing()
    {
        var page = await site.OpenAsync();
        var problems = new List<string>();
        var hosts = new HashSet<string>();
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                problems.Add(message.Text);
            }
        };
        page.Request += (_, request) => hosts.Add(new Uri(request.Url).Authority);
        await page.RouteAsync(
            "**/*",
            async route =>
            {
                var response = await route.FetchAsync();
                var headers = new Dictionary<string, string>(response.Headers)
                {
                    ["content-security-policy"] = "default-src 'self'; style-src 'self' 'unsafe-inline'",
                };
                await route.FulfillAsync(new() { Response = response, Headers = headers });
            }
        );
        foreach (var address in new[] { "/", "/space", "/space/moons", "/space/moons/1", "/space/-/query?sql=select+1", "/-/api" })
        {
            await page.GotoAsync(address);
            var html = await page.ContentAsync();
            Assert.DoesNotMatch(InlineHandler(), html);
            Assert.DoesNotContain("<script>", html);
        }
        await page.GotoAsync("/space/moons");
        await page.ClickAsync("th[data-column=name] button.col-menu");
        await Expect(page.Locator("#column-menu")).ToBeVisibleAsync();
        Assert.Empty(problems);
        Assert.Equal([new Uri(site.Address).Authority], hosts);
    }

    [GeneratedRegex(@"<[a-z]+[^>]*\son[a-z]+=", RegexOptions.IgnoreCase)]
    private static partial Regex InlineHandler();

    private static async Task PrepareAsync(IPage page, string prepare)
    {
        var (verb, target) = prepare.Split(' ', 2) is [var first, var rest] ? (first, rest) : ("", "");
        switch (verb)
        {
            case "click":
                await page.ClickAsync(target);
                break;
            case "many":
                await page.ClickAsync("[data-table-action=insert-row]");
                await page.ClickAsync(".row-edit-bulk-insert");
                await page.FillAsync(".row-edit-bulk-textarea", target);
                await Expect(page.Locator(".row-edit-bulk-preview-table")).ToBeVisibleAsync();
                break;
            case "menu":
                await page.ClickAsync(".actions-menu-links > summary");
                goto case "dialog";
            case "dialog":
                await page.ClickAsync(target);
                await Expect(page.Locator("dialog[open]")).ToBeVisibleAsync();
                break;
            case "open":
                await page.EvalOnSelectorAsync(target, "details => details.open = true");
                break;
            case "press":
                await page.Keyboard.PressAsync(target);
                await Expect(page.Locator(".result-item").First).ToBeVisibleAsync();
                break;
            case "type":
                var (selector, text) = target.Split(' ', 2) is [var where, var what] ? (where, what) : (target, "");
                await page.FocusAsync(selector);
                await page.Keyboard.PressAsync("Control+End");
                await page.Locator(selector).PressSequentiallyAsync(text);
                await Expect(page.Locator("#completions")).ToBeVisibleAsync();
                break;
        }
    }

    /// <summary>Findings that are serious or critical.</summary>
    private static async Task<IEnumerable<string>> AxeAsync(IPage page, string scheme, params string[] rules)
    {
        var found = await page.EvaluateAsync<string[]>(
            """
            async rules => {
                const options = { resultTypes: ["violations"] };
                if (rules.length) options.runOnly = { type: "rule", values: rules };
                const { violations } = await axe.run(document, options);
                return violations
                    .filter(v => v.impact === "serious" || v.impact === "critical")
                    .flatMap(v => v.nodes.slice(0, 3).map(n => `${v.id}: ${n.html.slice(0, 200)} -- ${n.failureSummary.replace(/\s+/g, " ").slice(0, 200)}`));
            }
            """,
            rules
        );
        return found.Select(text => $"axe, {scheme}: {text}");
    }

    /// <summary>The page never scrolls sideways; what is wide scrolls in itself.</summary>
    private static async Task<IEnumerable<string>> TooWideAsync(IPage page) =>
        await page.EvaluateAsync<string[]>(
            """
            () => {
                const width = document.documentElement.clientWidth;
                if (document.documentElement.scrollWidth <= width) return [];
                const isClipped = e => { for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
                const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1 && !isClipped(e));
                return [`${document.documentElement.scrollWidth} pixels wide at ${width}: ` + wide.slice(0, 4).map(e => e.outerHTML.slice(0, 100)).join(" | ")];
            }
            """
        );

    private static async Task PictureAsync(IPage page, string name, string kind)
    {
        Directory.CreateDirectory(Pictures);
        await page.ScreenshotAsync(new() { Path = Path.Combine(Pictures, $"{name}-{kind}.png"), FullPage = true });
    }
}
