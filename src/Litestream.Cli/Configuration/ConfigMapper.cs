using Litestream.Replicas;
using Litestream.Replication;

namespace Litestream.Cli.Configuration;

/// <summary>Turns a checked file into settings. Types are right already; what remains is what keys mean together.</summary>
internal sealed class ConfigMapper(string file, ObjectStoreFactory stores, List<string> warnings)
{
    private static readonly HashSet<string> s_defaults = ConfigSchema
        .Top.Names.Where(n => ConfigSchema.Replica.Find(n) is { Effect: ConfigEffect.Now } && n is not ("age" or "retention"))
        .ToHashSet(StringComparer.Ordinal);

    private IReadOnlyDictionary<string, string> _defaults = new Dictionary<string, string>();
    private KeepingConfig _keeping = null!;

    public LitestreamConfig Map(ConfigMapping root)
    {
        _defaults = root
            .Entries.Where(e => s_defaults.Contains(e.Key))
            .ToDictionary(e => e.Key, e => Text(e.Value), StringComparer.Ordinal);
        RefuseEncryption(root);
        CheckHeartbeat(root);
        CheckLevels(root);
        CheckSnapshots(root);
        _keeping = new KeepingConfig(root, warnings);
        var databases = Databases(root);
        CheckDistinct(databases);
        var timeout = GetDuration(root, "shutdown-sync-timeout");
        var interval = GetDuration(root, "shutdown-sync-interval");
        var defaults = new LitestreamOptions();
        return new LitestreamConfig(
            file,
            new LitestreamOptions
            {
                Databases = [.. databases.Select(d => d.Configured.Options)],
                ShutdownSyncTimeout = timeout ?? defaults.ShutdownSyncTimeout,
                ShutdownSyncInterval = interval ?? defaults.ShutdownSyncInterval,
            },
            [.. databases.Select(d => d.Configured)]
        )
        {
            MetricsAddress = Get(root, "addr"),
            Exec = Get(root, "exec"),
            Logging = Logging(root),
            Warnings = warnings,
        };
    }

    private List<Mapped> Databases(ConfigMapping root)
    {
        var databases = new List<Mapped>();
        if (root.Find("dbs")?.Value is not ConfigSequence list)
            return databases;
        for (var i = 0; i < list.Items.Count; i++)
            if (Database((ConfigMapping)list.Items[i], i) is { } database)
                databases.Add(database);
        return databases;
    }

    // Null for an entry with `dir`: it is checked, and a warning was given.
    private Mapped? Database(ConfigMapping db, int index)
    {
        var field = $"dbs[{index}]";
        CheckPathOrDir(db, index);
        var replicas = Replicas(db, field).Select(r => _keeping.Apply(r, db)).ToList();
        if (db.Find("dir") is not null)
            return null;
        var defaults = new DatabaseOptions { Path = ConfigPaths.Absolute(Get(db, "path")!) };
        var options = defaults with
        {
            MetaPath = Get(db, "meta-path") is { } meta ? ConfigPaths.Absolute(meta) : null,
            Replicas = [.. replicas],
            MonitorInterval = GetDuration(db, "monitor-interval"),
            CheckpointInterval = GetDuration(db, "checkpoint-interval") ?? defaults.CheckpointInterval,
            BusyTimeout = GetDuration(db, "busy-timeout") ?? defaults.BusyTimeout,
            MinCheckpointPageCount = GetCount(db, field, "min-checkpoint-page-count"),
            MaxCheckpointPageCount = GetCount(db, field, "max-checkpoint-page-count"),
            TruncatePageN = GetCount(db, field, "truncate-page-n"),
            MaxSyncWalBytes = GetBytes(db, "max-sync-wal-bytes") ?? defaults.MaxSyncWalBytes,
            MaxLocalBytes = GetBytes(db, "max-local-bytes") ?? defaults.MaxLocalBytes,
            LegacyPageFrames = GetBool(db, "legacy-page-frames"),
        };
        return new Mapped(field, db.Place, new ConfiguredDatabase(options, GetBool(db, "restore-if-db-not-exists")));
    }

    private static int? GetCount(ConfigMapping db, string field, string key) =>
        Get(db, key) is { } text ? (int)Math.Clamp(ConfigValues.Int($"{field}.{key}", text), int.MinValue, int.MaxValue) : null;

