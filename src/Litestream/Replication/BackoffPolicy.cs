namespace Litestream.Replication;

/// <summary>How long to wait after a failure: the interval, doubled with each further failure, five minutes at most. Pure.</summary>
/// <param name="First">Wait after the first failure.</param>
internal sealed record BackoffPolicy(TimeSpan First)
{
    internal static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>The wait after <paramref name="failures"/> failures in a row (1 or more).</summary>
    internal TimeSpan After(int failures)
    {
        var first = First > TimeSpan.Zero ? First : TimeSpan.FromSeconds(1);
        var factor = Math.Pow(2, Math.Min(failures - 1, 30));
        return first.TotalSeconds * factor >= Longest.TotalSeconds ? Longest : first * factor;
    }
}
