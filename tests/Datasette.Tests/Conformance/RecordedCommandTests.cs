using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Datasette.Text;
using Testing;
using Xunit;

namespace Datasette.Tests.Conformance;

/// <summary>Every recorded command line, given to the built program in a fresh folder. What is compared how: README of the recordings.</summary>
public sealed class RecordedCommandTests
{
    private const string Secret = "conformance-secret";

    /// <summary>The recorded lines by id.</summary>
    public static TheoryData<string> Lines => Fixtures.Available ? [.. Recorded.Value.Keys] : ["no recordings here"];

    private static readonly Lazy<Dictionary<string, JsonObject>> Recorded = new(() =>
        File.ReadAllLines(Fixtures.PathOf("datasette", "recordings", "cli.jsonl"))
            .Where(line => line.Length > 0)
            .Select(line => JsonNode.Parse(line)!.AsObject())
            .ToDictionary(line => (string)line["id"]!)
    );

    [Theory]
    [MemberData(nameof(Lines))]
    public async Task Run_EveryRecordedCommandLine_EndsAsRecorded(string id)
    {
        var line = Recorded.Value[id];
        using var folder = new TempFolder();
        CopyFiles(line, folder);
        using var busy = new TcpListener(IPAddress.Loopback, 0);
        busy.Start();
        var port = Processes.FreePort();
        var signer = new ValueSigner(Secret);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var token = "dstok_" + signer.Sign($"{{\"a\":\"root\",\"t\":{now}}}", "token");
        string Fill(string text) =>
            text.Replace("{{port}}", port.ToString(), StringComparison.Ordinal)
                .Replace("{{busy}}", ((IPEndPoint)busy.LocalEndpoint).Port.ToString(), StringComparison.Ordinal)
                .Replace("{{token}}", token, StringComparison.Ordinal)
                .Replace("{{dir}}", folder.Path, StringComparison.Ordinal);
        var run = await RunAsync(line, folder, Fill, port);
        CheckExit(line, run);
        if (line["error_contains"] is { } words)
        {
            Assert.Contains(Fill((string)words!), run.Error, StringComparison.Ordinal);
        }
        CheckOutput(line, run, Fill, now);
    }

    private sealed record Run(int Exit, string Output, string Error);

    private static void CopyFiles(JsonObject line, TempFolder folder)
    {
        foreach (var (name, source) in line["files"]!.AsObject())
        {
            var path = folder.Combine(name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (source is JsonObject text)
            {
                File.WriteAllText(path, (string)text["text"]!);
            }
            else
            {
                File.Copy(Fixtures.PathOf("datasette", "files", (string)source!), path);
            }
        }
    }

    private static async Task<Run> RunAsync(JsonObject line, TempFolder folder, Func<string, string> fill, int port)
    {
        var environment = Environment
            .GetEnvironmentVariables()
            .Keys.Cast<string>()
            .Where(name => name.StartsWith("DATASETTE_", StringComparison.Ordinal))
            .ToDictionary(name => name, _ => (string?)null);
        environment["DATASETTE_LOAD_PLUGINS"] = "";
        foreach (var (name, value) in line["env"] as JsonObject ?? [])
        {
            environment[name] = (string?)value;
        }
        var program = Repository.ProgramOf("Datasette.Door");
        var arguments = line["args"]!.AsArray().Select(argument => fill((string)argument!)).ToList();
        var ct = TestContext.Current.CancellationToken;
        if ((string?)line["serve"] is not { } signal)
        {
            await using var ended = await TestProcess.RunAsync(program, arguments, environment, folder.Path, cancellationToken: ct);
            return new(ended.ExitCode, ended.StandardOutput, ended.StandardError);
        }
        await using var server = TestProcess.Start(program, arguments, environment, folder.Path);
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, ct);
        Processes.Signal(server.Id, signal == "INT" ? PosixSignal.SIGINT : PosixSignal.SIGTERM);
        await server.WaitForExitAsync(TimeSpan.FromSeconds(30), ct);
        return new(server.ExitCode, server.StandardOutput, server.StandardError);
    }

