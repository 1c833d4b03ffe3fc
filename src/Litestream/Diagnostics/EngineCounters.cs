using System.Collections.Concurrent;

namespace Litestream.Diagnostics;

/// <summary>All counters of one engine. Safe from any thread.</summary>
internal sealed class EngineCounters
{
    private readonly ConcurrentDictionary<string, DatabaseMetrics> _databases = new(StringComparer.Ordinal);

    /// <summary>What was asked of the replicas' stores, by kind and operation.</summary>
    internal ReplicaOperationMetrics Operations { get; } = new();

    /// <summary>Ends the series of a database that is no longer replicated.</summary>
    internal void Forget(string path) => _databases.TryRemove(path, out _);

    internal DatabaseMetrics Of(string path) => _databases.GetOrAdd(path, static _ => new DatabaseMetrics());
}
