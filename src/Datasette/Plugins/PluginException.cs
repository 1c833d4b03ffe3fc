namespace Datasette.Plugins;

/// <summary>A plugin failed in a way it did not mean to. The message is for visitors; <see cref="Details"/> is for whoever runs the host.</summary>
internal sealed class PluginException(DatasettePlugin plugin, string method, Exception cause)
    : Exception($"The plugin '{plugin.Name}' failed in its hook {HookNames.Published(method)}: {cause.Message}", cause)
{
    /// <summary>The same with the plugin's file and what can be done.</summary>
    public string Details { get; } =
        $"The plugin '{plugin.Name}'{(plugin.Origin is { } file ? $" ({file})" : "")} failed in its hook {HookNames.Published(method)} "
        + $"({method}): {cause.GetType().Name}: {cause.Message} To run without it, "
        + (
            plugin.Origin is null
                ? $"leave its name out of {PluginLoader.Variable} (a list of names, separated by commas)."
                : "take its file out of the folder of plugins."
        );

    /// <summary>Whether a failure is a mistake of the plugin, not an answer that it chose.</summary>
    public static bool IsMistake(Exception e) =>
        e is not (DatasetteException or StartupException or PluginException or OperationCanceledException);
}
