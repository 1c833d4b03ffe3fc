namespace Litestream.Replicas;

/// <summary>How often the connections of one object may be opened again, all of them together. Safe from any thread.</summary>
internal sealed class RetryBudget(int retries)
{
    private int _left = retries;

    /// <summary>Takes one retry; false when none is left.</summary>
    public bool TryTake() => Interlocked.Decrement(ref _left) >= 0;
}
