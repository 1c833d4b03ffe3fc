using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Litestream.Status;
using Datasette.Pages;
using Litestream.Replication;

namespace Datasette.Litestream.Tests.Status;

public sealed class LitestreamPageTests
{
    private static async Task<string> RenderAsync(StatusPage page)
    {
        var layout = new LayoutModel
        {
            Title = "Litestream status",
            BodyClass = "status litestream-status",
            StyleHref = "/-/static/app.css",
            ScriptHref = "/-/static/app.js",
            HomeHref = "/",
            JumpHref = "/-/jump",
            LogoutHref = "/-/logout",
            Version = "1.0",
        };
        using var slice = Pages.Litestream.Create(new LitestreamPageModel(layout, page));
        await using var text = new StringWriter();
        await slice.RenderAsync(text, HtmlEncoder.Create(UnicodeRanges.All), TestContext.Current.CancellationToken);
        return text.ToString();
    }

    private static async Task<IDocument> ParseAsync(StatusPage page) => new HtmlParser().ParseDocument(await RenderAsync(page));

    [Fact]
    [Trait("Rule", "P046")]
    public async Task P043_Blocks_AreThoseOfTheOriginalInOrder()
    {
        var page = await ParseAsync(Samples.Page([Samples.Earthquakes, Samples.Elements]));

        Assert.Equal("Litestream status", page.Title);
        Assert.Equal("Litestream Status", Assert.Single(page.QuerySelectorAll("main h1")).TextContent);
        Assert.Equal(
            ["Databases and replicas", "Process", "litestream.yaml Config", "Logs", "Metrics"],
            page.QuerySelectorAll("main h2").Select(heading => heading.TextContent)
        );
        Assert.Contains("PID: 4127 status: alive", page.QuerySelector(".original")!.TextContent);
        var config = page.QuerySelector("main pre")!.TextContent;
        Assert.NotNull(JsonNode.Parse(config)!["dbs"]);
        Assert.StartsWith("{\n  \"dbs\": [\n    {\n      \"path\": \"/data/earthquakes.db\"", config);
        Assert.NotNull(page.QuerySelector("pre.litestream-logs"));
    }

    [Fact]
    public async Task P043_WithoutMetricsAddress_TheWarningStandsInTheirPlace()
    {
        var page = await ParseAsync(Samples.Page([Samples.Earthquakes], metricsAddress: null));

        Assert.StartsWith("WARNING: metrics-addr was not defined", page.QuerySelector(".original > p > strong")!.TextContent);
        Assert.DoesNotContain(page.QuerySelectorAll("h2"), heading => heading.TextContent == "Metrics");
    }

    [Fact]
    public async Task P044_MetricTables_AreThere()
    {
        var html = await RenderAsync(Samples.Page([Samples.Earthquakes, Samples.Elements]));
        var page = new HtmlParser().ParseDocument(html);

        Assert.Contains("<h2>Metrics</h2>", html);
        Assert.Equal(
            ["Replica operation bytes", "Replica total operations", "earthquakes", "elements"],
            page.QuerySelectorAll("h3").Select(heading => heading.TextContent)
        );
        var tables = page.QuerySelectorAll(".metric-tables table");
        Assert.Equal(["Operation", "Replica Type", "Bytes"], tables[0].QuerySelectorAll("thead th").Select(cell => cell.TextContent));
        Assert.Equal(
            ["Operation", "Replica Type", "Number of operations"],
            tables[1].QuerySelectorAll("thead th").Select(cell => cell.TextContent)
        );
        Assert.Equal(["Key", "Value"], tables[2].QuerySelectorAll("thead th").Select(cell => cell.TextContent));
        Assert.Equal(
            ["litestream_db_size", "214,958,080"],
            tables[2].QuerySelectorAll("tbody tr:first-child > *").Select(cell => cell.TextContent)
        );
    }

    [Fact]
    [Trait("Rule", "P055")]
    [Trait("Rule", "P063")]
    public async Task P047_Page_HoldsNoSecret_AndP049_LogIsEscaped()
    {
        var html = await RenderAsync(Samples.Page([Samples.Earthquakes, Samples.Elements]));

        Assert.DoesNotContain("wJalrXUtnFEMI", html);
        Assert.DoesNotContain("AKIAIOSFODNN7", html);
        Assert.Contains("&lt;b&gt;&amp;amp;", html);
        Assert.Contains("***REDACTED***", html);
        Assert.Contains("MPLE", html);
    }

