using System.Globalization;
using Litestream.Cli.Configuration;
using Litestream.Replicas;

namespace Litestream.Cli;

/// <summary>Makes <see cref="ReplicaOptions"/> from what a configuration says of one replica: a URL, or a mapping with Litestream's keys.</summary>
/// <remarks>Stateless, safe on any thread. Every failure is a <see cref="LitestreamException"/> with <see cref="LitestreamError.InvalidConfiguration"/>.</remarks>
public static class ReplicaConfig
{
    private static readonly string[] s_later = ["abs", "gs", "nats", "oss", "sftp", "webdav"];
    private static readonly string[] s_place =
    [
        "type",
        "name",
        "path",
        "url",
        "sync-interval",
        "bucket",
        "host",
        "user",
        "age",
        "retention",
        "snapshot-interval",
    ];

    /// <summary>A replica given as URL (<c>s3://bucket/prefix</c>) or as path of a folder.</summary>
    /// <param name="text">The URL or path. A relative path is resolved against the current folder.</param>
    /// <param name="stores">The backends that are known.</param>
    /// <param name="baseDirectory">What a relative path is relative to; null for the current folder.</param>
    public static ReplicaOptions FromText(string text, ObjectStoreFactory stores, string? baseDirectory = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(stores);
        var options = Read(
            new Input("replica", new Dictionary<string, string> { [ReplicaUrl.IsUrl(text) ? "url" : "path"] = text }, stores)
            {
                BaseDirectory = baseDirectory,
            }
        );
        CheckAvailable(options, stores);
        return options;
    }

    /// <summary>A replica given as mapping.</summary>
    /// <param name="mapping">Keys of a replica in Litestream's configuration file with their values as text; items of a list are joined by commas.</param>
    /// <param name="stores">The backends that are known.</param>
    /// <param name="field">Where the mapping stands, for messages. Default: <c>replica</c>.</param>
    /// <param name="defaults">Settings for all replicas, used where neither the mapping nor the URL says otherwise; null for none.</param>
    /// <param name="warn">Gets a line for each key that has no effect; null drops them.</param>
    /// <param name="baseDirectory">What a relative path is relative to; null for the current folder.</param>
    public static ReplicaOptions FromMapping(
        IReadOnlyDictionary<string, string> mapping,
        ObjectStoreFactory stores,
        string field = "replica",
        IReadOnlyDictionary<string, string>? defaults = null,
        Action<string>? warn = null,
        string? baseDirectory = null
    )
    {
        ArgumentNullException.ThrowIfNull(mapping);
        ArgumentNullException.ThrowIfNull(stores);
        foreach (var (name, value) in mapping)
        {
            var key = ConfigSchema.Replica.Find(name) ?? throw UnknownKey(field, name);
            if (key.Kind is not (ConfigKind.Group or ConfigKind.TextList))
                ConfigChecker.Value($"{field}.{name}", key.Kind, value, null);
            if (key.Effect != ConfigEffect.Now)
                warn?.Invoke(
                    $"{field}.{name} is {(key.Effect == ConfigEffect.Later ? "not yet in effect" : "without effect")}: {key.Note}"
                );
        }
        var options = Read(
            new Input(field, mapping, stores)
            {
                Defaults = defaults,
                Warn = warn,
                BaseDirectory = baseDirectory,
            }
        );
        CheckAvailable(options, stores);
        return options;
    }

    /// <summary>Throws when no backend serves the replica's type.</summary>
    internal static void CheckAvailable(ReplicaOptions options, ObjectStoreFactory stores)
    {
        if (stores.Find(options.Url.Scheme) is null)
            throw ConfigError.Text(
                $"replica type '{options.Url.Scheme}' is not available in this version ({options.Url})",
                $"a replica of type {string.Join(" or ", stores.Schemes)}"
            );
    }

