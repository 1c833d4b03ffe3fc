namespace Litestream.Replicas;

/// <summary>One destination of one database.</summary>
public sealed record ReplicaOptions
{
    /// <summary>Name in messages and on pages; default: the URL's scheme, numbered when several replicas share it.</summary>
    public string? Name { get; init; }

    /// <summary>Where it is. Parse text with <see cref="ReplicaUrl.Parse"/>.</summary>
    public required ReplicaUrl Url { get; init; }

    /// <summary>
    /// Settings of the backend by their name in Litestream's configuration file (<c>access-key-id</c>, <c>endpoint</c>, <c>region</c>,
    /// <c>force-path-style</c>, ...). They win over the URL's query and the environment.
    /// </summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Least time between two uploads while commits keep coming. The first commit after silence ships at once. Default 1 s.</summary>
    public TimeSpan SyncInterval { get; init; } = TimeSpan.FromSeconds(1);
}
