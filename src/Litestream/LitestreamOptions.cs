using Litestream.Replication;

namespace Litestream;

/// <summary>Every setting of the engine. Immutable.</summary>
public sealed record LitestreamOptions
{
    /// <summary>The databases to replicate. More can be added while running.</summary>
    public IReadOnlyList<DatabaseOptions> Databases { get; init; } = [];

    /// <summary>How long a stop tries to bring the last commits to the replicas. Default 30 s; zero tries once.</summary>
    public TimeSpan ShutdownSyncTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Pause between two tries of the last upload while stopping. Default 500 ms.</summary>
    public TimeSpan ShutdownSyncInterval { get; init; } = TimeSpan.FromMilliseconds(500);
}
