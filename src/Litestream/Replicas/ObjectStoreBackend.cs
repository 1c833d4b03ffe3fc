namespace Litestream.Replicas;

/// <summary>What a backend registers: its scheme, its layout, its settings, and how to open it.</summary>
/// <param name="Schemes">URL schemes it serves, lower case; the first is its <c>type</c> in configuration files.</param>
/// <param name="Layout">How LTX files are named in it.</param>
/// <param name="Settings">Names of the settings it understands, besides the URL; used for "did you mean".</param>
/// <param name="Open">Opens the store. Throws <see cref="LitestreamException"/> with <see cref="LitestreamError.InvalidConfiguration"/> for what can never work; does not touch the network.</param>
public sealed record ObjectStoreBackend(
    IReadOnlyList<string> Schemes,
    ReplicaLayout Layout,
    IReadOnlyCollection<string> Settings,
    Func<ReplicaOptions, ObjectStore> Open
);
