using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Testing;
using Xunit;

namespace Litestream.Tests.Cli;

/// <summary>Command lines of the genuine program: the same exit code and the same words from ours.</summary>
public sealed partial class CommandFixtureTests
{
    /// <summary>Rows that are not held against ours as recorded, each with the reason. Everything else must agree.</summary>
    private static readonly Dictionary<string, string> s_apart = new()
    {
        ["legacy-snapshots"] = "0.5.17 knows the commands of 0.3 no more; ours lists backups of 0.3 with them (OldBackupCommandTests)",
        ["version"] = "we print our own version; the form is checked by Version_IsOneLine",
        ["restore-follow-timestamp"] = "ours refuses -timestamp with -f before it asks the replica, the recorded row complains of the time",
    };

    /// <summary>Commands of later versions: all rows of them are held against one thing only, a clear refusal with exit code 1.</summary>
    private static readonly string[] s_laterCommands =
    [
        "status",
        "reset",
        "info",
        "list",
        "register",
        "unregister",
        "start",
        "stop",
        "sync",
    ];

    public static TheoryData<string> Rows()
    {
        var rows = new TheoryData<string>();
        foreach (var row in Load())
            if (!IsLater(row) && !s_apart.ContainsKey((string)row["id"]!))
                rows.Add((string)row["id"]!);
        if (rows.Count == 0)
            rows.Add("legacy-snapshots");
        return rows;
    }

