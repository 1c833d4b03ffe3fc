namespace Litestream.Diagnostics;

/// <summary>What one kind of operation on one kind of store has amounted to since the start.</summary>
/// <param name="ReplicaType">Kind of store: <c>file</c>, <c>s3</c>, ...</param>
/// <param name="Operation"><c>PUT</c>, <c>GET</c>, <c>LIST</c>, <c>HEAD</c> or <c>DELETE</c>.</param>
/// <param name="Count">Operations that ended, well or not.</param>
/// <param name="Bytes">Bytes sent or received.</param>
/// <param name="DurationBuckets">Operations by duration: one for each of <see cref="ReplicaOperationMetrics.DurationBounds"/>, not cumulated, and one for longer ones.</param>
/// <param name="DurationSum">Time of all of them.</param>
/// <param name="Errors">Failed operations by code (the name of the <see cref="LitestreamError"/>).</param>
public sealed record ReplicaOperationSnapshot(
    string ReplicaType,
    string Operation,
    long Count,
    long Bytes,
    IReadOnlyList<long> DurationBuckets,
    TimeSpan DurationSum,
    IReadOnlyDictionary<string, long> Errors
);

/// <summary>Counts operations on stores. Safe from any thread.</summary>
public sealed class ReplicaOperationMetrics
{
    private static readonly double[] Bounds = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];
    private readonly Lock _lock = new();
    private readonly Dictionary<(string ReplicaType, string Operation), Counter> _counters = [];

    /// <summary>Upper bounds of the buckets of durations, in seconds.</summary>
    public static IReadOnlyList<double> DurationBounds => Bounds;

    /// <summary>Counts one operation that has ended.</summary>
    /// <param name="replicaType">Kind of store.</param>
    /// <param name="operation">Upper-case name.</param>
    /// <param name="bytes">Bytes sent or received.</param>
    /// <param name="duration">Time taken.</param>
    /// <param name="errorCode">Null when it went well.</param>
    public void Record(string replicaType, string operation, long bytes, TimeSpan duration, string? errorCode)
    {
        var bucket = Array.FindIndex(Bounds, bound => duration.TotalSeconds <= bound);
        lock (_lock)
        {
            var counter = Find(replicaType, operation);
            counter.Count++;
            counter.Bytes += bytes;
            counter.DurationSum += duration;
            counter.Buckets[bucket < 0 ? Bounds.Length : bucket]++;
            if (errorCode is not null)
                counter.Errors[errorCode] = counter.Errors.GetValueOrDefault(errorCode) + 1;
        }
    }

    /// <summary>Counts bytes of an operation that was recorded when it began to deliver.</summary>
    public void AddBytes(string replicaType, string operation, long bytes)
    {
        lock (_lock)
            Find(replicaType, operation).Bytes += bytes;
    }

    /// <summary>Counts a failure of an operation that was recorded when it began to deliver.</summary>
    public void AddError(string replicaType, string operation, string errorCode)
    {
        lock (_lock)
        {
            var errors = Find(replicaType, operation).Errors;
            errors[errorCode] = errors.GetValueOrDefault(errorCode) + 1;
        }
    }

    /// <summary>All counters at this moment, sorted by kind and operation.</summary>
    public IReadOnlyList<ReplicaOperationSnapshot> Snapshot()
    {
        lock (_lock)
        {
            return
            [
                .. _counters
                    .OrderBy(c => c.Key.ReplicaType, StringComparer.Ordinal)
                    .ThenBy(c => c.Key.Operation, StringComparer.Ordinal)
                    .Select(c => new ReplicaOperationSnapshot(
                        c.Key.ReplicaType,
                        c.Key.Operation,
                        c.Value.Count,
                        c.Value.Bytes,
                        [.. c.Value.Buckets],
                        c.Value.DurationSum,
                        new SortedDictionary<string, long>(c.Value.Errors, StringComparer.Ordinal)
                    )),
            ];
        }
    }

    private Counter Find(string replicaType, string operation)
    {
        if (!_counters.TryGetValue((replicaType, operation), out var counter))
            _counters[(replicaType, operation)] = counter = new Counter();
        return counter;
    }

    private sealed class Counter
    {
        public long Count { get; set; }

        public long Bytes { get; set; }

        public long[] Buckets { get; } = new long[Bounds.Length + 1];

        public TimeSpan DurationSum { get; set; }

        public Dictionary<string, long> Errors { get; } = new(StringComparer.Ordinal);
    }
}
