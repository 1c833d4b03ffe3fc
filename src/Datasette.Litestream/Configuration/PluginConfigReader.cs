using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Litestream;
using Litestream.Replicas;
using Litestream.Replication;

namespace Datasette.Litestream.Configuration;

/// <summary>
/// Reads the plugin's configuration: pure, values in, <see cref="LitestreamPluginConfig"/> out. Everything that can never work throws
/// <see cref="StartupException"/> with one message that says where and what; what is merely odd becomes a notice.
/// Each reading builds fresh objects, so reading twice gives the same (the original appended to its own input).
/// </summary>
internal sealed class PluginConfigReader
{
    private readonly PluginConfigInput _input;
    private readonly Redactor _redactor = new();
    private readonly List<string> _notices = [];
    private readonly NodeResolver _resolver;
    private readonly TopLevelBlock _top;

    private PluginConfigReader(PluginConfigInput input)
    {
        _input = input;
        _resolver = new NodeResolver(input, _redactor, _notices);
        _top = TopLevelBlock.Read(input, _resolver, _redactor, _notices);
    }

    /// <summary>Reads everything.</summary>
    /// <exception cref="StartupException">The configuration can never work.</exception>
    public static LitestreamPluginConfig Read(PluginConfigInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new PluginConfigReader(input).ReadAll();
    }

    private LitestreamPluginConfig ReadAll()
    {
        var (entries, skipped, shown) = (new List<ReplicatedEntry>(), new List<SkippedEntry>(), new JsonArray());
        foreach (var database in _input.Databases)
        {
            if (database.Path is null)
            {
                RefuseBlock(database, "is held in memory and cannot be replicated");
                continue;
            }
            if (!database.IsMutable)
            {
                RefuseBlock(database, "was opened immutable and cannot be replicated");
                skipped.Add(new SkippedEntry(database.Name, "immutable, not replicated"));
                continue;
            }
            if (database.Config is null && _top.AllReplicate is null)
            {
                skipped.Add(new SkippedEntry(database.Name, "not configured, not replicated"));
                continue;
            }
            var (entry, node) = ReadDatabase(database, database.Path);
            entries.Add(entry);
            shown.Add((JsonNode)node);
        }
        NoteUnknownDatabases();
        RefuseSharedDestinations(entries);
        return new LitestreamPluginConfig
        {
            IsConfigured = _top.IsPresent || entries.Count > 0,
            Databases = entries,
            Skipped = skipped,
            Credentials = _top.Changing,
            MetricsAddress = _top.MetricsAddress,
            Shown = _top.Show(shown),
            Notices = [.. _notices.Distinct()],
            Redactor = _redactor,
        };
    }

    private void RefuseBlock(AttachedDatabase database, string why)
    {
        if (database.Config is not null)
            throw ConfigPath
                .Of(database.Name)
                .Error(_input, $"database '{database.Name}' {why}; remove its {LitestreamPluginConfig.PluginName} block");
    }

    private (ReplicatedEntry Entry, JsonObject Shown) ReadDatabase(AttachedDatabase database, string path)
    {
        var block = DatabaseBlock.Read(database, _input, _resolver, _notices);
        var replicas = block.Replicas.Concat(Generated(database, path)).ToList();
        if (replicas.Count == 0)
        {
            if (database.Config is not null)
                throw ConfigPath
                    .Of(database.Name)
                    .Error(
                        _input,
                        $"database '{database.Name}' has a {LitestreamPluginConfig.PluginName} block but no replica; add 'replicas', or remove the block"
                    );
            _notices.Add($"{database.Name}: 'all-replicate' is empty, so there is no replica");
        }
        var options = replicas.Select(replica => ToOptions(replica, database)).ToList();
        RefuseSharedNames(options, database);

        var shown = new JsonObject { ["path"] = path };
        if (replicas.Count > 0)
            shown["replicas"] = new JsonArray([.. replicas.Select(replica => replica.Node.Shown?.DeepClone())]);
        foreach (var (key, node) in block.Others)
            shown[key] = node.Shown?.DeepClone();
        return (
            new ReplicatedEntry(
                database.Name,
                block.Apply(
                    new DatabaseOptions
                    {
                        Path = path,
                        Replicas = options,
                        RestoreIfMissing = _top.RestoreIfMissing,
                    }
                )
            ),
            shown
        );
    }

