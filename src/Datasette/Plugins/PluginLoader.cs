namespace Datasette.Plugins;

/// <summary>
/// Which plugins take part: of those that a program was built with, what the environment variable <c>DATASETTE_LOAD_PLUGINS</c> says; then
/// all of <c>--plugins-dir</c>.
/// </summary>
internal static class PluginLoader
{
    public const string Variable = "DATASETTE_LOAD_PLUGINS";

    /// <summary>The chosen ones of those built in, then those of the folder.</summary>
    /// <param name="available">Those built in.</param>
    /// <param name="variable">The value of the environment variable; null when it is not set.</param>
    /// <param name="folder">The folder of <c>--plugins-dir</c>; null for none.</param>
    /// <exception cref="StartupException">A plugin cannot be found, loaded, or told apart from another one.</exception>
    public static IReadOnlyList<DatasettePlugin> All(IReadOnlyList<DatasettePlugin> available, string? variable, string? folder)
    {
        IReadOnlyList<DatasettePlugin> all = [.. Select(available, variable), .. folder is null ? [] : PluginFolder.Load(folder)];
        var names = new Dictionary<string, DatasettePlugin>(StringComparer.Ordinal);
        foreach (var plugin in all)
        {
            var name = NameOf(plugin);
            if (!names.TryAdd(name, plugin))
            {
                throw new StartupException(
                    $"Two plugins are called '{name}': that of {Place(names[name])} and that of {Place(plugin)}. Leave one of them out."
                );
            }
        }
        return all;
    }

    private static string NameOf(DatasettePlugin plugin)
    {
        string? name;
        try
        {
            name = plugin.Name;
        }
        catch (Exception e)
        {
            throw new StartupException($"The Name of the plugin {plugin.GetType().FullName} of {Place(plugin)} failed: {e.Message}", 1, e);
        }
        return string.IsNullOrWhiteSpace(name)
            ? throw new StartupException(
                $"The plugin {plugin.GetType().FullName} of {Place(plugin)} has no name. Its property Name must return one, such as 'hello'."
            )
            : name;
    }

    private static string Place(DatasettePlugin plugin) => plugin.Origin ?? "this program";

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
