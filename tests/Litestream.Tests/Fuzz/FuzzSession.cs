using System.Globalization;
using Testing;

namespace Litestream.Tests.Fuzz;

/// <summary>One run of one target as the environment wants it. Called in the program as it is built, and by its name in the instrumented one.</summary>
internal static class FuzzSession
{
    /// <summary>The name of <see cref="PlantedFault"/>.</summary>
    public const string Planted = "planted";

    private const long PlantedRun = 400_000;

    /// <summary>The same inputs in every build, others in long runs.</summary>
    public static int Seed { get; } = Number("LITESTREAM_FUZZ_SEED", 1);

    /// <summary>How long, for long runs; otherwise nothing, and the number of inputs counts.</summary>
    public static TimeSpan Long { get; } = TimeSpan.FromMinutes(Number("LITESTREAM_FUZZ_MINUTES", 0));

    /// <summary>The only target, or all.</summary>
    public static string Only { get; } = Environment.GetEnvironmentVariable("LITESTREAM_FUZZ_TARGET") ?? "";

    /// <summary>Long runs without guidance, to compare: coverage is counted, but nothing learned from it.</summary>
    public static bool Blind { get; } = Environment.GetEnvironmentVariable("LITESTREAM_FUZZ_BLIND") == "1";

    /// <summary>Runs a target of the program as it is built, without knowledge of coverage.</summary>
    public static FuzzResult RunPlain(string name)
    {
        var target = Target(name);
        WarmUp(target);
        return new FuzzRunner(target, Seed).Run(target.ShortRun);
    }

    /// <summary>Runs a target of instrumented code.</summary>
    /// <param name="name">Which.</param>
    /// <param name="guided">Whether inputs that reach new code are mutated further.</param>
    public static FuzzResult Run(string name, bool guided)
    {
        var target = Target(name);
        WarmUp(target);
        var map = new CoverageMap();
        if (name == Planted)
            return new FuzzRunner(target, Seed, map, guided).Run(PlantedRun);
        if (Long <= TimeSpan.Zero)
            return new FuzzRunner(target, Seed, map, guided).Run(target.ShortRun);
        using var current = FuzzFiles.Current(name);
        return new FuzzRunner(target, Seed, map, guided) { Current = current, Earlier = guided ? FuzzFiles.Earlier(name) : [] }.Run(Long);
    }

    /// <summary>The same, for a caller that knows other types of the same names.</summary>
    public static string RunToJson(string name, bool guided) => Run(name, guided).ToJson();

    private static FuzzTarget Target(string name)
    {
        if (name == Planted)
            return new(Planted, [new byte[8]], PlantedFault.Parse);
        var target = FuzzTargets.All[name]();
        return target with { Seeds = [.. target.Seeds, .. FuzzFiles.Committed(name)] };
    }

    // The first inputs make what is made once: tables, code, the pool's own bookkeeping.
    private static void WarmUp(FuzzTarget target) => new FuzzRunner(target, Seed + 1).Run(50);

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : otherwise;
}
