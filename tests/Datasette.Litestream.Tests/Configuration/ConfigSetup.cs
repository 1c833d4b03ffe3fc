using System.Text.Json.Nodes;
using Datasette.Litestream.Configuration;
using Litestream.Replicas;
using Litestream.S3;

namespace Datasette.Litestream.Tests.Configuration;

/// <summary>Reads a configuration as a test writes it: JSON text, databases by name, an environment.</summary>
internal sealed class ConfigSetup
{
    private readonly List<AttachedDatabase> _databases = [];

    public Dictionary<string, string> Environment { get; } = [];

    public Dictionary<string, string> Files { get; } = [];

    public string WorkingDirectory { get; init; } = "/work dir";

    public string? TopLevel { get; init; }

    public Func<IReadOnlyList<string>, string?> Locate { get; init; } = _ => null;

    public ConfigSetup Database(string name, string? config = null, string? path = null, bool mutable = true)
    {
        _databases.Add(new AttachedDatabase(name, path ?? $"/data/{name}.db", mutable, config is null ? null : JsonNode.Parse(config)));
        return this;
    }

    public ConfigSetup Memory(string name = "_memory", string? config = null)
    {
        _databases.Add(new AttachedDatabase(name, null, true, config is null ? null : JsonNode.Parse(config)));
        return this;
    }

    public LitestreamPluginConfig Read() => PluginConfigReader.Read(Input());

    public PluginConfigInput Input() =>
        new()
        {
            TopLevel = TopLevel is null ? null : JsonNode.Parse(TopLevel),
            Databases = _databases,
            ConfiguredNames = [.. _databases.Where(database => database.Config is not null).Select(database => database.Name)],
            Stores = new ObjectStoreFactory(S3ObjectStore.Backend),
            Environment = name => Environment.GetValueOrDefault(name),
            ReadFile = path => Files.GetValueOrDefault(path) ?? throw new FileNotFoundException($"no file {path}"),
            WorkingDirectory = WorkingDirectory,
            Locate = Locate,
        };

    /// <summary>The one message that stops the start.</summary>
    public string Refusal() => Assert.Throws<StartupException>(Read).Message;

    public static void ShownIs(string expected, LitestreamPluginConfig config)
    {
        var wanted = JsonNode.Parse(expected);
        Assert.True(
            JsonNode.DeepEquals(wanted, config.Shown),
            $"expected {wanted?.ToJsonString()}\n     got {config.Shown.ToJsonString()}"
        );
    }
}
