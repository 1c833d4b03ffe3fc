using System.Globalization;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Restore.V3;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Restore.V3;

/// <summary>Whatever the genuine 0.3.13 restores of a random history, ours restores equally: newest, by generation, by index, by time.</summary>
[Trait("Speed", "slow")]
[Trait("Scenario", "I21")]
public sealed class V3HistoryTests(ITestOutputHelper output)
{
    private const int PointsOfAKind = 4;

    // CI runs a slice; all of it: LITESTREAM_V3_HISTORIES=200.
    private static readonly int s_count = Number("LITESTREAM_V3_HISTORIES", 10);

    private readonly Tally _tally = new();

    [Fact]
    public async Task RandomHistories_OfGenuine0313_AreRestoredAsItRestoresThem()
    {
        _ = Litestream03.Program();
        var first = Number("LITESTREAM_SEED", 20_000_000);
        output.WriteLine($"seeds {first} to {first + s_count - 1}; one again: LITESTREAM_SEED=n LITESTREAM_V3_HISTORIES=1");
        var options = new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = TestContext.Current.CancellationToken };
        await Parallel.ForAsync(first, first + s_count, options, async (seed, cancel) => await RunAsync(seed, cancel));
        output.WriteLine($"{s_count} histories: {_tally}");
        Assert.True(_tally.Equal >= s_count * 3, $"only {_tally}: the histories are too tame");
    }

    private async Task RunAsync(int seed, CancellationToken cancellationToken)
    {
        using var folder = new TempFolder();
        try
        {
            await using var history = await V3History.RunAsync(seed, folder, acts: 60, cancellationToken);
            await using var client = Open(history);
            var backup = await V3Backup.ListAsync(client.Store, cancellationToken);
            _tally.Add(ref _tally.Generations, backup.Generations.Count);
            _tally.Add(ref _tally.Indexes, backup.Generations.Sum(g => g.Segments.Select(s => s.Index).Distinct().Count()));
            foreach (var (name, target, flags) in Points(backup, new Random(seed)))
                await CompareAsync(history, client, folder, name, target, flags, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
        }
    }

    private static IEnumerable<(string Name, RestoreTarget Target, string[] Flags)> Points(V3Backup backup, Random random)
    {
        yield return ("latest", RestoreTarget.Latest, []);
        foreach (var generation in backup.Generations)
            yield return (
                $"generation {generation.Name}",
                new RestoreTarget { Generation = generation.Name },
                ["-generation", generation.Name]
            );
        var indexes = backup.Generations.SelectMany(g => g.Segments.Select(s => (g.Name, s.Index)).Distinct()).ToArray();
        foreach (var (generation, index) in random.GetItems(indexes, PointsOfAKind).Distinct())
            yield return (
                $"generation {generation} index {index:x8}",
                new RestoreTarget { Generation = generation, Index = index },
                ["-generation", generation, "-index", index.ToString("x8", CultureInfo.InvariantCulture)]
            );
        // A file's time is finer than ours can say: a microsecond later is behind it for both.
        var times = backup.Generations.SelectMany(g => g.Segments.Select(s => s.Timestamp.AddMicroseconds(1))).ToArray();
        foreach (var time in random.GetItems(times, PointsOfAKind).Distinct())
            yield return (
                $"time {StoredTimestamp.Format(time)}",
                new RestoreTarget(Timestamp: time),
                ["-timestamp", StoredTimestamp.Format(time)]
            );
    }

    private async Task CompareAsync(
        V3History history,
        ReplicaClient client,
        TempFolder folder,
        string name,
        RestoreTarget target,
        string[] flags,
        CancellationToken cancellationToken
    )
    {
        var (theirs, mine) = (folder.Combine("theirs.db"), folder.Combine("mine.db"));
        foreach (var file in Directory.GetFiles(folder.Path, "theirs.db*").Concat(Directory.GetFiles(folder.Path, "mine.db*")))
            File.Delete(file);
        await using var genuine = await Litestream03.RestoreAsync($"file://{history.Replica}", theirs, flags);
        var failure = await Record.ExceptionAsync(() => RestoreAsync(client, mine, target, cancellationToken));
        var expected = genuine.ExitCode == 0 ? Dump(theirs) : null;
        if (expected is null)
        {
            // It refuses, or gives a malformed database: ours may refuse too, or do better, but never give a malformed one.
            _tally.Add(ref genuine.ExitCode == 0 ? ref _tally.GenuineMalformed : ref _tally.GenuineRefused, 1);
            if (failure is not null)
                _tally.Add(ref _tally.BothRefused, 1);
            else if (Dump(mine) is null || !history.States.Contains(LogicalDump.HashOfFile(mine)))
                throw new InvalidOperationException($"{name}: ours is no state that the source ever had");
            return;
        }
        if (failure is not null)
            throw new InvalidOperationException($"{name}: 0.3.13 restores it, ours says: {failure.Message}", failure);
        if (!history.States.Contains(LogicalDump.HashOfFile(mine)))
            throw new InvalidOperationException($"{name}: ours is no state that the source ever had");
        if (Dump(mine) == expected)
            _tally.Add(ref _tally.Equal, 1);
        else if (await OverlapsAsync(client, target, cancellationToken))
            // It stops at the overlap without a word, so at an older state; ours goes on.
            _tally.Add(ref _tally.Overlapping, 1);
        else
            throw new InvalidOperationException($"{name}: ours differs from what 0.3.13 restores");
    }

    /// <summary>True when a segment holds what another one held already: what a program leaves that is killed between two uploads.</summary>
    private static async Task<bool> OverlapsAsync(ReplicaClient client, RestoreTarget target, CancellationToken cancellationToken)
    {
        var plan = await RestorePlanner.PlanAsync(client, target, cancellationToken);
        var (index, end) = (0u, 0ul);
        foreach (var segment in plan.OldBackup!.Segments)
        {
            if (segment.Index == index && segment.Offset < end)
                return true;
            var stream = await client.Store.OpenAsync(segment.Key, 0, null, cancellationToken);
            await using var content = new Lz4FrameStream(stream, segment.SizeBytes);
            using var bytes = new MemoryStream();
            await content.CopyToAsync(bytes, cancellationToken);
            (index, end) = (segment.Index, segment.Offset + (ulong)bytes.Length);
        }
        return false;
    }

    private static async Task RestoreAsync(ReplicaClient client, string path, RestoreTarget target, CancellationToken cancellationToken)
    {
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = path, Target = target }, cancellationToken);
    }

    /// <summary>The content; null when the database is malformed.</summary>
    private static string? Dump(string path)
    {
        try
        {
            using var connection = TestDatabase.Open(path);
            return connection.Scalar("PRAGMA integrity_check(1)") == "ok" ? CanonicalDump.Of(connection) : null;
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26)
        {
            return null;
        }
    }

    private static ReplicaClient Open(V3History history) =>
        new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(history.Replica) });

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : otherwise;

    private sealed class Tally
    {
        public int Equal;
        public int Overlapping;
        public int GenuineRefused;
        public int GenuineMalformed;
        public int BothRefused;
        public int Generations;
        public int Indexes;

        public void Add(ref int counter, int count) => Interlocked.Add(ref counter, count);

        public override string ToString() =>
            $"{Equal} states equal, {Overlapping} newer than its own, {Generations} generations, {Indexes} indexes; 0.3.13 refused {GenuineRefused}, gave {GenuineMalformed} malformed; of those ours refused {BothRefused}";
    }
}