    private IEnumerable<ReplicaNode> Generated(AttachedDatabase database, string path)
    {
        var templates = _top.AllReplicate ?? [];
        KeyValuePair<string, string>[] variables =
        [
            new("DB_NAME", database.Name),
            new("DB_DIRECTORY", Path.GetDirectoryName(path) ?? "/"),
            new("PWD", _input.WorkingDirectory),
        ];
        for (var i = 0; i < templates.Count; i++)
        {
            var at = ConfigPath.TopLevel.Child("all-replicate").Item(i);
            var url = _resolver.ResolveTemplate(templates[i], at, variables);
            if (url.Real?.GetValueKind() != JsonValueKind.String || url.Real.GetValue<string>().Length == 0)
                throw at.Error(_input, $"{at.Describe()} must be a replica URL such as s3://bucket/$DB_NAME");
            var name = string.Create(CultureInfo.InvariantCulture, $"t{i}");
            yield return new ReplicaNode(
                new(new JsonObject { ["url"] = url.Real, ["name"] = name }, new JsonObject { ["url"] = url.Shown, ["name"] = name }),
                at
            );
        }
    }

    private ReplicaOptions ToOptions(ReplicaNode replica, AttachedDatabase database)
    {
        try
        {
            var options = ReplicaMapping.ToOptions(
                (JsonObject)replica.Node.Real!,
                _input.Stores,
                _top.Credentials,
                _input.WorkingDirectory,
                warning => _notices.Add(_redactor.Text($"database '{database.Name}', {replica.At.Describe()}: {warning}"))
            );
            RefuseUnusable(options);
            return options;
        }
        catch (LitestreamException e)
        {
            var hint = e.Hint is null ? "" : $" ({e.Hint})";
            throw replica.At.Error(_input, _redactor.Text($"database '{database.Name}', {replica.At.Describe()}: {e.Message}{hint}"));
        }
    }

    /// <summary>Opening a store touches no network; it only finds what can never work.</summary>
    private void RefuseUnusable(ReplicaOptions options)
    {
        if (_input.Stores.Find(options.Url.Scheme) is { } backend)
            _ = backend.Open(options).DisposeAsync().AsTask();
    }

    private void RefuseSharedNames(List<ReplicaOptions> replicas, AttachedDatabase database)
    {
        var twice = replicas
            .Where(replica => replica.Name is not null)
            .GroupBy(replica => replica.Name!, StringComparer.Ordinal)
            .FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
            throw ConfigPath
                .Of(database.Name)
                .Error(
                    _input,
                    $"database '{database.Name}' has two replicas named '{twice.Key}' (those of 'all-replicate' are called t0, t1, ...)"
                );
    }

    /// <summary>Two writers at one destination would overwrite each other's files without a word.</summary>
    private void RefuseSharedDestinations(List<ReplicatedEntry> entries)
    {
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in entries)
        foreach (var replica in entry.Options.Replicas)
        {
            var place = ReplicaMapping.Destination(replica.Url);
            if (owners.TryAdd(place, entry.Name))
                continue;
            var other = owners[place];
            var at = ConfigPath.TopLevel.Child("all-replicate");
            var who = other == entry.Name ? $"two replicas of database '{other}'" : $"databases '{other}' and '{entry.Name}'";
            throw at.Error(_input, _redactor.Text($"{who} would be written to the same place {replica.Url}; put $DB_NAME into the URL"));
        }
    }

    private void NoteUnknownDatabases()
    {
        foreach (var name in _input.ConfiguredNames.Except(_input.Databases.Select(database => database.Name)))
            _notices.Add(
                $"{ConfigPath.Of(name).Place(_input.Locate)}{name}: configured for replication, but no database of this name is attached; there are: "
                    + (_input.Databases.Count == 0 ? "none" : string.Join(", ", _input.Databases.Select(database => database.Name)))
            );
    }
}
