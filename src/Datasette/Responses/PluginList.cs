using Datasette.Plugins;

namespace Datasette.Responses;

/// <summary>The list of plugins as <c>/-/plugins</c> and <c>datasette plugins</c> show it.</summary>
internal static class PluginList
{
    /// <summary>Plugins of this name prefix are parts of the host and only listed on wish.</summary>
    public const string BuiltInPrefix = "datasette.";

    public static bool IsBuiltIn(DatasettePlugin plugin) => plugin.Name.StartsWith(BuiltInPrefix, StringComparison.Ordinal);

    public static List<object> Of(IEnumerable<DatasettePlugin> plugins, bool all) =>
        plugins
            .Where(plugin => all || !IsBuiltIn(plugin))
            .OrderBy(plugin => plugin.Name, StringComparer.Ordinal)
            .Select(plugin =>
                (object)
                    new JsonMap
                    {
                        { "name", plugin.Name },
                        { "static", HookNames.HasStatic(plugin) },
                        { "templates", plugin.HasTemplates },
                        { "version", plugin.Version },
                        {
                            "hooks",
                            HookNames.OverriddenBy(plugin).Select(HookNames.Published).Order(StringComparer.Ordinal).ToList<object?>()
                        },
                    }
            )
            .ToList();
}
