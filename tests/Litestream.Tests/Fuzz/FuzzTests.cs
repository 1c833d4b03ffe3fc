using System.Buffers;
using Xunit;

namespace Litestream.Tests.Fuzz;

/// <summary>
/// Every parser under mutated input: a typed error or a result, never another exception, never more memory than the input and four pages. A number of
/// inputs in every build, of the code as it is and of an instrumented copy; <c>./build.sh fuzz [TARGET] [MINUTES]</c> goes on with the latter, with other
/// seeds.
/// </summary>
[Collection(nameof(FuzzTests))]
[CollectionDefinition(nameof(FuzzTests), DisableParallelization = true)]
public sealed class FuzzTests(ITestOutputHelper output)
{
    public static TheoryData<string> Targets =>
        [.. FuzzTargets.All.Keys.Where(name => FuzzSession.Only.Length == 0 || name == FuzzSession.Only)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Parser_MutatedInput_GivesATypedErrorWithinItsMemory(string name) => Check(FuzzSession.RunPlain(name));

    [Theory]
    [MemberData(nameof(Targets))]
    public void Parser_InputGuidedByCoverage_GivesATypedErrorWithinItsMemory(string name)
    {
        var result = InstrumentedContext.Run(name, guided: !FuzzSession.Blind);
        Check(result);
        Assert.True(result.Edges > 20, $"{result}: the code was not instrumented");
    }

    [Fact]
    public void Guidance_FindsWhatBlindMutationDoesNot()
    {
        var guided = InstrumentedContext.Run(FuzzSession.Planted, guided: true);
        var blind = InstrumentedContext.Run(FuzzSession.Planted, guided: false);
        output.WriteLine($"guided: {guided}");
        output.WriteLine($"blind: {blind}");
        Assert.NotEmpty(guided.Crashes);
        Assert.Empty(blind.Crashes);
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
    public void Runner_PoolMustMakeBuffers_CountsThemOnce()
    {
        // More at once than the pool keeps: it must make some.
        const int Size = 1 << 14;
        const int Count = 600;
        var renting = new FuzzTarget(
            "renting",
            [new byte[8]],
            _ =>
            {
                var rented = Enumerable.Range(0, Count).Select(_ => ArrayPool<byte>.Shared.Rent(Size)).ToArray();
                Array.ForEach(rented, buffer => ArrayPool<byte>.Shared.Return(buffer));
            }
        );
        new FuzzRunner(renting, 1).Run(1);
        var result = new FuzzRunner(renting, 1).Run(1);
        Assert.InRange(result.MostOver, Count * Size, Count * Size * 5L / 4);
    }

    [Fact]
    public void Runner_SameSeed_GivesTheSameInputs()
    {
        var target = FuzzTargets.All["ltx"]();
        for (var n = 0L; n < 200; n++)
            Assert.Equal(new FuzzRunner(target, 7).Input(n), new FuzzRunner(target, 7).Input(n));
        Assert.NotEqual(new FuzzRunner(target, 7).Input(100), new FuzzRunner(target, 8).Input(100));
    }

    private void Check(FuzzResult result)
    {
        output.WriteLine($"seed {FuzzSession.Seed}; {result}");
        foreach (var finding in result.Crashes.Concat(result.OverBound))
            output.WriteLine(finding);
        Assert.Empty(result.Crashes);
        Assert.Empty(result.OverBound);
        // A fuzzer whose every input fails at the first byte proves nothing.
        Assert.True(result.Accepted > 0, $"{result}: not one input was accepted");
    }
}