    private static void CheckPathOrDir(ConfigMapping db, int index)
    {
        var number = $"database config #{index + 1}";
        var dir = db.Find("dir");
        switch (db.Find("path"), dir)
        {
            case (not null, not null):
                throw ConfigError.Text($"{number}: cannot specify both 'path' and 'dir'", null);
            // An empty text, for instance of a variable that is not set, is none.
            case (null, null):
            case (not null, null) when Get(db, "path") is null:
                throw ConfigError.Text($"{number}: must specify 'path' or 'dir'", "path: /path/to/db", db.Place);
            case (_, not null) when db.Find("pattern") is null:
                throw ConfigError.Text($"{number}: 'dir' needs 'pattern'", "pattern: \"*.db\"", db.Place);
        }
        foreach (var key in new[] { "pattern", "recursive", "watch", "meta-dir" })
            if (dir is null && db.Find(key) is { } entry)
                throw ConfigError.Text($"{number}: '{key}' can only be used with 'dir'", $"remove '{key}'", entry.KeyPlace);
        if (db.Find("meta-path") is not null && db.Find("meta-dir") is { } both)
            throw ConfigError.Text($"{number}: cannot specify both 'meta-path' and 'meta-dir'", null, both.KeyPlace);
    }

    private List<ReplicaOptions> Replicas(ConfigMapping db, string field)
    {
        var single = db.Find("replica");
        var several = db.Find("replicas");
        if (single is not null && several is not null)
            throw ConfigError.Text($"{field}: cannot specify both 'replica' and 'replicas'", "move all into 'replicas'", several.KeyPlace);
        var replicas = new List<ReplicaOptions>();
        if (single is not null)
            replicas.Add(Replica(single.Value, $"{field}.replica"));
        if (several?.Value is ConfigSequence list)
            for (var i = 0; i < list.Items.Count; i++)
                replicas.Add(Replica(list.Items[i], $"{field}.replicas[{i}]"));
        if (replicas.Count == 0)
            throw ConfigError.Text(
                $"{field}: must specify a replica for {Get(db, "path") ?? Get(db, "dir")}",
                "replica: { url: s3://bucket/prefix }",
                db.Place
            );
        foreach (var (name, count) in replicas.Where(r => r.Name is not null).CountBy(r => r.Name!))
            if (count > 1)
                throw ConfigError.Field(
                    $"{field}.replicas",
                    "two replicas have the same name",
                    name,
                    "give each its own 'name'",
                    several?.KeyPlace
                );
        return replicas;
    }

    private ReplicaOptions Replica(ConfigNode node, string field)
    {
        var keys = node is ConfigMapping mapping ? mapping.Entries : [Short((ConfigScalar)node)];
        return ReplicaConfig.Read(
            new ReplicaConfig.Input(field, keys.ToDictionary(e => e.Key, e => Text(e.Value), StringComparer.Ordinal), stores)
            {
                Defaults = _defaults,
                Warn = warnings.Add,
                Place = node.Place,
                Places = keys.ToDictionary(e => e.Key, e => e.KeyPlace, StringComparer.Ordinal),
            }
        );
    }

    private static ConfigEntry Short(ConfigScalar text) => new(ReplicaUrl.IsUrl(text.Value) ? "url" : "path", text.Place, text);

    private static void RefuseEncryption(ConfigMapping root)
    {
        if (root.Find("age") is { } age && Text(age.Value).Length > 0)
            throw ConfigError.Text(
                "age: encryption is not available, and nothing is written unencrypted instead",
                "remove 'age' to write unencrypted",
                age.KeyPlace
            );
    }

    private static void CheckHeartbeat(ConfigMapping root)
    {
        if (
            root.Find("heartbeat-interval") is { Value: ConfigScalar { Value: var text } } entry
            && GetDuration(root, "heartbeat-interval") < TimeSpan.FromMinutes(1)
        )
            throw ConfigError.Field("heartbeat-interval", "must be 1m or more", text, null, entry.KeyPlace);
    }

    private static void CheckLevels(ConfigMapping root)
    {
        if (root.Find("levels")?.Value is not ConfigSequence levels)
            return;
        if (levels.Items.Count > 8)
            throw ConfigError.Field("levels", "must be 8 or fewer", levels.Items.Count.ToString(), null, levels.Place);
        for (var i = 0; i < levels.Items.Count; i++)
            if (((ConfigMapping)levels.Items[i]).Find("interval") is null)
                throw ConfigError.Field(
                    $"levels[{i}].interval",
                    "must be greater than 0",
                    "nothing",
                    "interval: 30s",
                    levels.Items[i].Place
                );
    }

