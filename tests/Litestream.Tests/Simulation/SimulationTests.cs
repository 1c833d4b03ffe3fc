using Testing;
using Xunit;

namespace Litestream.Tests.Simulation;

/// <summary>Hundreds of lives of the engine in seconds: power cuts, full disks, answers lost, other programs' checkpoints.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>How many lives: <c>LITESTREAM_SIM_COUNT</c>; the first seed, or the only one with its trace: <c>LITESTREAM_SIM_SEED</c>.</summary>
    private const string SeedVariable = "LITESTREAM_SIM_SEED";

    [Fact]
    public async Task EveryLife_WhatIsConfirmedCanBeRestored_AndAfterHealingAllIsThere()
    {
        var named = Number(SeedVariable);
        var first = named ?? (int)(DateTime.UtcNow.Date - DateTime.UnixEpoch).TotalDays * 1000;
        var count = Number("LITESTREAM_SIM_COUNT") ?? (named is null ? 300 : 1);
        output.WriteLine($"seeds {first} to {first + count - 1}");
        var compared = 0;
        var failures = new List<string>();
        await Parallel.ForAsync(
            first,
            first + count,
            new ParallelOptions { MaxDegreeOfParallelism = 2 },
            async (seed, _) =>
            {
                var (world, failure) = await LiveAsync(seed, PlantedBug.None);
                Interlocked.Add(ref compared, world?.Compared ?? 0);
                if (failure is null)
                    return;
                var trace = string.Join('\n', world!.Trace.TakeLast(named is null ? 60 : int.MaxValue));
                lock (failures)
                    failures.Add($"{SeedVariable}={seed}: {failure.Message}\n{trace}\n{failure}");
            }
        );
        output.WriteLine($"{count} lives, {compared} restores compared");
        Assert.True(failures.Count == 0, $"{failures.Count} of {count} lives failed\n{string.Join("\n\n", failures.Take(3))}");
        Assert.True(compared > count * 2, $"only {compared} restores in {count} lives");
    }

    [Fact]
    public async Task SameSeed_SameTrace()
    {
        for (var seed = 1; seed <= 8; seed++)
        {
            var (first, one) = await LiveAsync(seed, PlantedBug.None);
            var (second, two) = await LiveAsync(seed, PlantedBug.None);
            Assert.Equal(one?.Message, two?.Message);
            Assert.Equal(first!.Trace, second!.Trace);
            Assert.True(first.Trace.Count > 100);
        }
    }

    [Theory]
    [InlineData(nameof(PlantedBug.StoreForgets))]
    [InlineData(nameof(PlantedBug.StoreDamages))]
    public async Task PlantedBug_IsFound(string bug)
    {
        var found = 0;
        for (var seed = 1; seed <= 20; seed++)
        {
            var (_, failure) = await LiveAsync(seed, Enum.Parse<PlantedBug>(bug));
            if (failure is not null)
                found++;
        }
        output.WriteLine($"{bug}: {found} of 20 lives noticed it");
        Assert.True(found >= 15, $"only {found} of 20 lives noticed the planted bug");
    }

    private static async Task<(SimulatedWorld? World, Exception? Failure)> LiveAsync(int seed, PlantedBug bug)
    {
        SimulatedWorld? world = null;
        try
        {
            world = await SimulatedWorld.RunAsync(seed, bug, made: w => world = w);
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
