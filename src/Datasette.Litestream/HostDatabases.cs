using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Litestream.Configuration;
using Datasette.Plugins;
using Litestream.Replicas;

namespace Datasette.Litestream;

/// <summary>Reads from the host what the plugin's configuration depends on.</summary>
internal static class HostDatabases
{
    /// <summary>Reads the configuration as it is now.</summary>
    /// <param name="datasette">The host.</param>
    /// <param name="stores">The backends that are known.</param>
    /// <param name="without">Names of databases to leave out; null for none.</param>
    /// <exception cref="StartupException">It can never work.</exception>
    public static LitestreamPluginConfig ReadConfig(IDatasette datasette, ObjectStoreFactory stores, IReadOnlySet<string>? without = null)
    {
        var blocks = Blocks(datasette);
        return Read(
            datasette,
            stores,
            [
                .. datasette
                    .Databases.Where(database => without?.Contains(database.Name) != true)
                    .Select(database => Attached(database, blocks?[database.Name])),
            ],
            blocks is null ? [] : [.. blocks.Where(pair => Block(pair.Value) is not null).Select(pair => pair.Key)]
        );
    }

    /// <summary>Reads what the configuration says of one database that is not attached yet.</summary>
    /// <exception cref="StartupException">It can never work.</exception>
    public static LitestreamPluginConfig ReadConfigOf(IDatasette datasette, ObjectStoreFactory stores, string name, string path) =>
        Read(datasette, stores, [new AttachedDatabase(name, RealPath.Of(path), true, Block(Blocks(datasette)?[name]))], []);

    private static LitestreamPluginConfig Read(
        IDatasette datasette,
        ObjectStoreFactory stores,
        IReadOnlyList<AttachedDatabase> databases,
        IReadOnlyList<string> configured
    ) =>
        PluginConfigReader.Read(
            new PluginConfigInput
            {
                TopLevel = Block(datasette.Config.Root),
                Databases = databases,
                ConfiguredNames = configured,
                Stores = stores,
                Environment = Environment.GetEnvironmentVariable,
                ReadFile = path =>
                    File.Exists(path) && datasette.Databases.MayBeLive(path)
                        ? throw new IOException($"{path} is a database, which nobody but SQLite may open")
                        : File.ReadAllText(path),
                WorkingDirectory = Environment.CurrentDirectory,
                Locate = Locate(datasette),
            }
        );

    private static JsonObject? Blocks(IDatasette datasette) => datasette.Config.Root["databases"] as JsonObject;

    /// <summary>Finds the place of a key in the host's configuration files.</summary>
    public static Func<IReadOnlyList<string>, string?> Locate(IDatasette datasette) =>
        keys => datasette.Config.Locate([.. keys])?.ToString();

    private static JsonNode? Block(JsonNode? level) =>
        ((level as JsonObject)?["plugins"] as JsonObject)?[LitestreamPluginConfig.PluginName];

    private static AttachedDatabase Attached(Database database, JsonNode? level) =>
        new(
            database.Name,
            database.IsMemory || database.Path is null ? null : RealPath.Of(database.Path),
            database.IsMutable,
            Block(level)
        );
}
