using System.Diagnostics;

namespace Litestream.Tests.Fuzz;

/// <summary>
/// Feeds a parser with mutated seeds; the seeds reach every part, and checksums are mended behind the mutation. With a coverage map and guidance, what reaches
/// new code becomes a seed as well.
/// </summary>
internal sealed class FuzzRunner(FuzzTarget target, int seed, CoverageMap? map = null, bool guided = false)
{
    private const int MostFindings = 20;

    // What was learned last is tried most.
    private const int Fresh = 24;
    private static readonly TimeSpan s_hang = TimeSpan.FromMinutes(1);
    private static readonly RentedMemory s_rented = new();
    private readonly List<byte[]> _seeds = [.. target.Seeds];
    private readonly List<int> _reached = [.. target.Seeds.Select(_ => 0)];

    // Growth without end would find the time and memory of great inputs only.
    private readonly int _longest = (2 * target.Seeds.Max(s => s.Length)) + 512;
    private readonly List<string> _crashes = [];
    private readonly List<string> _overBound = [];
    private long _started;
    private long _slowest;
    private long _accepted;
    private long _mostOver;

    /// <summary>Where long runs note the input under way. With it one that hangs ends the process, and all that is learned is kept for the next run.</summary>
    public CurrentInput? Current { get; init; }

    /// <summary>Inputs that led earlier runs to new code: those that still do become seeds.</summary>
    public IReadOnlyList<byte[]> Earlier { get; init; } = [];

    /// <summary>Runs so many inputs, fewer when too much is found; without guidance each depends on the seed and its number only.</summary>
    public FuzzResult Run(long count) => Run((n, _) => n < count);

    /// <summary>Runs as long as there is time.</summary>
    public FuzzResult Run(TimeSpan time) => Run((_, elapsed) => elapsed < time);

    /// <summary>Input number n, from what is known so far.</summary>
    public byte[] Input(long n) => Draw(n).Input;

    private FuzzResult Run(Func<long, TimeSpan, bool> goesOn)
    {
        _ = s_rented;
        var started = Stopwatch.GetTimestamp();
        using var watch = Current is null ? null : new Timer(_ => EndWhenHanging(), null, s_hang, s_hang);
        var n = 0L;
        for (; goesOn(n, Stopwatch.GetElapsedTime(started)) && _crashes.Count < MostFindings; n++)
        {
            var (input, origin) = Draw(n);
            One(n, input);
            if (map is not null && map.Learn() && guided && n >= target.Seeds.Count)
                Keep(origin);
        }
        return new(
            target.Name,
            n,
            _accepted,
            Stopwatch.GetElapsedTime(started),
            Stopwatch.GetElapsedTime(0, _slowest),
            _mostOver,
            map?.Edges ?? 0,
            _seeds.Count - target.Seeds.Count,
            _crashes,
            _overBound
        );
    }

    // First the seeds and what earlier runs found, as it is and mended. The origin is what can be mutated further: an input may be a packed form of it.
    private (byte[] Input, byte[] Origin) Draw(long n)
    {
        var random = new Random(HashCode(n));
        var known = target.Seeds.Count + Earlier.Count;
        if (n < known)
            return (Known((int)n), Known((int)n));
        var origin =
            n < 2 * known ? [.. Known((int)n - known)] : new Mutator(random).Mutate(Pick(random), _seeds[random.Next(_seeds.Count)]);
        return (target.Mend is { } mend && (n < 2 * known || random.Next(4) > 0) ? mend(random, origin) : origin, origin);
    }

    private byte[] Known(int n) => n < target.Seeds.Count ? target.Seeds[n] : Earlier[n - target.Seeds.Count];

    // Most of what reaches new code is refused at a new place, early: seeds, and those that came far, must have their turn too.
    private byte[] Pick(Random random)
    {
        var learned = _seeds.Count - target.Seeds.Count;
        if (learned == 0)
            return _seeds[random.Next(_seeds.Count)];
        switch (random.Next(3))
        {
            case 0:
                return target.Seeds[random.Next(target.Seeds.Count)];
            case 1:
                return _seeds[^(1 + random.Next(Math.Min(learned, Fresh)))];
            default:
                var (one, other) = (random.Next(_seeds.Count), random.Next(_seeds.Count));
                return _seeds[_reached[one] > _reached[other] ? one : other];
        }
    }

    // Stable between runs and machines, unlike the framework's own.
    private int HashCode(long n) => unchecked((int)(((ulong)n * 0x9E3779B97F4A7C15) >> 29) ^ (seed * 0x5bd1e995) ^ (int)n);

    private void Keep(byte[] origin)
    {
        if (origin.Length > _longest)
            return;
        _seeds.Add(origin);
        _reached.Add(map!.Reached);
        if (Current is not null)
            FuzzFiles.Keep(target.Name, origin);
    }

    private void One(long n, byte[] input)
    {
        Current?.Set(input);
        RentedMemory.Reset();
        map?.Reset();
        Volatile.Write(ref _started, Stopwatch.GetTimestamp());
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
        var used = GC.GetAllocatedBytesForCurrentThread() - before - RentedMemory.Allocated + RentedMemory.Most;
        _slowest = Math.Max(_slowest, Stopwatch.GetTimestamp() - _started);
        _mostOver = Math.Max(_mostOver, used - input.Length);
        if (target.Measured && used > target.Allowed(input.Length))
            Note(_overBound, n, input, $"{used} bytes for an input of {input.Length}, allowed {target.Allowed(input.Length)}");
    }

    private void Note(List<string> findings, long n, byte[] input, string what)
    {
        if (findings.Count >= MostFindings)
            return;
        var bytes = Current is null
            ? Convert.ToHexString(input.AsSpan(0, Math.Min(input.Length, 200)))
            : FuzzFiles.Found(target.Name, input);
        findings.Add($"{target.Name} seed {seed} input {n}: {what}; {bytes}");
    }

    // An endless loop cannot be left in any other way.
    private void EndWhenHanging()
    {
        if (Stopwatch.GetElapsedTime(Volatile.Read(ref _started)) > s_hang)
            Environment.FailFast(
                $"{target.Name}: an input has not come to an end for {s_hang}; it is in {Current!.Path}, after 8 bytes of length"
            );
    }
}
