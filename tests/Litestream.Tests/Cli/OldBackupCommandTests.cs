using System.Text.Json.Nodes;
using Litestream.Tests.Restore;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Cli;

/// <summary>The commands and flags of Litestream 0.3, beside the genuine program.</summary>
public sealed class OldBackupCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("snapshots")]
    [InlineData("wal")]
    [InlineData("wal -generation GENERATION")]
    public async Task List_OfAGenuineReplica_IsWhatTheGenuineProgramPrints(string line)
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", "snapshots");
        var url = $"file://{fixture.Replica}";
        string[] args = [.. line.Replace("GENERATION", Generation(fixture), StringComparison.Ordinal).Split(' '), url];
        var genuine = await TestProcess.RunAsync(Litestream03.Program(), args, cancellationToken: TestContext.Current.CancellationToken);
        var ours = await CliRun.Of(args);
        Assert.Equal((0, ""), (ours.Exit, ours.Error));
        // The order of rows is that of a folder there, and the width of a column is rounded up to its separator: the cells count.
        Assert.Equal(Cells(genuine.StandardOutput), Cells(ours.Out));
    }

    [Fact]
    public async Task Generations_OfAGenuineReplica_HasTheGenuineColumns()
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", "generations");
        var genuine = await TestProcess.RunAsync(
            Litestream03.Program(),
            ["generations", $"file://{fixture.Replica}"],
            cancellationToken: TestContext.Current.CancellationToken
        );
        var ours = await CliRun.Of("generations", $"file://{fixture.Replica}");
        Assert.Equal((0, ""), (ours.Exit, ours.Error));
        Assert.Equal(4, Cells(ours.Out).Count);
        // Without the database 0.3 prints how old its files are from the year 1 on; ours prints a dash.
        Assert.Equal(Cells(genuine.StandardOutput).Select(WithoutLag), Cells(ours.Out).Select(WithoutLag));
        Assert.Contains("  -  ", ours.Out, StringComparison.Ordinal);

        static string WithoutLag(string row) => string.Join(' ', row.Split(' ').Where((_, column) => column != 2));
    }

    [Fact]
    public async Task Generations_OfAConfiguredDatabase_TellsHowFarTheyAreBehind()
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", "generations");
        var database = _folder.Combine("app.db");
        await File.WriteAllTextAsync(database, "", TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(database, DateTime.UnixEpoch.AddMilliseconds(1795376818323 + 90_500));
        var config = _folder.Combine("c.yml");
        await File.WriteAllTextAsync(
            config,
            $"dbs:\n  - path: {database}\n    replica:\n      path: {fixture.Replica}\n",
            TestContext.Current.CancellationToken
        );
        var ours = await CliRun.Of("generations", "-config", config, database);
        Assert.Equal((0, ""), (ours.Exit, ours.Error));
        Assert.Contains(Cells(ours.Out), row => row.StartsWith("file 5da70aa84f4c8c2d 1m30s ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Restore_ToAnIndexOfAGeneration_GivesThatState()
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", "snapshots");
        var (url, generation) = ($"file://{fixture.Replica}", Generation(fixture));
        var (mine, theirs) = (_folder.Combine("mine.db"), _folder.Combine("theirs.db"));
        string[] wish = ["-generation", generation, "-index", "00000009"];
        var genuine = await Litestream03.RestoreAsync(url, theirs, wish);
        Assert.True(genuine.ExitCode == 0, genuine.Output);
        var ours = await CliRun.Of(["restore", "-json", .. wish, "-o", mine, url]);
        Assert.Equal(0, ours.Exit);
        Assert.Equal(LogicalDump.HashOfFile(theirs), LogicalDump.HashOfFile(mine));
        var answer = JsonNode.Parse(ours.Out)!;
        Assert.Equal((generation, "00000009"), ((string)answer["generation"]!, (string)answer["index"]!));
        Assert.Null(answer["txid"]);
    }

    [Fact]
    public async Task Restore_DryRun_ListsTheObjectsAndWritesNothing()
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", "snapshots");
        var (url, output) = ($"file://{fixture.Replica}", _folder.Combine("mine.db"));
        var text = await CliRun.Of("restore", "-dry-run", "-o", output, url);
        Assert.Equal(0, text.Exit);
        Assert.Contains($"generation: {Generation(fixture)}\nindex range: 0000000a-0000000c\n", text.Out, StringComparison.Ordinal);
        Assert.Contains("/wal/0000000a_00003068.wal.lz4 ", text.Out, StringComparison.Ordinal);
        var json = JsonNode.Parse((await CliRun.Of("restore", "-dry-run", "-json", "-o", output, url)).Out)!;
        Assert.Equal(7, json["files"]!.AsArray().Count);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("-generation 0123456789ABCDEF", "invalid generation format")]
    [InlineData("-generation 1", "invalid generation format")]
    [InlineData("-generation 0123456789abcdef -index zz", "invalid hexadecimal format")]
    [InlineData("-index 1", "-index needs -generation")]
    [InlineData("-generation 0123456789abcdef -index 1 -timestamp 2026-01-01T00:00:00Z", "cannot use -index with -timestamp")]
    [InlineData("-generation 0123456789abcdef -txid 0000000000000001", "cannot use -generation with -txid")]
    [InlineData("-generation 0123456789abcdef -f", "cannot use -generation with -f")]
    public async Task Restore_WishesThatContradict_AreRefused(string flags, string reason)
    {
        var run = await CliRun.Of(["restore", .. flags.Split(' '), "-o", _folder.Combine("x.db"), $"file://{_folder.Path}"]);
        Assert.Equal(1, run.Exit);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wal_OfAReplicaOfBothLayouts_ListsTransactionFilesUnlessAGenerationIsNamed()
    {
        using var fixture = await RestoreFixture.OpenAsync("v3", "upgrade");
        var url = $"file://{fixture.Replica}";
        var files = await CliRun.Of("wal", url);
        Assert.Contains("min_txid", files.Out, StringComparison.Ordinal);
        Assert.Contains("deprecated", files.Error, StringComparison.Ordinal);
        var segments = await CliRun.Of("wal", "-generation", Generation(fixture), url);
        Assert.Contains("offset", segments.Out, StringComparison.Ordinal);
        Assert.Equal("", segments.Error);
        Assert.Equal(5, Cells(segments.Out).Count);
    }

    [Fact]
    public async Task Restore_OldBackupWithoutSnapshot_SaysWhatIsMissing()
    {
        using var fixture = await RestoreFixture.OpenAsync("v3-errors", "missing-snapshot");
        var run = await CliRun.Of("restore", "-o", _folder.Combine("x.db"), $"file://{fixture.Replica}");
        Assert.Equal(1, run.Exit);
        Assert.StartsWith("Error: no snapshot in generation ", run.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await CliRun.Of("generations", $"file://{fixture.Replica}")).Exit);
    }

    private static string Generation(RestoreFixture fixture) =>
        Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(fixture.Replica, "generations"))));

    private static List<string> Cells(string table) =>
        [
            .. table
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
                .Order(StringComparer.Ordinal),
        ];
}