    /// <summary>Does the work; types are checked, availability is not.</summary>
    internal static ReplicaOptions Read(Input input)
    {
        if (input.Get("age") is { Length: > 0 })
            throw ConfigError.Field(
                $"{input.Field}.age",
                "encryption is not available, and nothing is written unencrypted instead",
                "age keys",
                "remove 'age' to write unencrypted, or keep using litestream 0.3 for this replica",
                input.At("age")
            );
        var scheme = Scheme(input);
        var url = input.Get("url") is { } text ? FromUrl(input, scheme, text) : FromParts(input, scheme);
        var options = new ReplicaOptions
        {
            Name = input.Get("name"),
            Url = url,
            Settings = Settings(input, url),
            SyncInterval = input.GetOrDefault("sync-interval") is { } interval
                ? ConfigValues.Positive($"{input.Field}.sync-interval", ConfigValues.Duration($"{input.Field}.sync-interval", interval))
                : TimeSpan.FromSeconds(1),
        };
        return Keeping(options, input);
    }

    /// <summary>Litestream 0.3's keys of a replica: nothing is deleted for a retention of 0 or less, and snapshots come as often as it ends.</summary>
    private static ReplicaOptions Keeping(ReplicaOptions options, Input input)
    {
        if (input.Get("retention") is { } text)
        {
            var retention = ConfigValues.Duration($"{input.Field}.retention", text);
            options =
                retention > TimeSpan.Zero
                    ? options with
                    {
                        SnapshotRetention = retention,
                        SnapshotInterval = retention,
                    }
                    : options with
                    {
                        DeletesOldFiles = false,
                    };
        }
        if (input.Get("snapshot-interval") is not { } interval)
            return options;
        var field = $"{input.Field}.snapshot-interval";
        return options with { SnapshotInterval = ConfigValues.Positive(field, ConfigValues.Duration(field, interval)) };
    }

    private static string Scheme(Input input)
    {
        var text = input.Get("url") is { } url ? url.Split("://")[0] : input.Get("type") ?? "file";
        var scheme = Canonical(text.Trim().ToLowerInvariant());
        if (input.Stores.Find(scheme) is not null || s_later.Contains(scheme))
            return scheme;
        var key = input.Get("url") is null ? "type" : "url";
        var known = input.Stores.Schemes.Concat(s_later).Order(StringComparer.Ordinal).ToArray();
        var near = Nearest.Find(scheme, known) is { } meant ? $"'{meant}'" : string.Join(" or ", input.Stores.Schemes);
        throw ConfigError.Field($"{input.Field}.{key}", "unknown replica type", text, near, input.At(key));
    }

    private static string Canonical(string scheme) =>
        scheme switch
        {
            "gcs" => "gs",
            "webdavs" => "webdav",
            _ => scheme,
        };

