using System.Diagnostics;
using System.Globalization;

namespace Litestream.Tests.Fuzz;

/// <summary>What a run found.</summary>
internal sealed record FuzzResult(
    string Target,
    long Inputs,
    long Accepted,
    TimeSpan Time,
    long MostOver,
    IReadOnlyList<string> Crashes,
    IReadOnlyList<string> OverBound
)
{
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Target}: {Inputs} inputs ({Accepted} accepted), {Time.TotalMinutes:0.0} minutes, {Crashes.Count} crashes, {OverBound.Count} over the bound, most memory beyond the input {MostOver} bytes"
        );
}

/// <summary>Feeds a parser with mutated seeds. Without a coverage map: the seeds reach every part, and checksums are mended behind the mutation.</summary>
internal sealed class FuzzRunner(FuzzTarget target, int seed)
{
    private const int MostFindings = 20;
    private static readonly RentedMemory s_rented = new();
    private readonly List<string> _crashes = [];
    private readonly List<string> _overBound = [];
    private long _accepted;
    private long _mostOver;

    /// <summary>Runs so many inputs; each depends on the seed and its number only.</summary>
    public FuzzResult Run(long count)
    {
        var started = Stopwatch.GetTimestamp();
        for (var n = 0L; n < count; n++)
            One(n);
        return Result(count, started);
    }

    /// <summary>Runs as long as there is time.</summary>
    public FuzzResult Run(TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        var n = 0L;
        for (; Stopwatch.GetElapsedTime(started) < time && _crashes.Count < MostFindings; n++)
            One(n);
        return Result(n, started);
    }

    /// <summary>Input number n.</summary>
    public byte[] Input(long n)
    {
        var random = new Random(HashCode(n));
        if (n < target.Seeds.Count)
            return target.Seeds[(int)n];
        var input = target.Seeds[random.Next(target.Seeds.Count)];
        var other = target.Seeds[random.Next(target.Seeds.Count)];
        var mutated = new Mutator(random).Mutate(input, other);
        return target.Mend is { } mend && random.Next(4) > 0 ? mend(random, mutated) : mutated;
    }

    // Stable between runs and machines, unlike the framework's own.
    private int HashCode(long n) => unchecked((int)(((ulong)n * 0x9E3779B97F4A7C15) >> 29) ^ (seed * 0x5bd1e995) ^ (int)n);

    private void One(long n)
    {
        _ = s_rented;
        var input = Input(n);
        RentedMemory.Reset();
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            target.Run(input);
            _accepted++;
        }
        catch (LitestreamException e) when (e.Message.Length > 0)
        {
            // What it must say of bad input.
        }
        catch (Exception e)
        {
            Note(_crashes, n, input, $"{e.GetType().Name}: {e.Message} at {e.StackTrace?.Split('\n').FirstOrDefault()?.Trim()}");
        }
        var used = GC.GetAllocatedBytesForCurrentThread() - before + RentedMemory.Most;
        _mostOver = Math.Max(_mostOver, used - input.Length);
        if (target.Measured && used > target.Allowed(input.Length))
            Note(_overBound, n, input, $"{used} bytes for an input of {input.Length}, allowed {target.Allowed(input.Length)}");
    }

    private void Note(List<string> findings, long n, byte[] input, string what)
    {
        if (findings.Count < MostFindings)
            findings.Add(
                $"{target.Name} seed {seed} input {n}: {what}; {Convert.ToHexString(input.AsSpan(0, Math.Min(input.Length, 200)))}"
            );
    }

    private FuzzResult Result(long inputs, long started) =>
        new(target.Name, inputs, _accepted, Stopwatch.GetElapsedTime(started), _mostOver, _crashes, _overBound);
}