    public static TheoryData<string> LaterRows()
    {
        var rows = new TheoryData<string>();
        foreach (var row in Load())
            if (IsLater(row))
                rows.Add((string)row["id"]!);
        if (rows.Count == 0)
            rows.Add("status-json");
        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    [Trait("Scenario", "I16")]
    [Trait("Scenario", "I17")]
    public async Task Command_AsRecorded_GivesTheSame(string id)
    {
        var row = Row(id);
        using var folder = new TempFolder();
        var world = World();
        await MakeWorldAsync(folder, world, (string)row["world"]!);
        var before = Top(folder);
        var oldOutput = File.Exists(folder.Combine("out.db")) ? Sha256(folder.Combine("out.db")) : null;
        var environment = world["environment"]!.AsObject().ToDictionary(e => e.Key, e => (string)e.Value!);

        var run = await CliRun.With(
            environment,
            [.. row["args"]!.AsArray().Select(a => ((string)a!).Replace("$DIR", folder.Path, StringComparison.Ordinal))]
        );

        var ours = row["ours"]?.AsObject();
        if (ours?["exit"] is { } exit)
        {
            Assert.Equal((int)exit, run.Exit);
            AssertOneClearError(run);
            Assert.Equal(before, Top(folder));
            return;
        }
        Assert.True((int)row["exit"]! == run.Exit, $"exit {run.Exit}\n{run.Out}\n{run.Error}");
        if (ours?["same_stdout"] is not null)
        {
            Assert.Equal((string)row["stdout"]!, Normal(run.Out, folder));
            foreach (var key in new[] { "max-checkpoint-page-count", "validation-interval" })
                Assert.Contains(key, run.Error, StringComparison.Ordinal);
            return;
        }
        Compare(row, run, folder);
        var created = row["created"]?.AsArray().Select(n => (string)n!) ?? [];
        foreach (
            var name in created.Where(n => !n.EndsWith("-shm", StringComparison.Ordinal) && !n.EndsWith("-wal", StringComparison.Ordinal))
        )
            Assert.Contains(name, Top(folder).Except(before));
        if (!created.Any() && !id.StartsWith("replicate", StringComparison.Ordinal))
            Assert.Equal(before, Top(folder));
        if (id == "restore-if-db-not-exists")
            Assert.Equal(oldOutput, Sha256(folder.Combine("out.db")));
        else if (row["out_sha256"] is { } sha)
            Assert.Equal((string)sha!, Sha256(folder.Combine("out.db")));
    }

    [Theory]
    [MemberData(nameof(LaterRows))]
    public async Task Command_OfALaterVersion_SaysSo(string id)
    {
        var row = Row(id);
        var args = row["args"]!.AsArray().Select(a => (string)a!).ToArray();
        var run = await CliRun.Of(args);
        if (args.Contains("-h"))
        {
            Assert.Equal((0, ""), (run.Exit, run.Error));
            return;
        }
        Assert.Equal(1, run.Exit);
        Assert.StartsWith($"Error: litestream {args[0]}: this command comes with a later version\n", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryRowApart_Exists()
    {
        var known = Load().Select(r => (string)r["id"]!).ToHashSet();
        if (known.Count > 0)
            Assert.Empty(s_apart.Keys.Except(known));
    }

    [Fact]
    public async Task Version_IsOneLine()
    {
        var run = await CliRun.Of("version");
        Assert.Equal(0, run.Exit);
        Assert.Matches(@"^\d+\.\d+\.\d+[^\n]*\n$", run.Out);
        Assert.Equal("", run.Error);
    }

    private static void Compare(JsonObject row, CliRun run, TempFolder folder)
    {
        var (output, error) = (Normal(run.Out, folder), Normal(run.Error, folder));
        var (expectedOut, expectedError) = ((string)row["stdout"]!, (string)row["stderr"]!);
        switch ((string)row["compare"]!)
        {
            case "exit":
                break;
            case "exit+stderr":
                Assert.Equal(expectedError, error);
                break;
            case "exit+first-line":
                Assert.Equal(expectedOut.Split('\n')[0], output.Split('\n')[0]);
                break;
            case "json" or "json-masked":
                Assert.Equal(Masked(JsonNode.Parse(expectedOut)!).ToJsonString(), Masked(JsonNode.Parse(output)!).ToJsonString());
                Assert.Equal(expectedError, error);
                break;
            case "masked" or "exact" when expectedOut.Contains("\n…\n", StringComparison.Ordinal):
                // The rest of a help text is free, and so is its first line but for the program's own.
                Assert.StartsWith("The ", output, StringComparison.Ordinal);
                Assert.Equal(expectedError, error);
                break;
            default:
                Assert.Equal(expectedOut, output);
                Assert.Equal(expectedError, error);
                break;
        }
    }

    private static void AssertOneClearError(CliRun run)
    {
        var lines = run.Error.TrimEnd('\n').Split('\n');
        Assert.StartsWith("Error: ", lines[0], StringComparison.Ordinal);
        Assert.True(lines.Length == 1 || (lines.Length == 2 && lines[1].StartsWith("Try: ", StringComparison.Ordinal)), run.Error);
    }

    // As the recordings are kept: paths and times by name, runs of blanks as two.
    private static string Normal(string text, TempFolder folder) =>
        Blanks().Replace(Time().Replace(text.Replace(folder.Path, "$DIR", StringComparison.Ordinal), "$$TIME"), "  ");

    private static JsonNode Masked(JsonNode node)
    {
        switch (node)
        {
            case JsonArray array:
                return new JsonArray([.. array.Select(n => Masked(n!))]);
            case JsonObject obj:
                return new JsonObject(
                    obj.Select(e => KeyValuePair.Create(e.Key, e.Key is "duration_ms" ? JsonValue.Create(0) : (JsonNode?)Masked(e.Value!)))
                );
            default:
                return node.DeepClone();
        }
    }

    private static async Task MakeWorldAsync(TempFolder folder, JsonObject world, string name)
    {
        foreach (var (file, text) in world["files"]!.AsObject())
            File.WriteAllText(folder.Combine(file), ((string)text!).Replace("$DIR", folder.Path, StringComparison.Ordinal));
        if (name is "replica" or "output-exists" or "output-empty" or "output-wal")
            CopyReplica(
                Path.GetFullPath(Path.Combine(Fixtures.PathOf("litestream", "cli"), (string)world["replica"]!)),
                folder.Combine("replica")
            );
        if (name is "existing" or "replicated")
            foreach (var database in new[] { "app.db", "second.db" })
                MakeDatabase(folder.Combine(database), (string)world["app_db_sql"]!);
        if (name == "output-exists")
            MakeDatabase(folder.Combine("out.db"), "CREATE TABLE old(x);");
        if (name == "output-empty")
            File.WriteAllBytes(folder.Combine("out.db"), []);
        if (name == "output-wal")
            File.WriteAllBytes(folder.Combine("out.db-wal"), [1, 2, 3, 4, 5]);
        await Task.CompletedTask;
    }

    private static void CopyReplica(string from, string to)
    {
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(from, "expect.json")))!;
        foreach (var file in expected["files"]!.AsArray())
        {
            var path = Path.Combine(to, (string)file!["path"]!);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Copy(Path.Combine(from, "replica", (string)file["path"]!), path);
            File.SetLastWriteTimeUtc(path, DateTimeOffset.FromUnixTimeMilliseconds((long)file["mtime_ms"]!).UtcDateTime);
        }
    }

    private static void MakeDatabase(string path, string sql)
    {
        using var connection = TestDatabase.Open(path);
        connection.Execute(sql);
    }

    private static string[] Top(TempFolder folder) =>
        [.. new DirectoryInfo(folder.Path).EnumerateFileSystemInfos().Select(e => e.Name).Order(StringComparer.Ordinal)];

    private static string Sha256(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private static bool IsLater(JsonObject row) => row["args"]!.AsArray() is [var first, ..] && s_laterCommands.Contains((string)first!);

    private static JsonObject World() => JsonNode.Parse(File.ReadAllText(Fixtures.PathOf("litestream", "cli", "world.json")))!.AsObject();

    private static JsonObject Row(string id)
    {
        _ = Fixtures.PathOf("litestream", "cli", "cli.jsonl");
        return Load().Single(r => (string)r["id"]! == id);
    }

    private static IReadOnlyList<JsonObject> Load() =>
        Fixtures.Available
            ?
            [
                .. File.ReadLines(Fixtures.PathOf("litestream", "cli", "cli.jsonl"))
                    .Where(l => l.Length > 0)
                    .Select(l => JsonNode.Parse(l)!.AsObject()),
            ]
            : [];

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")]
    private static partial Regex Time();

    [GeneratedRegex(@"(?<=\S) {2,}")]
    private static partial Regex Blanks();
}
