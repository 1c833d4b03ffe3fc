using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Datasette.Hosting;
using Datasette.Text;
using Microsoft.Extensions.Logging;
using Testing;

namespace Datasette.Tests.Conformance;

/// <summary>How one recorded request came out.</summary>
/// <param name="Profile">The start profile.</param>
/// <param name="Id">The line's id.</param>
/// <param name="Group">Its group.</param>
/// <param name="Importance">CORE, EXPECTED or EDGE.</param>
/// <param name="Result">pass, deviation (permitted by the recording) or fail.</param>
/// <param name="Line">The line of the report.</param>
internal sealed record Verdict(string Profile, string Id, string Group, string Importance, string Result, string Line);

/// <summary>Starts the host on the files and arguments of a profile, sends the recorded requests, compares the answers.</summary>
internal static class ProfileRunner
{
    private const string Secret = "conformance-secret";
    private const int MostPages = 60;
    private static readonly Lock WorkingFolder = new();

    private static readonly ConcurrentDictionary<string, Lazy<Task<IReadOnlyList<Verdict>>>> Runs = new();

    /// <summary>The verdicts of a profile; it is run once for all tests that ask.</summary>
    public static Task<IReadOnlyList<Verdict>> RunAsync(string profile, CancellationToken ct) =>
        Runs.GetOrAdd(profile, name => new(() => RunNowAsync(name, ct))).Value;

    private static async Task<IReadOnlyList<Verdict>> RunNowAsync(string profile, CancellationToken ct)
    {
        var definition = JsonNode.Parse(await File.ReadAllTextAsync(Fixtures.PathOf("datasette", "profiles.json"), ct))![
            profile
        ]!.AsObject();
        var lines = (await File.ReadAllLinesAsync(Fixtures.PathOf("datasette", "recordings", profile + ".jsonl"), ct))
            .Where(line => line.Length > 0)
            // The original puts the prefix twice into some addresses; once is permitted.
            .Select(line => JsonNode.Parse(line.Replace("/prefix/prefix/", "/prefix/", StringComparison.Ordinal))!.AsObject())
            .ToList();
        var verdicts = new List<Verdict>();
        var groups = definition["fresh_per_sequence"] is not null
            ? lines.GroupBy(line => (string?)line["sequence"] ?? (string)line["id"]!)
            : lines.GroupBy(_ => "");
        foreach (var group in groups)
        {
            using var folder = new TempFolder();
            await using var server = await StartAsync(definition, folder, ct);
            foreach (var line in group)
            {
                verdicts.Add(await JudgeAsync(profile, server.Port, line, folder.Path, ct));
            }
        }
        return verdicts;
    }

    private static Task<DatasetteServer> StartAsync(JsonObject profile, TempFolder folder, CancellationToken ct)
    {
        foreach (var (name, source) in profile["files"]!.AsObject())
        {
            File.Copy(Fixtures.PathOf("datasette", "files", (string)source!), folder.Combine(name));
        }
        var options = Options(profile["args"]!.AsArray().Select(arg => (string)arg!).ToList());
        // The lists of a database follow its changes once a second, and the lines of a sequence were recorded within one: a busy machine
        // must not let the second pass.
        TimeProvider time = profile["fresh_per_sequence"] is null ? TimeProvider.System : new SlowClock();
        // Files are given relative, as on a command line: the folder of this process must be right while they are opened, and only then.
        lock (WorkingFolder)
        {
            var before = Environment.CurrentDirectory;
            Environment.CurrentDirectory = folder.Path;
            try
            {
                return Task.FromResult(DatasetteServer.StartAsync(options, [], ct, time, NoLog).GetAwaiter().GetResult());
            }
            finally
            {
                Environment.CurrentDirectory = before;
            }
        }
        static void NoLog(ILoggingBuilder logging) => logging.SetMinimumLevel(LogLevel.None);
    }

    private static ServeOptions Options(IReadOnlyList<string> args)
    {
        var (files, immutables, settings) = (new List<string>(), new List<string>(), new List<(string, string)>());
        var options = new ServeOptions { Port = 0, Secret = Secret };
        for (var i = 0; i < args.Count; i++)
        {
            switch (args[i])
            {
                case "-i":
                    immutables.Add(args[++i]);
                    break;
                case "-m":
                    options = options with { MetadataFile = args[++i] };
                    break;
                case "-c":
                    options = options with { ConfigFile = args[++i] };
                    break;
                case "-s":
                    settings.Add((args[++i], args[++i]));
                    break;
                case "--root":
                    options = options with { Root = true };
                    break;
                case "--cors":
                    options = options with { Cors = true };
                    break;
                case "--memory":
                    options = options with { Memory = true };
                    break;
                case "--crossdb":
                    options = options with { CrossDb = true };
                    break;
                case "--default-deny":
                    options = options with { DefaultDeny = true };
                    break;
                default:
                    files.Add(args[i]);
                    break;
            }
        }
        return options with { Files = files, Immutables = immutables, Settings = settings };
    }

