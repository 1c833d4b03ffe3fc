namespace Datasette.Plugins;

/// <summary>Calls a hook; a mistake in it is told with the names of plugin and hook.</summary>
internal static class HookCall
{
    /// <exception cref="PluginException">The plugin failed.</exception>
    public static async ValueTask<T> RunAsync<T>(DatasettePlugin plugin, string method, Func<DatasettePlugin, ValueTask<T>> hook)
    {
        try
        {
            return await hook(plugin);
        }
        catch (Exception e) when (PluginException.IsMistake(e))
        {
            throw new PluginException(plugin, method, e);
        }
    }

    public static T Run<T>(DatasettePlugin plugin, string method, Func<DatasettePlugin, T> hook)
    {
        try
        {
            return hook(plugin);
        }
        catch (Exception e) when (PluginException.IsMistake(e))
        {
            throw new PluginException(plugin, method, e);
        }
    }

    public static async ValueTask RunAsync(DatasettePlugin plugin, string method, Func<DatasettePlugin, ValueTask> hook)
    {
        try
        {
            await hook(plugin);
        }
        catch (Exception e) when (PluginException.IsMistake(e))
        {
            throw new PluginException(plugin, method, e);
        }
    }
}