    // One schedule serves all databases: two databases cannot ask for different ones, unless the top of the file decides.
    private static void CheckSnapshots(ConfigMapping root)
    {
        if (root.Find("dbs")?.Value is not ConfigSequence dbs)
            return;
        foreach (var key in new[] { "interval", "retention" })
        {
            if (root.Find("snapshot")?.Value is ConfigMapping top && top.Find(key) is not null)
                continue;
            string? first = null;
            for (var i = 0; i < dbs.Items.Count; i++)
            {
                if (
                    ((ConfigMapping)dbs.Items[i]).Find("snapshot")?.Value is not ConfigMapping snapshot
                    || Get(snapshot, key) is not { } text
                )
                    continue;
                first ??= text;
                if (ConfigValues.Duration(key, text) != ConfigValues.Duration(key, first))
                    throw ConfigError.Field(
                        $"dbs[{i}].snapshot.{key}",
                        $"differs from another database ({first})",
                        text,
                        "set it once at the top",
                        snapshot.Place
                    );
            }
        }
    }

    private static void CheckDistinct(List<Mapped> databases)
    {
        var paths = new Dictionary<string, Mapped>(StringComparer.Ordinal);
        var metas = new Dictionary<string, Mapped>(StringComparer.Ordinal);
        var places = new Dictionary<string, Mapped>(StringComparer.Ordinal);
        foreach (var database in databases)
        {
            var options = database.Configured.Options;
            if (!paths.TryAdd(options.Path, database))
                throw ConfigError.Field(
                    $"{database.Field}.path",
                    $"stands also in {paths[options.Path].Field}",
                    options.Path,
                    "one entry with both as 'replicas'",
                    database.Place
                );
            var meta = ConfigPaths.MetaPath(options.Path, options.MetaPath);
            if (!metas.TryAdd(meta, database))
                throw ConfigError.Field(
                    $"{database.Field}.meta-path",
                    $"is also used by {metas[meta].Field}",
                    meta,
                    "another 'meta-path'",
                    database.Place
                );
            foreach (var replica in options.Replicas)
                if (!places.TryAdd(Place(replica), database))
                    throw ConfigError.Field(
                        $"{database.Field}.replica",
                        "two replicas write to the same place and would destroy one another",
                        replica.Url.ToString(),
                        "another path for each",
                        database.Place
                    );
        }
    }

    // The same text for the same place, however it is written.
    private static string Place(ReplicaOptions replica)
    {
        var url = replica.Url;
        var endpoint = replica.Settings.GetValueOrDefault("endpoint") ?? url.Query.GetValueOrDefault("endpoint");
        return $"{url.Scheme}|{url.User}|{url.Host ?? url.Bucket}|{url.Path}|{endpoint}";
    }

    private static LogSettings Logging(ConfigMapping root)
    {
        if (root.Find("logging")?.Value is not ConfigMapping logging)
            return new LogSettings();
        return new LogSettings(
            LogSettings.ParseLevel("logging.level", Get(logging, "level") ?? ""),
            LogSettings.ParseType("logging.type", Get(logging, "type") ?? ""),
            GetBool(logging, "stderr")
        );
    }

    private static string? Get(ConfigMapping group, string key) => ConfigReading.Get(group, key);

    private static TimeSpan? GetDuration(ConfigMapping group, string key) => ConfigReading.GetDuration(group, key);

    private static long? GetBytes(ConfigMapping group, string key) => Get(group, key) is { } text ? ConfigValues.Bytes(key, text) : null;

    private static bool GetBool(ConfigMapping group, string key) => ConfigReading.GetBool(group, key);

    // Lists are joined by commas; a group counts as what its values say.
    private static string Text(ConfigNode node) =>
        node switch
        {
            ConfigScalar { IsNull: false } scalar => scalar.Value,
            ConfigSequence list => string.Join(",", list.Items.Select(Text)),
            ConfigMapping group => string.Join(",", group.Entries.Select(e => Text(e.Value)).Where(t => t.Length > 0)),
            _ => "",
        };

    private sealed record Mapped(string Field, ConfigPlace Place, ConfiguredDatabase Configured);
}
