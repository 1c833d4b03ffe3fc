namespace Datasette.Plugins;

/// <summary>Which of the plugins that a program was built with take part, by the environment variable <c>DATASETTE_LOAD_PLUGINS</c>.</summary>
internal static class PluginLoader
{
    public const string Variable = "DATASETTE_LOAD_PLUGINS";

    /// <summary>Not set: all. Set: those named, separated by commas, in that order; set and empty: none.</summary>
    public static IReadOnlyList<DatasettePlugin> Select(IReadOnlyList<DatasettePlugin> available, string? variable)
    {
        if (variable is null)
        {
            return available;
        }
        var chosen = new List<DatasettePlugin>();
        foreach (var name in variable.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            chosen.Add(
                available.FirstOrDefault(plugin => plugin.Name == name)
                    ?? throw new StartupException(
                        $"{Variable} names the plugin '{name}', which is not part of this program. Available: {string.Join(", ", available.Select(plugin => plugin.Name))}."
                    )
            );
        }
        return chosen;
    }
}