    private static void CheckExit(JsonObject line, Run run)
    {
        var expected = (int)line["exit"]!;
        var what = $"exit {run.Exit}\n{run.Output}\n{run.Error}";
        switch ((string)line["compare"]!)
        {
            case "serve":
                Assert.True(run.Exit == 0 || run.Exit == expected || run.Exit == 128 - expected, what);
                break;
            case "status" when expected != 0:
                // Another code that says "failed" is permitted; success is not.
                Assert.True(run.Exit != 0, what);
                // The answer to --get, or one line that says what is wrong.
                Assert.True(run.Output.Length > 0 || run.Error.StartsWith("Error: ", StringComparison.Ordinal), what);
                break;
            default:
                Assert.True(run.Exit == expected, what);
                break;
        }
    }

    private static void CheckOutput(JsonObject line, Run run, Func<string, string> fill, long now)
    {
        switch ((string)line["compare"]!)
        {
            case "exact":
                Assert.Equal(
                    ((string)line["stdout"]!).TrimEnd('\n', '\r'),
                    run.Output.TrimEnd('\n', '\r').Replace("\n", Ends(line), StringComparison.Ordinal)
                );
                break;
            case "json":
                CheckJson(line, run.Output);
                break;
            case "prefix" or "headers":
                var lines = run.Output.Split('\n');
                Assert.Equal((string)line["stdout_first_line"]!, lines[0]);
                Assert.All(line["stdout_headers"]?.AsArray() ?? [], header => Assert.Contains((string)header!, lines));
                break;
            case "settings":
                Assert.All(
                    line["settings"]!.AsArray(),
                    setting => Assert.Contains((string)setting![0]!, run.Output, StringComparison.Ordinal)
                );
                break;
            case "token":
                CheckToken(line, run, now);
                break;
            case "serve":
                var wanted = System
                    .Text.RegularExpressions.Regex.Escape(fill((string)line["stdout"]!))
                    .Replace("\\{\\{64\\ hex\\ digits}}", "[0-9a-f]{64}", StringComparison.Ordinal);
                Assert.Matches("^" + wanted + "$", run.Output);
                break;
        }
    }

    /// <summary>The output is collected by lines, without the carriage returns that CSV ends them with.</summary>
    private static string Ends(JsonObject line) => ((string)line["stdout"]!).Contains('\r') ? "\r\n" : "\n";

    private static void CheckJson(JsonObject line, string output)
    {
        var recording = new JsonObject
        {
            ["status"] = 200,
            ["content_type"] = "application/json;charset=utf-8",
            ["json"] = line["stdout_json"]!.DeepClone(),
            ["unstable"] = new JsonArray(
                (line["unstable"]?.AsArray() ?? []).Select(pointer => (JsonNode)("/json" + (string)pointer!)).ToArray()
            ),
        };
        var answer = Answer.Of(200, "application/json;charset=utf-8", output);
        Assert.Empty(new AnswerComparer(recording).Compare(recording, answer, "none"));
    }

    private static void CheckToken(JsonObject line, Run run, long now)
    {
        var lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("dstok_", lines[0]);
        Assert.True(new ValueSigner(Secret).TryUnsign(lines[0]["dstok_".Length..], "token", out var json));
        var payload = JsonNode.Parse(json!)!.AsObject();
        Assert.InRange((long)payload["t"]!, now - 60, now + 60);
        payload["t"] = "{{now}}";
        Assert.True(JsonNode.DeepEquals(line["token_payload"], payload), payload.ToJsonString());
        Assert.Equal((int)line["other_stdout_lines"]! > 0, lines.Length > 1);
        Assert.Contains((string)line["stderr"]!, run.Error, StringComparison.Ordinal);
    }
}
