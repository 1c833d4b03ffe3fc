using System.Text.Json.Nodes;
using Litestream.Replicas;

namespace Datasette.Litestream.Configuration;

/// <summary>Turns the mapping of one replica into what the engine is told.</summary>
internal static class ReplicaMapping
{
    /// <summary>Reads a mapping as Litestream's configuration file has it.</summary>
    public static ReplicaOptions ToOptions(JsonObject mapping, IReadOnlyDictionary<string, string> credentials, string workingDirectory)
    {
        throw new NotSupportedException();
    }

    /// <summary>The place a URL leads to, the same text for the same place.</summary>
    public static string Destination(ReplicaUrl url) => $"{url.Scheme}|{url.User}|{url.Host ?? url.Bucket}|{url.Path}|{url.Query.GetValueOrDefault("endpoint")}";
}