    private static ReplicaUrl FromUrl(Input input, string scheme, string text)
    {
        foreach (var other in new[] { "path", "bucket", "host" })
            if (input.Get(other) is not null)
                throw ConfigError.Text($"{input.Field}: cannot use 'url' together with '{other}'", $"only one of the two", input.At(other));
        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..].Split('?')[0];
        var authority = rest.Split('/')[0];
        if (scheme is "s3" or "gs" or "abs" or "oss" && authority.Length == 0)
            throw Missing(input, "bucket", scheme);
        if (scheme is "sftp" or "nats" or "webdav" && authority.Split('@')[^1].Length == 0)
            throw Missing(input, "host", scheme);
        if (scheme is "sftp" && !authority.Contains('@', StringComparison.Ordinal) && input.Get("user") is null)
            throw Missing(input, "user", scheme);
        return ReplicaUrl.Parse(scheme + text[text.IndexOf("://", StringComparison.Ordinal)..]);
    }

    private static ReplicaUrl FromParts(Input input, string scheme)
    {
        var path = input.Get("path") ?? "";
        if (ReplicaUrl.IsUrl(path))
            throw ConfigError.Field($"{input.Field}.path", "a URL belongs into 'url'", path, $"url: {path}", input.At("path"));
        switch (scheme)
        {
            case "file" when path.Length == 0:
                throw ConfigError.Text($"{input.Field}: needs 'url' or 'path'", "url: s3://bucket/prefix", input.Place);
            case "file":
                return ReplicaUrl.Parse(ConfigPaths.Absolute(path, input.BaseDirectory));
            case "sftp":
                var user = input.Get("user") ?? throw Missing(input, "user", scheme);
                return ReplicaUrl.Parse($"sftp://{Uri.EscapeDataString(user)}@{Host(input, scheme)}/{Uri.EscapeDataString(path)}");
            case "webdav":
                var server = input.Get("webdav-url") ?? throw Missing(input, "webdav-url", scheme);
                return ReplicaUrl.Parse($"webdav://{server.Split("://")[^1].TrimEnd('/')}/{Uri.EscapeDataString(path)}");
            case "nats":
                return ReplicaUrl.Parse($"nats://{Host(input, scheme)}/{Bucket(input, scheme)}");
            default:
                return ReplicaUrl.ForBucket(scheme, Bucket(input, scheme), path);
        }
    }

    private static string Host(Input input, string scheme) => input.Get("host") ?? throw Missing(input, "host", scheme);

    private static string Bucket(Input input, string scheme) => input.GetOrDefault("bucket") ?? throw Missing(input, "bucket", scheme);

    private static Dictionary<string, string> Settings(Input input, ReplicaUrl url)
    {
        var known = input.Stores.Find(url.Scheme)?.Settings;
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in input.Mapping)
        {
            if (value.Length == 0 || s_place.Contains(name) || ConfigSchema.Replica.Find(name) is { Effect: not ConfigEffect.Now })
                continue;
            if (known is not null && !known.Contains(name))
                NotUnderstood(input, name, url.Scheme);
            else
                settings[name] = Normal(input, name, value);
        }
        foreach (var (name, value) in input.Defaults ?? new Dictionary<string, string>())
            if (
                known?.Contains(name) == true
                && value.Length > 0
                && !settings.ContainsKey(name)
                && !url.Query.Keys.Any(k => Fold(k) == Fold(name))
            )
                settings[name] = Normal(input, name, value);
        return settings;
    }

    // A key that was written to protect data must not be dropped with a warning.
    private static void NotUnderstood(Input input, string name, string scheme)
    {
        if (name.StartsWith("sse-", StringComparison.Ordinal))
            throw ConfigError.Text(
                $"{input.Field}.{name}: not available for replica type '{scheme}'",
                "remove it to write without this encryption",
                input.At(name)
            );
        var where = input.At(name) is { } place ? $"{place.File}:{place.Line}: " : "";
        input.Warn?.Invoke($"{where}{input.Field}.{name} is without effect: replica type '{scheme}' does not use it");
    }

    private static string Normal(Input input, string name, string value) =>
        ConfigSchema.Replica.Find(name)?.Kind switch
        {
            ConfigKind.Bytes => ConfigValues.Bytes($"{input.Field}.{name}", value).ToString(CultureInfo.InvariantCulture),
            ConfigKind.Bool => ConfigValues.Bool($"{input.Field}.{name}", value) ? "true" : "false",
            ConfigKind.Int or ConfigKind.PositiveInt => ConfigValues
                .Int($"{input.Field}.{name}", value)
                .ToString(CultureInfo.InvariantCulture),
            _ => value,
        };

    private static string Fold(string key) => key.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();

    private static LitestreamException Missing(Input input, string what, string scheme) =>
        ConfigError.Text($"{what} required for {scheme} replica", null, input.Place);

    private static LitestreamException UnknownKey(string field, string name)
    {
        var near = Nearest.Find(name, ConfigSchema.Replica.Names) is { } meant ? $" (did you mean '{meant}'?)" : "";
        return ConfigError.Text($"{field}: unknown key '{name}'{near}", "correct or remove it");
    }

    /// <summary>What is known of a replica, and where it stands.</summary>
    internal sealed record Input(string Field, IReadOnlyDictionary<string, string> Mapping, ObjectStoreFactory Stores)
    {
        public IReadOnlyDictionary<string, string>? Defaults { get; init; }

        public Action<string>? Warn { get; init; }

        public string? BaseDirectory { get; init; }

        /// <summary>Place of the replica; null without a file.</summary>
        public ConfigPlace? Place { get; init; }

        /// <summary>Places of the keys; null without a file.</summary>
        public IReadOnlyDictionary<string, ConfigPlace>? Places { get; init; }

        public string? Get(string key) => Mapping.TryGetValue(key, out var value) && value.Length > 0 ? value : null;

        public string? GetOrDefault(string key) =>
            Get(key) ?? (Defaults is not null && Defaults.TryGetValue(key, out var value) && value.Length > 0 ? value : null);

        public ConfigPlace? At(string key) => Places is not null && Places.TryGetValue(key, out var place) ? place : Place;
    }
}