    private static async Task<Verdict> JudgeAsync(string profile, int port, JsonObject line, string folder, CancellationToken ct)
    {
        var id = (string)line["id"]!;
        var request = line["request"]!.AsObject();
        var path = (string)request["path"]!;
        var comparer = new AnswerComparer(line);
        IReadOnlyList<Difference> differences;
        try
        {
            var mode = (string)line["compare"]!;
            differences =
                mode == "walk"
                    ? await WalkAsync(port, line, comparer, ct)
                    : comparer.Compare(line, await SendAsync(port, request, path, ct), mode);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            differences = [new("", "an answer", e.GetType().Name + ": " + e.Message)];
        }
        differences = differences
            .Select(d => d with { Got = d.Got.Replace(folder, "{{dir}}", StringComparison.Ordinal) })
            .Where(d => d.Recorded != d.Got)
            .ToList();
        var result =
            differences.Count == 0 ? "pass"
            : differences.All(d => IsAllowed(line, d)) ? "deviation"
            : "fail";
        var first = differences.FirstOrDefault(d => !IsAllowed(line, d)) ?? differences.FirstOrDefault();
        return new(
            profile,
            id,
            (string)line["group"]!,
            (string)line["importance"]!,
            result,
            $"{result}  {line["importance"]}  {id}  {request["method"]} {path}  {first}"
        );
    }

    private static async Task<IReadOnlyList<Difference>> WalkAsync(int port, JsonObject line, AnswerComparer comparer, CancellationToken ct)
    {
        var request = line["request"]!.AsObject();
        var recorded = line["pages"]!.AsArray();
        var differences = new List<Difference>();
        var target = (string)request["path"]!;
        var count = 0;
        while (count < MostPages)
        {
            var answer = await SendAsync(port, request, target, ct);
            if (count < recorded.Count)
            {
                differences.AddRange(comparer.Compare(recorded[count]!.AsObject(), answer, "none", ignoreNext: true));
            }
            count++;
            if (NextTarget(answer) is not { } next)
            {
                break;
            }
            target = next;
        }
        if (count != recorded.Count)
        {
            differences.Add(
                new(
                    "/pages",
                    recorded.Count.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    count.ToString(System.Globalization.CultureInfo.InvariantCulture)
                )
            );
        }
        foreach (var page in recorded)
        {
            var answer = await SendAsync(port, request, (string)page!["target"]!, ct);
            differences.AddRange(comparer.Compare(page.AsObject(), answer, "none", ignoreNext: true));
        }
        return differences;
    }

    private static string? NextTarget(Answer answer)
    {
        var match = System.Text.RegularExpressions.Regex.Match(answer.Header("link") ?? "", "<([^>]*)>; rel=\"next\"");
        if (!match.Success)
        {
            return null;
        }
        var url = match.Groups[1].Value;
        return url[url.IndexOf('/', url.IndexOf("://", StringComparison.Ordinal) + 3)..];
    }

    private static bool IsAllowed(JsonObject line, Difference difference)
    {
        if (
            line["error_text"] is not null
            && (
                difference.Pointer.Contains("/error", StringComparison.Ordinal)
                || difference.Pointer.StartsWith("/html_facts", StringComparison.Ordinal)
            )
        )
        {
            return true;
        }
        if (line["allowed"] is not JsonObject allowed)
        {
            return false;
        }
        if (allowed["status"] is { } status)
        {
            return difference.Pointer != "/status" || difference.Got == status.ToString();
        }
        return (allowed["pointers"]?.AsArray() ?? []).Any(pointer =>
            difference.Pointer.StartsWith((string)pointer!, StringComparison.Ordinal)
        );
    }

    private static Task<Answer> SendAsync(int port, JsonObject request, string target, CancellationToken ct)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var (name, value) in request["headers"] as JsonObject ?? [])
        {
            headers.Add(new(name, ((string)value!).Replace("{{host}}", "localhost", StringComparison.Ordinal)));
        }
        var signer = new ValueSigner(Secret);
        if ((string?)request["as"] == "root")
        {
            headers.Add(new("Cookie", "ds_actor=" + signer.Sign("{\"a\":{\"id\":\"root\"}}", "actor")));
        }
        if (request["sign"] is JsonObject sign)
        {
            var json = Resolve(sign["value"]!)!.ToJsonString();
            headers.Add(new((string)sign["header"]!, (string?)sign["prefix"] + signer.Sign(json, (string)sign["namespace"]!)));
        }
        byte[]? body = request["body"] switch
        {
            null => null,
            JsonValue text when text.TryGetValue<string>(out var plain) => Encoding.UTF8.GetBytes(plain),
            var json => Encoding.UTF8.GetBytes(json.ToJsonString()),
        };
        return Answer.SendAsync(port, (string)request["method"]!, target, headers, body, ct);
    }

    private static JsonNode? Resolve(JsonNode? node)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        return node switch
        {
            JsonObject map when map["$now"] is { } delta => JsonValue.Create(now + (long)delta),
            JsonObject map when map["$base62_now"] is { } delta => JsonValue.Create(Base62.Encode(now + (long)delta)),
            JsonObject map => new JsonObject(map.Select(pair => new KeyValuePair<string, JsonNode?>(pair.Key, Resolve(pair.Value)))),
            JsonArray list => new JsonArray(list.Select(Resolve).ToArray()),
            _ => node?.DeepClone(),
        };
    }
}

/// <summary>The time of day is right, but what is measured takes a hundredth of the time.</summary>
internal sealed class SlowClock : TimeProvider
{
    public override long GetTimestamp() => base.GetTimestamp() / 100;
}
