using System.Text.Json.Nodes;
using Litestream.Replicas;

namespace Datasette.Litestream.Configuration;

/// <summary>One attached database as the configuration sees it. Immutable.</summary>
/// <param name="Name">Its name in the host, not encoded.</param>
/// <param name="Path">Absolute path with symbolic links resolved; null for a database in memory.</param>
/// <param name="IsMutable">False when it was opened immutable.</param>
/// <param name="Config">Its own block <c>databases: NAME: plugins: datasette-litestream</c> as written, secrets not yet resolved; null when absent.</param>
internal sealed record AttachedDatabase(string Name, string? Path, bool IsMutable, JsonNode? Config);

/// <summary>Everything that the plugin's configuration depends on. Immutable; the delegates must be pure for the time of one reading.</summary>
internal sealed record PluginConfigInput
{
    /// <summary>The block <c>plugins: datasette-litestream</c> as written; null when absent.</summary>
    public JsonNode? TopLevel { get; init; }

    /// <summary>The attached databases, in attach order.</summary>
    public IReadOnlyList<AttachedDatabase> Databases { get; init; } = [];

    /// <summary>Names of all databases with a block of their own in the configuration, attached or not.</summary>
    public IReadOnlyList<string> ConfiguredNames { get; init; } = [];

    /// <summary>The backends that are known.</summary>
    public required ObjectStoreFactory Stores { get; init; }

    /// <summary>Environment variables by name; null when unset.</summary>
    public required Func<string, string?> Environment { get; init; }

    /// <summary>The text of a file named by <c>{"$file": PATH}</c>; throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
    public required Func<string, string> ReadFile { get; init; }

    /// <summary>The process's working directory: <c>$PWD</c>, and where relative replica paths start.</summary>
    public required string WorkingDirectory { get; init; }

    /// <summary>Where a key was written ("metadata.yaml line 7"), by its path from the root of the configuration; null when unknown.</summary>
    public Func<IReadOnlyList<string>, string?> Locate { get; init; } = static _ => null;
}
