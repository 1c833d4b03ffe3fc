using System.Globalization;
using Xunit;

namespace Litestream.Tests.Fuzz;

/// <summary>
/// Every parser under mutated input: a typed error or a result, never another exception, never more memory than the input and four pages. A number of
/// inputs in every build; <c>./build.sh fuzz [TARGET] [MINUTES]</c> goes on longer, with other seeds.
/// </summary>
[Collection(nameof(FuzzTests))]
[CollectionDefinition(nameof(FuzzTests), DisableParallelization = true)]
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly int s_seed = Number("LITESTREAM_FUZZ_SEED", 1);
    private static readonly double s_minutes = Number("LITESTREAM_FUZZ_MINUTES", 0);
    private static readonly string s_only = Environment.GetEnvironmentVariable("LITESTREAM_FUZZ_TARGET") ?? "";

    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys.Where(name => s_only.Length == 0 || name == s_only)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Parser_MutatedInput_GivesATypedErrorWithinItsMemory(string name)
    {
        var target = FuzzTargets.All[name]();
        var runner = new FuzzRunner(target, s_seed);
        // The first inputs make what is made once: tables, code, the pool's own bookkeeping.
        new FuzzRunner(target, s_seed + 1).Run(50);
        var result = s_minutes > 0 ? runner.Run(TimeSpan.FromMinutes(s_minutes)) : runner.Run(target.ShortRun);
        output.WriteLine($"seed {s_seed}; {result}");
        Assert.Empty(result.Crashes);
        Assert.Empty(result.OverBound);
        // A fuzzer whose every input fails at the first byte proves nothing.
        Assert.True(result.Accepted > 0, $"{result}: not one input was accepted");
    }

    [Fact]
    public void Runner_FindsPlantedFaults()
    {
        var planted = new FuzzTarget(
            "planted",
            [
                [1, 2, 3, 4, 5, 6, 7, 8],
            ],
            input =>
            {
                if (input.Length > 3 && input[3] == 0xff)
                    throw new IndexOutOfRangeException("planted");
                if (input.Length > 5 && input[5] == 0)
                    GC.KeepAlive(new byte[1 << 20]);
            }
        );
        var result = new FuzzRunner(planted, 1).Run(5000);
        Assert.NotEmpty(result.Crashes);
        Assert.NotEmpty(result.OverBound);
    }

    [Fact]
    public void Runner_SameSeed_GivesTheSameInputs()
    {
        var target = FuzzTargets.All["ltx"]();
        for (var n = 0L; n < 200; n++)
            Assert.Equal(new FuzzRunner(target, 7).Input(n), new FuzzRunner(target, 7).Input(n));
        Assert.NotEqual(new FuzzRunner(target, 7).Input(100), new FuzzRunner(target, 8).Input(100));
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : otherwise;
}