    [Fact]
    public async Task P048_ReplicaTable_ShowsStateAsIconWordAndColour()
    {
        var page = await ParseAsync(Samples.Page([Samples.Failing, Samples.Elements]));

        Assert.Equal(
            [
                ("failing", "state bad", "#i-bad"),
                ("catching up", "state warn", "#i-up"),
                ("in sync", "state ok", "#i-ok"),
                ("immutable, not replicated", "state", "#i-none"),
            ],
            page.QuerySelectorAll("table.replicas .state")
                .Select(state => (state.TextContent.Trim(), state.ClassName!.Trim(), state.QuerySelector("use")!.GetAttribute("href")!))
        );
        var failing = page.QuerySelectorAll("table.replicas tr.is-bad");
        Assert.Contains("28 min 56 s 31 transactions, 128 kB", Text(failing[0]));
        Assert.Contains("try 9 at 14:32:47 in 38 s", Text(failing[0]));
        Assert.Contains("000000000000ba5b", Text(failing[0]));
        Assert.Contains("The store answered 403 ExpiredToken", Text(failing[1]));
        Assert.Contains("8 tries", Text(failing[1]));
    }

    [Fact]
    public async Task P048_FolderOnThisMachine_IsCalledACopyNotASafePlace()
    {
        var page = await ParseAsync(Samples.Page([Samples.Earthquakes, Samples.Elements]));

        var places = page.QuerySelectorAll("table.replicas .what").Select(place => place.TextContent).ToList();
        Assert.DoesNotContain("not a safe place", places[0]);
        Assert.Contains("/mnt/copy/earthquakes, a disk of this machine: a copy, not a safe place", places[1]);
    }

    [Fact]
    public async Task Verdict_IsSpokenAndColoured()
    {
        var safe = (await ParseAsync(Samples.Page([Samples.Earthquakes, Samples.Elements]))).QuerySelector(".verdict")!;
        var bad = (await ParseAsync(Samples.Page([Samples.Failing, Samples.Elements]))).QuerySelector(".verdict")!;

        Assert.Equal("verdict", safe.ClassName!.Trim());
        Assert.StartsWith("Safe. Every commit is in a replica", Text(safe));
        Assert.Contains("bad", bad.ClassName);
        Assert.Equal("alert", bad.GetAttribute("role"));
        Assert.StartsWith("Not safe. The last 28 min 20 s of earthquakes are in no replica.", Text(bad));
    }

    [Fact]
    public async Task DatabaseNotYetOpened_IsShownAsStarting()
    {
        var starting = Samples.Elements with
        {
            State = ReplicationState.Starting,
            Txid = default,
            TxidTime = null,
            LastSync = null,
            Replicas = [Samples.Elements.Replicas[0] with { State = ReplicationState.Starting, Txid = default, LastUpload = null }],
        };

        var page = await ParseAsync(Samples.Page([starting]));

        Assert.Contains("nothing yet", page.QuerySelector("table.replicas")!.TextContent);
        Assert.Contains("earthquakes is not being replicated", Text(page.QuerySelector(".verdict")!));
    }

    [Fact]
    public async Task P064_DataOfLitestream03_IsSaidBesideItsReplica()
    {
        var old = Samples.Elements with { Replicas = [Samples.Elements.Replicas[0] with { HoldsGenerations = true }] };

        var page = await ParseAsync(Samples.Page([Samples.Earthquakes, old]));

        Assert.Contains("backup made by Litestream 0.3 (generations/)", Text(page.QuerySelector("tr.reason")!));
    }

    [Fact]
    public void P048_JsonTwin_SaysTheSame()
    {
        var json = StatusJson.Of(Samples.Page([Samples.Failing, Samples.Elements]));

        Assert.True((bool)json["ok"]!);
        Assert.False((bool)json["safe"]!);
        Assert.Equal("Not safe", (string?)json["verdict"]!["word"]);
        var replica = json["databases"]![0]!["replicas"]![0]!;
        Assert.Equal("failing", (string?)replica["state"]);
        Assert.Equal("000000000000ba5b", (string?)replica["txid"]);
        Assert.Equal(1736, (double)replica["lag_seconds"]!);
        Assert.Equal("2026-10-05T14:32:47Z", (string?)replica["next_retry"]);
        Assert.False((bool)json["databases"]![2]!["replicated"]!);
        Assert.Equal("***REDACTED***", (string?)json["config"]!["secret-access-key"]);
        Assert.DoesNotContain("wJalr", json.ToJsonString());
    }

    private static string Text(IElement element) =>
        string.Join(' ', element.TextContent.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
