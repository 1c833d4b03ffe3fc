using Litestream.Diagnostics;

namespace Litestream.Replicas;

/// <summary>The backends that are known, by scheme. Immutable; the folder backend (<c>file</c>) is always there.</summary>
public sealed class ObjectStoreFactory
{
    private readonly Dictionary<string, ObjectStoreBackend> _backends = new(StringComparer.Ordinal);

    /// <summary>Knows <c>file</c> and the given backends.</summary>
    public ObjectStoreFactory(params IEnumerable<ObjectStoreBackend> backends)
    {
        foreach (var backend in backends.Prepend(FileObjectStore.Backend))
        foreach (var scheme in backend.Schemes)
            _backends[scheme] = backend;
    }

    /// <summary>All schemes, sorted.</summary>
    public IReadOnlyList<string> Schemes => [.. _backends.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The backend of a scheme; null when unknown.</summary>
    public ObjectStoreBackend? Find(string scheme) => _backends.GetValueOrDefault(scheme);

    /// <summary>Opens the store of a replica and the client for LTX files above it.</summary>
    /// <param name="options">The replica.</param>
    /// <param name="metrics">Counts what the store does; null for no counting.</param>
    /// <param name="time">The clock for durations; null for the system's.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: unknown scheme or settings that can never work.</exception>
    public ReplicaClient Open(ReplicaOptions options, ReplicaOperationMetrics? metrics = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var backend =
            Find(options.Url.Scheme)
            ?? throw new LitestreamException(
                LitestreamError.InvalidConfiguration,
                $"unknown replica type '{options.Url.Scheme}' in {options.Url}"
            )
            {
                Hint = $"known types: {string.Join(", ", Schemes)}",
            };
        var store = backend.Open(options);
        return new ReplicaClient(metrics is null ? store : new MeteredObjectStore(store, metrics, time), backend.Layout);
    }
}
