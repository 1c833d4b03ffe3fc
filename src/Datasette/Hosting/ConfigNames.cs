using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Text;

namespace Datasette.Hosting;

/// <summary>Permissions and plugins that the configuration names and that are not there. Known only when all plugins are.</summary>
internal static class ConfigNames
{
    /// <summary>A warning for each; a rule for a permission that nothing asks for protects nothing.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="actions">The permissions there are.</param>
    /// <param name="plugins">The plugins there are.</param>
    public static IEnumerable<string> Unknown(
        DatasetteConfig config,
        IReadOnlyCollection<string> actions,
        IReadOnlyCollection<string> plugins
    )
    {
        var told = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (path, block) in Blocks(config.Root))
        {
            foreach (var (action, _) in block["permissions"] as JsonObject ?? [])
            {
                if (!actions.Contains(action))
                {
                    yield return $"{Place([.. path, "permissions", action])}there is no permission '{action}', so this rule has no effect.{Meant(action, actions)}";
                }
            }
            foreach (var (plugin, _) in block["plugins"] as JsonObject ?? [])
            {
                if (!plugins.Contains(plugin) && told.Add(plugin))
                {
                    yield return $"{Place([.. path, "plugins", plugin])}no plugin is called '{plugin}' here, so its configuration has no effect.{Meant(plugin, plugins)}";
                }
            }
        }

        string Place(string[] path) => config.Locate(path) is { } position ? $"{position}: " : "";
    }

    private static string Meant(string name, IEnumerable<string> names) =>
        NearestName.Of(name, names) is { } near ? $" Did you mean '{near}'?" : "";

    private static IEnumerable<(string[] Path, JsonObject Block)> Blocks(JsonObject root)
    {
        yield return ([], root);
        foreach (var (database, node) in root["databases"] as JsonObject ?? [])
        {
            if (node is not JsonObject block)
            {
                continue;
            }
            yield return (["databases", database], block);
            foreach (var kind in new[] { "tables", "queries" })
            {
                foreach (var (name, inner) in block[kind] as JsonObject ?? [])
                {
                    if (inner is JsonObject child)
                    {
                        yield return (["databases", database, kind, name], child);
                    }
                }
            }
        }
    }
}
