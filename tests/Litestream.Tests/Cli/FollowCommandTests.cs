using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Litestream.Tests.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Cli;

/// <summary><c>litestream restore -f</c>.</summary>
public sealed partial class FollowCommandTests
{
    [Theory]
    [InlineData("-txid", "0000000000000001")]
    [InlineData("-timestamp", "15m ago")]
    [InlineData("-force", null)]
    [InlineData("-dry-run", null)]
    public async Task K7_WithATargetOfItsOwn_IsRefused(string flag, string? value)
    {
        using var folder = new TempFolder();
        string[] more = value is null ? [flag] : [flag, value];
        var run = await CliRun.Of(["restore", "-f", .. more, "-o", folder.Combine("out.db"), $"file://{folder.Path}/replica"]);
        Assert.Equal((1, $"Error: cannot use {flag} with -f\n"), (run.Exit, run.Error));
        Assert.Empty(folder.Contents());
    }

    [Theory]
    [InlineData("0s")]
    [InlineData("-1s")]
    [InlineData("soon")]
    public async Task FollowInterval_Senseless_IsRefused(string interval)
    {
        using var folder = new TempFolder();
        var run = await CliRun.Of(
            "restore",
            "-f",
            $"-follow-interval={interval}",
            "-o",
            folder.Combine("out.db"),
            $"file://{folder.Path}/replica"
        );
        Assert.Equal(1, run.Exit);
        Assert.StartsWith($"Error: invalid -follow-interval value: {interval}\n", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Follow_NoBackup_FailsOrIsFineAsAsked()
    {
        using var folder = new TempFolder();
        string[] rest = ["-o", folder.Combine("out.db"), $"file://{folder.Path}/replica"];
        Assert.Equal(1, (await CliRun.Of(["restore", "-f", .. rest])).Exit);
        Assert.Equal(0, (await CliRun.Of(["restore", "-f", "-if-replica-exists", .. rest])).Exit);
        Assert.Empty(folder.Contents());
    }

    [Fact]
    public async Task K5_DatabaseThatDoesNotFollow_IsRefusedAndUntouched()
    {
        await using var circle = await Circle.RunningAsync(2);
        var output = circle.Folder.Combine("out.db");
        Assert.Equal(0, (await CliRun.Of("restore", "-o", output, $"file://{circle.Replica}")).Exit);
        var before = CanonicalDump.Of(output);
        var run = await CliRun.Of("restore", "-f", "-o", output, $"file://{circle.Replica}");
        Assert.Equal(1, run.Exit);
        Assert.Contains("out.db-txid", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, CanonicalDump.Of(output));
    }

    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    public async Task K2_Signal_EndsCleanly(PosixSignal signal)
    {
        await using var circle = await Circle.RunningAsync(3);
        var output = circle.Folder.Combine("a b ü", "out.db");
        await using var follower = TestProcess.Start(
            Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door"),
            ["restore", "-f", "-json", "-follow-interval", "50ms", "-o", output, $"file://{circle.Replica}"]
        );
        await follower.WaitForLineAsync(
            FollowingRegex(),
            TimeSpan.FromSeconds(30),
            cancellationToken: TestContext.Current.CancellationToken
        );
        circle.Write(5);
        await circle.SyncAsync();
        var wanted = CanonicalDump.Of(circle.App);
        for (var i = 0; i < 200 && CanonicalDump.Of(output) != wanted; i++)
            await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(0, await follower.StopAsync(signal));
        Assert.Contains("follow mode stopped", follower.StandardError, StringComparison.Ordinal);
        Assert.Contains("\"txid\": \"0000000000000004\"", follower.StandardOutput, StringComparison.Ordinal);
        Assert.Equal(wanted, CanonicalDump.Of(output));
        Assert.Equal("0000000000000005\n", await File.ReadAllTextAsync(output + "-txid", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Follow_SeveralReplicas_TakesTheBestAndTheNextWhenItBreaks()
    {
        await using var circle = await Circle.RunningAsync(3);
        var (old, other) = (circle.Folder.Combine("old"), circle.Folder.Combine("other"));
        CopyFolder(circle.Replica, old);
        circle.Write();
        await circle.SyncAsync();
        CopyFolder(circle.Replica, other);
        var config = circle.Folder.Combine("litestream.yml");
        await File.WriteAllTextAsync(
            config,
            $"""
            dbs:
              - path: {circle.Folder.Combine("source.db")}
                replicas:
                  - path: "{old}"
                  - path: "{other}"
                  - path: "{circle.Replica}"
            """,
            TestContext.Current.CancellationToken
        );
        var output = circle.Folder.Combine("out.db");
        await using var follower = TestProcess.Start(
            Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door"),
            ["restore", "-f", "-follow-interval", "50ms", "-config", config, "-o", output, circle.Folder.Combine("source.db")]
        );
        await follower.WaitForLineAsync(
            FollowingRegex(),
            TimeSpan.FromSeconds(30),
            cancellationToken: TestContext.Current.CancellationToken
        );
        // Not the first one named, but the first one that reaches furthest.
        Assert.Equal("0000000000000005\n", await File.ReadAllTextAsync(output + "-txid", TestContext.Current.CancellationToken));
        Directory.Move(other, other + "-away");
        await File.WriteAllTextAsync(other, "no folder any more", TestContext.Current.CancellationToken);
        circle.Write();
        await circle.SyncAsync();
        var wanted = CanonicalDump.Of(circle.App);
        for (var i = 0; i < 400 && CanonicalDump.Of(output) != wanted; i++)
            await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(wanted, CanonicalDump.Of(output));
        Assert.Contains("trying another replica", follower.Output, StringComparison.Ordinal);
        Assert.Equal(0, await follower.StopAsync());
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    [GeneratedRegex("msg=following")]
    private static partial Regex FollowingRegex();
}
