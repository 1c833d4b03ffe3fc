using Testing;
using Xunit;

namespace Litestream.Tests.Simulation;

/// <summary>Thousands of lives of the engine in minutes: power cuts, full disks, answers lost and late, other programs' checkpoints.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>How many lives: <c>LITESTREAM_SIM_COUNT</c>; the first seed, or the only one with its trace: <c>LITESTREAM_SIM_SEED</c>.</summary>
    private const string SeedVariable = "LITESTREAM_SIM_SEED";

    [Fact]
    [Trait("Scenario", "Q5")]
    public async Task EveryLife_WhatIsConfirmedCanBeRestored_AndAfterHealingAllIsThere()
    {
        var named = Number(SeedVariable);
        var count = Number("LITESTREAM_SIM_COUNT") ?? (named is null ? 1000 : 1);
        // The same lives for every commit, so that a red one says something of the commit; `./build.sh soak` names new ones.
        var first = named ?? 1_000_000;
        output.WriteLine($"seeds {first} to {first + count - 1}");
        var (lived, compared) = (0, 0);
        var failures = new List<string>();
        await Parallel.ForAsync(
            first,
            first + count,
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            async (seed, _) =>
            {
                if (Volatile.Read(ref failures).Count >= 3)
                    return;
                var (world, failure) = await LiveAsync(seed);
                Interlocked.Increment(ref lived);
                Interlocked.Add(ref compared, world?.Compared ?? 0);
                if (failure is null)
                    return;
                var (told, _) = await LiveAsync(seed, trace: true);
                var trace = string.Join('\n', told!.Trace.Lines.TakeLast(count > 1 ? 60 : int.MaxValue));
                lock (failures)
                    failures.Add($"{SeedVariable}={seed}: {failure.Message}\n{trace}\n{failure}");
            }
        );
        output.WriteLine($"{lived} lives, {compared} restores compared");
        Assert.True(failures.Count == 0, $"{failures.Count} of {lived} lives failed\n{string.Join("\n\n", failures)}");
        Assert.True(compared > count * 2, $"only {compared} restores in {count} lives");
    }

    /// <summary>
    /// Lives that once went wrong: a mark behind a leftover file; late listings; a snapshot whose answer was lost, or that arrived once more; a blocker
    /// of a file that was replaced.
    /// </summary>
    [Theory]
    [InlineData(207828192)]
    [InlineData(207925344)]
    [InlineData(207941775)]
    [InlineData(207982583)]
    [InlineData(207807777)]
    [InlineData(300015051)]
    [InlineData(300023963)]
    [InlineData(300026369)]
    public async Task LifeThatOnceWentWrong_GoesWell(int seed)
    {
        var (_, failure) = await LiveAsync(seed);
        Assert.Null(failure);
    }

    [Fact]
    public async Task SameSeed_SameLife()
    {
        for (var seed = 1; seed <= 8; seed++)
        {
            var (first, one) = await LiveAsync(seed, trace: true);
            var (second, two) = await LiveAsync(seed, trace: true);
            var (third, three) = await LiveAsync(seed);
            Assert.Equal(one?.Message, two?.Message);
            Assert.Equal(one?.Message, three?.Message);
            Assert.Equal(first!.Trace.Lines, second!.Trace.Lines);
            Assert.Equal(first.Compared, third!.Compared);
            Assert.True(first.Trace.Lines.Count > 60, $"seed {seed}: only {first.Trace.Lines.Count} lines");
        }
    }

    /// <summary>How many lives it takes to notice a bug; a bug that many lives do not notice could stay in the engine.</summary>
    [Theory]
    [InlineData(nameof(PlantedBug.StoreForgets), 20)]
    [InlineData(nameof(PlantedBug.StoreDamages), 20)]
    [InlineData(nameof(PlantedBug.FsyncLeftOut), 200)]
    [InlineData(nameof(PlantedBug.PositionKeptAfterUnknownPut), 100)]
    [InlineData(nameof(PlantedBug.TailShippedBeforeCommit), 500)]
    [InlineData(nameof(PlantedBug.FramesPastTheEnd), 500)]
    [InlineData(nameof(PlantedBug.TailTrustedWithoutTheLock), 3000)]
    [InlineData(nameof(PlantedBug.RetentionOneTooFar), 500)]
    [InlineData(nameof(PlantedBug.ReaderDroppedForTheCheckpoint), 500)]
    [InlineData(nameof(PlantedBug.NoSyncUnderTheBarrier), 1000)]
    public async Task PlantedBug_IsFound(string bug, int atMost)
    {
        for (var seed = 1; seed <= atMost; seed++)
        {
            var (_, failure) = await LiveAsync(seed, Enum.Parse<PlantedBug>(bug));
            if (failure is null or TimeoutException || failure.Message.Contains(SimulatedSource.Endless, StringComparison.Ordinal))
                continue;
            // The life itself must be a good one: then it is the bug that was found.
            var (_, without) = await LiveAsync(seed);
            Assert.Null(without);
            output.WriteLine($"{bug}: found by life {seed}: {failure.Message}");
            return;
        }
        Assert.Fail($"{atMost} lives did not notice {bug}");
    }

    private static async Task<(SimulatedWorld? World, Exception? Failure)> LiveAsync(
        int seed,
        PlantedBug bug = PlantedBug.None,
        bool trace = false
    )
    {
        SimulatedWorld? world = null;
        try
        {
            // On real time only to end a life that hangs; nothing in it waits for real time.
            await SimulatedWorld.RunAsync(seed, bug, trace, w => world = w).WaitAsync(TimeSpan.FromMinutes(5));
            return (world, null);
        }
        catch (Exception e)
        {
            return (world, e);
        }
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : null;
}
