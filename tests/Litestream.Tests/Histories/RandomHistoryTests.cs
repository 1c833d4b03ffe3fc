using Litestream.IO;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Histories;

/// <summary>Source, our restore and the genuine 0.5.17 agree, at the end and at earlier points, whatever happened.</summary>
[Trait("Speed", "slow")]
public sealed class RandomHistoryTests(ITestOutputHelper output)
{
    /// <summary>How many histories: <c>LITESTREAM_HISTORIES</c>, default 200. First seed: <c>LITESTREAM_SEED</c>; without it the same ones for every commit.</summary>
    private static readonly int Count = Number("LITESTREAM_HISTORIES", 200);

    [Fact]
    public async Task RandomHistories_SourceOurRestoreAndGenuine_AreEqual()
    {
        Litestream05.RequireIt();
        var first = Number("LITESTREAM_SEED", 20_000_000);
        output.WriteLine($"seeds {first} to {first + Count - 1}; one again: LITESTREAM_SEED=n LITESTREAM_HISTORIES=1");
        var points = 0;
        await Parallel.ForAsync(
            first,
            first + Count,
            new ParallelOptions { MaxDegreeOfParallelism = 2 },
            async (seed, ct) => Interlocked.Add(ref points, await RunAsync(seed, ct))
        );
        output.WriteLine($"{Count} histories, {points} points compared");
        Assert.True(points >= Count * 2, $"only {points} points: the histories are too tame");
    }

    private static async Task<int> RunAsync(int seed, CancellationToken cancellationToken)
    {
        try
        {
            using var folder = new TempFolder();
            await using var history = await RandomHistory.RunAsync(seed, folder, acts: 40);
            var last = history.States[^1];
            RequireEqual(
                history.DumpSource(),
                await RestoreAsync(history, RestoreTarget.Latest, cancellationToken),
                "our restore of the latest"
            );
            var points = await PointsAsync(history, cancellationToken);
            if (points.Count == 0 || points[^1].Txid != last.Txid)
                throw new InvalidOperationException($"the last of {points.Count} points is not {last.Txid}");
            await using var genuine = await Litestream05.OpenAsync("file://" + history.Replica);
            foreach (var point in points)
            {
                var ours = await RestoreAsync(history, new RestoreTarget(point.Txid), cancellationToken);
                if (history.States.Find(s => s.Txid == point.Txid) is { } state)
                    RequireEqual(state.Dump, ours, $"our restore at {point}");
                await genuine.SetTimeAsync(point.Txid == last.Txid ? null : point.Timestamp.AddMilliseconds(1));
                RequireEqual(ours, await genuine.DumpAsync(), $"genuine 0.5.17 at {point}");
            }
            return points.Count;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
        }
    }

    private static async Task<IReadOnlyList<RestorePoint>> PointsAsync(RandomHistory history, CancellationToken cancellationToken)
    {
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(history.Replica) });
        return await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Exact, cancellationToken);
    }

    private static async Task<string> RestoreAsync(RandomHistory history, RestoreTarget target, CancellationToken cancellationToken)
    {
        using var folder = new TempFolder();
        var file = folder.Combine("restored.db");
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(history.Replica) });
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        var options = new RestoreOptions
        {
            OutputPath = file,
            Target = target,
            IntegrityCheck = IntegrityCheckMode.Full,
        };
        await restorer.RestoreAsync(client, options, cancellationToken);
        return CanonicalDump.Of(file);
    }

    private static void RequireEqual(string expected, string actual, string what)
    {
        if (expected == actual)
            return;
        var at = expected.Zip(actual).TakeWhile(p => p.First == p.Second).Count();
        throw new InvalidOperationException(
            $"{what} differs at {at} of {expected.Length}: expected …{Cut(expected, at)}… got …{Cut(actual, at)}…"
        );
    }

    private static string Cut(string text, int at) =>
        text.Substring(Math.Min(at, text.Length), Math.Min(60, text.Length - Math.Min(at, text.Length)));

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : otherwise;
}
