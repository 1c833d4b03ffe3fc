using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Litestream.Replicas;
using Litestream.Replication;

namespace Datasette.Litestream.Configuration;

/// <summary>A database that is replicated, or would be if it had a replica.</summary>
/// <param name="Name">Its name in the host.</param>
/// <param name="Options">What the engine is told.</param>
internal sealed record ReplicatedEntry(string Name, DatabaseOptions Options);

/// <summary>A database with a file that is not replicated.</summary>
/// <param name="Name">Its name in the host.</param>
/// <param name="Reason">Why, in words for people.</param>
internal sealed record SkippedEntry(string Name, string Reason);

/// <summary>The plugin's keys in datasette.yaml, resolved, checked, and turned into what the engine is told. Immutable.</summary>
internal sealed record LitestreamPluginConfig
{
    /// <summary>The name of the plugin, under which it is configured.</summary>
    public const string PluginName = "datasette-litestream";

    /// <summary>Nothing configured anywhere: the plugin is inert.</summary>
    public static LitestreamPluginConfig Inert { get; } =
        new()
        {
            IsConfigured = false,
            Shown = new JsonObject(),
            Redactor = new Redactor(),
        };

    /// <summary>False when there is neither a top-level block nor a database to replicate.</summary>
    public required bool IsConfigured { get; init; }

    /// <summary>The databases to replicate, in attach order; entries without replicas are among them.</summary>
    public IReadOnlyList<ReplicatedEntry> Databases { get; init; } = [];

    /// <summary>The databases with a file that are not replicated, in attach order.</summary>
    public IReadOnlyList<SkippedEntry> Skipped { get; init; } = [];

    /// <summary>Where credentials that change come from; null when none are configured so.</summary>
    public CredentialSettings? Credentials { get; init; }

    /// <summary>Where the metrics endpoint listens, <c>:9090</c> or <c>host:port</c>; null for none.</summary>
    public string? MetricsAddress { get; init; }

    /// <summary>The resolved configuration as the status page shows it: the original's shape, without secrets.</summary>
    public required JsonObject Shown { get; init; }

    /// <summary>What a person should know but what stops nothing; free of secrets.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    /// <summary>Knows this configuration's secrets.</summary>
    public required Redactor Redactor { get; init; }

    /// <summary>The same, with credentials that change for every replica that uses such and has none of its own.</summary>
    public LitestreamPluginConfig With(StoreCredentialSource credentials, ObjectStoreFactory stores) =>
        this with
        {
            Databases =
            [
                .. Databases.Select(entry =>
                    entry with
                    {
                        Options = entry.Options with
                        {
                            Replicas = [.. entry.Options.Replicas.Select(replica => With(replica, credentials, stores))],
                        },
                    }
                ),
            ],
        };

    /// <summary>The same, with credentials that were read from elsewhere shown as far as they may be.</summary>
    public LitestreamPluginConfig Showing(StoreCredentials credentials, Redactor redactor)
    {
        var shown = (JsonObject)Shown.DeepClone();
        shown["access-key-id"] = Redactor.LastFour(credentials.AccessKeyId);
        shown["secret-access-key"] = Redactor.Marker;
        shown.Remove("session-token");
        if (credentials.SessionToken is not null)
            shown["session-token"] = Redactor.Marker;
        return this with { Shown = shown, Redactor = redactor };
    }

    private static ReplicaOptions With(ReplicaOptions replica, StoreCredentialSource credentials, ObjectStoreFactory stores)
    {
        const string OwnKey = "access-key-id";
        var usesSuch = stores.Find(replica.Url.Scheme)?.Settings.Contains(OwnKey) == true;
        var hasOwn = replica.Settings.ContainsKey(OwnKey) || replica.Url.Query.ContainsKey(OwnKey);
        return usesSuch && !hasOwn ? replica with { Credentials = credentials } : replica;
    }

    /// <summary><see cref="Shown"/> as text, indented by two.</summary>
    public string ShownText()
    {
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text, s_shown))
            Shown.WriteTo(writer);
        return Encoding.UTF8.GetString(text.ToArray());
    }

    private static readonly JsonWriterOptions s_shown = new()
    {
        Indented = true,
        IndentSize = 2,
        NewLine = "\n",
        // The page escapes for HTML itself; "\u0026" in a URL helps nobody.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
