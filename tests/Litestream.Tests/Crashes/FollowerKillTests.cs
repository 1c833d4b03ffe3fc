using System.Text.RegularExpressions;
using Litestream.Tests.Replication;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Crashes;

/// <summary>A follower is killed at random moments; readers of its file never see anything torn, and it goes on where it was.</summary>
public sealed partial class FollowerKillTests(ITestOutputHelper output)
{
    /// <summary>How many rounds: <c>LITESTREAM_FOLLOWER_KILLS</c>, default 6.</summary>
    private static readonly int s_rounds = int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_FOLLOWER_KILLS"), out var n) ? n : 6;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "K4")]
    public async Task K4_KilledAtRandomMoments_ReadersSeeWholeStates_AndItResumes()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_SEED"), out var s) ? s : Environment.TickCount;
        output.WriteLine($"seed {seed} (LITESTREAM_SEED)");
        var random = new Random(seed);
        await using var circle = new Circle();
        circle.App.Execute("CREATE TABLE log(n INTEGER PRIMARY KEY, v); CREATE TABLE counter(n); INSERT INTO counter VALUES(0)");
        await circle.StartAsync();
        await circle.SyncAsync();
        var followed = circle.Folder.Combine("followed.db");
        var (last, journals) = (0L, 0);
        for (var round = 0; round < s_rounds; round++)
        {
            await using var follower = StartFollower(circle, followed);
            await follower.WaitForLineAsync(EnteringRegex(), TimeSpan.FromSeconds(30), cancellationToken: Token);
            var until = Environment.TickCount64 + random.Next(300, 900);
            while (Environment.TickCount64 < until)
            {
                await CommitAsync(circle, random);
                last = RequireWhole(followed, last);
            }
            follower.Kill();
            journals += File.Exists(followed + "-journal") ? 1 : 0;
            last = RequireWhole(followed, last);
        }
        await CommitAsync(circle, random);
        await using var end = StartFollower(circle, followed);
        var want = CanonicalDump.Of(circle.App);
        for (var i = 0; i < 400 && CanonicalDump.Of(followed) != want; i++)
            await Task.Delay(50, Token);
        if (CanonicalDump.Of(followed) != want)
            Assert.Fail($"it did not catch up: {end.Output}");
        Assert.Equal(0, await end.StopAsync());
        Assert.Contains("follow mode stopped", end.Output, StringComparison.Ordinal);
        Assert.Equal($"{circle.Status.Txid}\n", await File.ReadAllTextAsync(followed + "-txid", Token));
        output.WriteLine($"{s_rounds} kills, {journals} in the middle of a change, {last} transactions");
    }

    private static TestProcess StartFollower(Circle circle, string followed) =>
        TestProcess.Start(
            Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door"),
            ["restore", "-f", "-follow-interval", "20ms", "-o", followed, $"file://{circle.Replica}"]
        );

    private static async Task CommitAsync(Circle circle, Random random)
    {
        for (var i = random.Next(1, 4); i > 0; i--)
            circle.App.Execute(
                "BEGIN; UPDATE counter SET n = n + 1; INSERT INTO log SELECT n, randomblob(abs(random()) % 20000) FROM counter; COMMIT"
            );
        if (random.Next(15) == 0)
            circle.App.Execute("UPDATE log SET v = NULL; VACUUM");
        await circle.SyncAsync();
    }

    /// <summary>The transactions that a reader sees; it may wait, but never see a part of one.</summary>
    private static long RequireWhole(string path, long atLeast)
    {
        using var reader = TestDatabase.Open(path);
        reader.Execute("PRAGMA busy_timeout=20000");
        var seen = reader.Scalar("SELECT (SELECT n FROM counter) || '|' || count(*) || '|' || coalesce(max(n), 0) FROM log")!.Split('|');
        Assert.Equal((seen[0], seen[0]), (seen[1], seen[2]));
        var transactions = long.Parse(seen[0], System.Globalization.CultureInfo.InvariantCulture);
        // Applying again after a crash may go through states that were seen already, but they are states.
        Assert.True(transactions >= atLeast - 30, $"{atLeast} were there before, now {transactions}");
        return Math.Max(transactions, atLeast);
    }

    [GeneratedRegex("entering follow mode")]
    private static partial Regex EnteringRegex();
}
