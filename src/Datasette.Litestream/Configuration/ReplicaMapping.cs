using System.Text.Json;
using System.Text.Json.Nodes;
using Litestream.Cli;
using Litestream.Replicas;

namespace Datasette.Litestream.Configuration;

/// <summary>Turns the mapping of one replica into what the engine is told, by the rules of Litestream's configuration file.</summary>
internal static class ReplicaMapping
{
    /// <summary>Reads a mapping.</summary>
    /// <param name="mapping">The replica with its secrets; its keys are those of Litestream's configuration file.</param>
    /// <param name="stores">The backends that are known.</param>
    /// <param name="credentials">Credentials of the top level, for a backend that uses them and has none of its own.</param>
    /// <param name="workingDirectory">Where a relative path starts.</param>
    /// <param name="warn">Gets a line for each key without effect.</param>
    /// <exception cref="global::Litestream.LitestreamException">It can never work.</exception>
    public static ReplicaOptions ToOptions(
        JsonObject mapping,
        ObjectStoreFactory stores,
        IReadOnlyDictionary<string, string> credentials,
        string workingDirectory,
        Action<string> warn
    )
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in mapping)
            values[key] = Text(value);
        var isFolder = values.GetValueOrDefault("type", "") is "" or "file" && !values.ContainsKey("url");
        if (isFolder && values.TryGetValue("path", out var path) && path.Length > 0 && path[0] != '~' && !ReplicaUrl.IsUrl(path))
            values["path"] = Path.GetFullPath(path, workingDirectory);
        if (values.TryGetValue("url", out var url) && url.Length > 0 && !ReplicaUrl.IsUrl(url))
        {
            values.Remove("url");
            values["path"] = Path.GetFullPath(url, workingDirectory);
        }
        return ReplicaConfig.FromMapping(values, stores, "replica", credentials, warn);
    }

    /// <summary>The place a URL leads to, the same text for the same place.</summary>
    public static string Destination(ReplicaUrl url) =>
        $"{url.Scheme}|{url.User}|{url.Host ?? url.Bucket}|{url.Path}|{url.Query.GetValueOrDefault("endpoint")}";

    private static string Text(JsonNode? value) =>
        value switch
        {
            null => "",
            JsonArray list => string.Join(',', list.Select(Text)),
            _ when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
            _ => value.ToJsonString(),
        };
}
