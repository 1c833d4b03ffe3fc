using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>One folder of the fixtures: a replica as a genuine program wrote it (or as it was damaged), and what each restore must give.</summary>
internal sealed partial class RestoreFixture : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly JsonDocument _expect;
    private readonly string _replica;

    private RestoreFixture(string source)
    {
        _expect = JsonDocument.Parse(File.ReadAllText(Path.Combine(source, "expect.json")));
        _replica = _folder.Combine("replica");
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public JsonElement Expect => _expect.RootElement;

    public string Replica => _replica;

    /// <summary>Copies a case into a folder of its own and sets the file times.</summary>
    public static async Task<RestoreFixture> OpenAsync(string kind, string name)
    {
        var source = Fixtures.PathOf("litestream", kind, name);
        var fixture = new RestoreFixture(source);
        if (fixture.Expect.TryGetProperty("replica_is_a_file", out var isFile) && isFile.GetBoolean())
            await File.WriteAllTextAsync(fixture._replica, "a file", Cancel);
        else if (File.Exists(Path.Combine(source, "replica.tar.gz")))
        {
            await using var packed = new GZipStream(File.OpenRead(Path.Combine(source, "replica.tar.gz")), CompressionMode.Decompress);
            await TarFile.ExtractToDirectoryAsync(packed, fixture._folder.Path, overwriteFiles: false, Cancel);
        }
        else if (Directory.Exists(Path.Combine(source, "replica")))
            CopyFolder(Path.Combine(source, "replica"), fixture._replica);
        else if (name == "empty-ltx-folder")
            Directory.CreateDirectory(Path.Combine(fixture._replica, "ltx"));
        foreach (var file in fixture.Expect.GetProperty("files").EnumerateArray())
            File.SetLastWriteTimeUtc(
                Path.Combine(fixture._replica, file.GetProperty("path").GetString()!),
                DateTime.UnixEpoch.AddMilliseconds(file.GetProperty("mtime_ms").GetInt64())
            );
        return fixture;
    }

    /// <summary>Carries out every row; returns what was not as it must be.</summary>
    public async Task<IReadOnlyList<string>> RunAsync()
    {
        var failures = new List<string>();
        foreach (var target in Expect.GetProperty("targets").EnumerateArray())
        {
            if (await RunAsync(target) is { } failure)
                failures.Add($"{target.GetProperty("id").GetString()}: {failure}");
        }
        return failures;
    }

    public void Dispose()
    {
        _expect.Dispose();
        _folder.Dispose();
    }

    private async Task<string?> RunAsync(JsonElement target)
    {
        var output = Path.Combine(_folder.CreateFolder(Guid.NewGuid().ToString("n")), "restored.db");
        var outcome = await Record.ExceptionAsync(() => RestoreAsync(target, output));
        if (outcome is not null and not LitestreamException)
            return $"threw {outcome}";
        var left = Directory.GetFileSystemEntries(Path.GetDirectoryName(output)!).Select(Path.GetFileName).Order().ToList();
        var dryRun = Arguments(target).Contains("-dry-run");
        var mayBeThere = outcome is null && !dryRun ? new[] { "restored.db" } : [];
        if (!left.SequenceEqual(mayBeThere))
            return $"left behind {string.Join(", ", left)}";
        var failure = Judge(target, outcome as LitestreamException, output, dryRun);
        Directory.Delete(Path.GetDirectoryName(output)!, recursive: true);
        return failure;
    }

    private string? Judge(JsonElement target, LitestreamException? error, string output, bool dryRun)
    {
        var ours = target.GetProperty("ours");
        if (dryRun)
            return null;
        if (Is(ours, "any"))
            return error is null && !States(target).Contains(LogicalDump.HashOfFile(output))
                ? "gave a content that the source never had"
                : null;
        if (Is(ours, "error"))
        {
            if (error is not null)
                return null;
            return ours.TryGetProperty("or_state", out var state) ? JudgeState(target, state.GetInt32(), output) : "succeeded, must fail";
        }
        if (Is(ours, "same"))
        {
            var real = target.GetProperty("real");
            // With -if-replica-exists a missing backup is no error to the command; to the engine it is always NotFound.
            if ((real.GetProperty("exit").GetInt32() != 0 && !IsBehindEverything(target)) || !HasResult(real))
                return error is null ? "succeeded, must fail" : null;
            if (error is null && real.GetProperty("exit").GetInt32() != 0)
                return LogicalDump.HashOfFile(output) == Latest(target) ? null : "is not the newest state";
            return error is null ? JudgeSame(real, output, IsOldBackup) : $"failed: {error.Message} ({error.Hint})";
        }
        if (error is not null)
            return $"failed: {error.Message} ({error.Hint})";
        if (ours.TryGetProperty("equals_state", out var wanted))
            return JudgeState(target, wanted.GetInt32(), output);
        return ours.TryGetProperty("equals_latest", out _) && LogicalDump.HashOfFile(output) == Latest(target)
            ? null
            : $"unknown expectation {ours}";
    }

    private bool IsOldBackup => Expect.GetProperty("kind").GetString() is "v3" or "v3-errors";

    private static bool HasResult(JsonElement real) => real.GetProperty("exit").GetInt32() != 0 || real.TryGetProperty("sha256", out _);

    // The rows "one millisecond after the newest object" of 0.3 say "as the genuine program", which fails; the README, and the rows "an hour after" of the
    // same files, say that after everything means the newest state. The README wins.
    private bool IsBehindEverything(JsonElement target) =>
        IsOldBackup
        && Value(Arguments(target), "-timestamp") is { } text
        && StoredTimestamp.TryParse(text, out var time)
        && Expect.GetProperty("files").EnumerateArray().All(f => f.GetProperty("mtime_ms").GetInt64() < time.ToUnixTimeMilliseconds());

    private static string? JudgeSame(JsonElement real, string output, bool isOldBackup)
    {
        var size = new FileInfo(output).Length;
        if (isOldBackup)
        {
            // Of 0.3 only the content counts: a page that nobody uses may differ from what SQLite's checkpoint left there.
            if (size != real.GetProperty("page_size").GetInt64() * real.GetProperty("page_count").GetInt64())
                return $"has {size} bytes instead of {real.GetProperty("page_count")} pages of {real.GetProperty("page_size")}";
            return LogicalDump.HashOfFile(output) == real.GetProperty("dump_sha256").GetString() ? null : "has another dump";
        }
        if (size != real.GetProperty("size").GetInt64())
            return $"has {size} bytes instead of {real.GetProperty("size")}";
        using (var stream = File.OpenRead(output))
        {
            var sha = Convert.ToHexStringLower(SHA256.HashData(stream));
            if (sha != real.GetProperty("sha256").GetString())
                return $"sha256 is {sha} instead of {real.GetProperty("sha256")}";
        }
        if (real.GetProperty("dump_sha256").GetString() is { } dump && LogicalDump.HashOfFile(output) != dump)
            return "same bytes, other dump: the dump is wrong";
        return null;
    }

    private string? JudgeState(JsonElement target, int txid, string output)
    {
        var wanted = Expect
            .GetProperty("states")
            .EnumerateArray()
            .Single(s => s.GetProperty(IsOldBackup ? "n" : "txid").GetInt32() == txid && Sub(s) == Sub(target))
            .GetProperty("dump_sha256")
            .GetString();
        return LogicalDump.HashOfFile(output) == wanted ? null : $"is not state {txid}";
    }

    // Of 0.3 the table of states goes on after the program was stopped: the newest is what its own restore gives.
    private string? Latest(JsonElement target) =>
        IsOldBackup
            ? Expect.GetProperty("targets").EnumerateArray().First().GetProperty("real").GetProperty("dump_sha256").GetString()
            : States(target)[^1];

    private List<string?> States(JsonElement target) =>
        [
            .. Expect
                .GetProperty("states")
                .EnumerateArray()
                .Where(s => Sub(s) == Sub(target))
                .Select(s => s.GetProperty("dump_sha256").GetString()),
        ];

    private async Task RestoreAsync(JsonElement target, string output)
    {
        var replica = Sub(target) is { } sub ? $"{_replica}/{sub}" : _replica;
        if (target.GetProperty("via").GetString() == "url")
            replica = $"file://{replica}";
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(replica) });
        var arguments = Arguments(target);
        var wish = new RestoreTarget(
            Value(arguments, "-txid") is { } txid
                ? new Txid(ulong.Parse(txid, NumberStyles.HexNumber, CultureInfo.InvariantCulture))
                : null,
            Value(arguments, "-timestamp") is { } time ? ParseTime(time) : null
        )
        {
            Generation = Value(arguments, "-generation"),
            Index = Value(arguments, "-index") is { } index
                ? uint.Parse(index, NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                : null,
        };
        if (arguments.Contains("-dry-run"))
        {
            var plan = await RestorePlanner.PlanAsync(client, wish, Cancel);
            Assert.Equal(plan.Files.Count + 1, plan.ToString().Split('\n').Length);
            return;
        }
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        var result = await restorer.RestoreAsync(
            client,
            new RestoreOptions
            {
                OutputPath = output,
                Target = wish,
                IntegrityCheck = Value(arguments, "-integrity-check") is { } check
                    ? Enum.Parse<IntegrityCheckMode>(check, ignoreCase: true)
                    : IntegrityCheckMode.None,
            },
            Cancel
        );
        Assert.Equal(new FileInfo(output).Length, result.SizeBytes);
    }

    /// <summary>The command line refuses other texts than RFC 3339; here that stands for it.</summary>
    private static DateTimeOffset ParseTime(string text) =>
        Rfc3339().IsMatch(text) && StoredTimestamp.TryParse(text, out var time)
            ? time
            : throw new LitestreamException(LitestreamError.InvalidConfiguration, $"no time: {text}");

    private static List<string> Arguments(JsonElement target) =>
        [.. target.GetProperty("args").EnumerateArray().Select(a => a.GetString()!)];

    private static string? Value(List<string> arguments, string flag) =>
        arguments.IndexOf(flag) is >= 0 and var at ? arguments[at + 1] : null;

    private static string? Sub(JsonElement element) => element.TryGetProperty("sub", out var sub) ? sub.GetString() : null;

    private static bool Is(JsonElement ours, string key) =>
        ours.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.True;

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.GetDirectories(from))
            CopyFolder(folder, Path.Combine(to, Path.GetFileName(folder)));
        foreach (var file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")]
    private static partial Regex Rfc3339();
}
