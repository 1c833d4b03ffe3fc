using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Litestream.Cli;
using Litestream.Replication;

namespace Datasette.Litestream.Configuration;

/// <summary>The block <c>databases: NAME: plugins: datasette-litestream</c>, checked. Immutable.</summary>
internal sealed class DatabaseBlock
{
    private readonly List<KeyValuePair<string, ResolvedNode>> _others = [];
    private TimeSpan? _monitorInterval;
    private TimeSpan? _checkpointInterval;
    private int? _minCheckpointPages;
    private int? _maxCheckpointPages;
    private bool? _restoreIfMissing;

    private DatabaseBlock() { }

    /// <summary>The explicit replicas, in order.</summary>
    public List<ReplicaNode> Replicas { get; } = [];

    /// <summary>All other keys, in order, for the resolved configuration.</summary>
    public IReadOnlyList<KeyValuePair<string, ResolvedNode>> Others => _others;

    /// <summary>Reads the block of a database; an absent one is an empty one.</summary>
    public static DatabaseBlock Read(AttachedDatabase database, PluginConfigInput input, NodeResolver resolver, List<string> notices)
    {
        var at = ConfigPath.Of(database.Name);
        var block = new DatabaseBlock();
        if (database.Config is null)
            return block;
        if (database.Config is not JsonObject mapping)
            throw at.Error(input, $"{at.Describe()} must be a mapping of keys");
        foreach (var (key, value) in mapping)
        {
            if (!KnownKeys.Database.Contains(key))
                throw at.Child(key).Error(input, Unknown(key, database.Name));
            var node = resolver.Resolve(value, at.Child(key));
            if (key == "replicas")
                block.ReadReplicas(node, at.Child(key), input);
            else
                block.ReadSetting(key, node, at.Child(key), input, notices);
        }
        return block;
    }

    /// <summary>Puts the settings of this block into the engine's options.</summary>
    public DatabaseOptions Apply(DatabaseOptions options) =>
        options with
        {
            MonitorInterval = _monitorInterval ?? options.MonitorInterval,
            CheckpointInterval = _checkpointInterval ?? options.CheckpointInterval,
            MinCheckpointPageCount = _minCheckpointPages ?? options.MinCheckpointPageCount,
            MaxCheckpointPageCount = _maxCheckpointPages ?? options.MaxCheckpointPageCount,
            RestoreIfMissing = _restoreIfMissing ?? options.RestoreIfMissing,
        };

    private static string Unknown(string key, string database) =>
        key == "path"
            ? $"'path' cannot be set for database '{database}': its file is the one that the host serves"
            : $"unknown key '{key}' for database '{database}'{KnownKeys.Advice(key, KnownKeys.Database)}";

    private void ReadReplicas(ResolvedNode node, ConfigPath at, PluginConfigInput input)
    {
        if (node.Real is null)
            return;
        if (node.Real is not JsonArray real || node.Shown is not JsonArray shown)
            throw at.Error(input, $"{at.Describe()} must be a list of replicas");
        for (var i = 0; i < real.Count; i++)
        {
            var item = at.Item(i);
            ResolvedNode replica = real[i] switch
            {
                JsonObject mapping => new(mapping, shown[i]),
                JsonNode text when text.GetValueKind() == JsonValueKind.String => new(
                    new JsonObject { ["url"] = text.DeepClone() },
                    new JsonObject { ["url"] = shown[i]?.DeepClone() }
                ),
                _ => throw item.Error(input, $"{item.Describe()} must be a URL or a mapping with 'url' or 'path'"),
            };
            Replicas.Add(new ReplicaNode(replica, item));
        }
    }

    private void ReadSetting(string key, ResolvedNode node, ConfigPath at, PluginConfigInput input, List<string> notices)
    {
        switch (key)
        {
            case "monitor-interval":
                _monitorInterval = ReadDuration(node.Real, at, input, zeroMeans: null);
                break;
            case "checkpoint-interval":
                _checkpointInterval = ReadDuration(node.Real, at, input, zeroMeans: "never by time");
                break;
            case "min-checkpoint-page-count":
                _minCheckpointPages = ReadCount(node.Real, at, input);
                break;
            case "max-checkpoint-page-count":
                _maxCheckpointPages = ReadCount(node.Real, at, input);
                notices.Add(
                    $"{at.Describe()} was the threshold of Litestream 0.3 for RESTART checkpoints, which this engine does not need: it is read as one more upper limit for min-checkpoint-page-count"
                );
                break;
            case "restore-if-missing":
                _restoreIfMissing = ReadSwitch(node.Real, at, input);
                break;
            default:
                throw new InvalidOperationException($"the known key '{key}' has no reader");
        }
        _others.Add(new(key, node));
    }

    /// <summary>True or false; null when nothing is there.</summary>
    public static bool? ReadSwitch(JsonNode? node, ConfigPath at, PluginConfigInput input) =>
        node?.GetValueKind() switch
        {
            null => null,
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw at.Error(input, $"{at.Describe()} must be true or false, not {node.ToJsonString()}"),
        };

    private static TimeSpan? ReadDuration(JsonNode? node, ConfigPath at, PluginConfigInput input, string? zeroMeans)
    {
        if (node is null)
            return null;
        if (node.GetValueKind() == JsonValueKind.Number)
            throw at.Error(input, $"{at.Describe()} needs a unit, such as '{node.ToJsonString()}s'");
        if (node.GetValueKind() != JsonValueKind.String || !GoDuration.TryParse(node.GetValue<string>(), out var value))
            throw at.Error(input, $"{at.Describe()} must be a duration such as '10s', '1m30s' or '500ms', not {node.ToJsonString()}");
        if (value < TimeSpan.Zero || (value == TimeSpan.Zero && zeroMeans is null))
            throw at.Error(input, $"{at.Describe()} must be longer than nothing");
        return value;
    }

    private static int? ReadCount(JsonNode? node, ConfigPath at, PluginConfigInput input)
    {
        if (node is null)
            return null;
        if (int.TryParse(node.ToJsonString(), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
            return count;
        throw at.Error(input, $"{at.Describe()} must be a whole number of pages, 1 or more, not {node.ToJsonString()}");
    }
}
