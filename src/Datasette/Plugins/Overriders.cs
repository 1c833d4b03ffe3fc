namespace Datasette.Plugins;

/// <summary>Which plugins override a hook; found out once.</summary>
internal sealed class Overriders(IReadOnlyList<DatasettePlugin> plugins)
{
    private readonly IReadOnlyList<(DatasettePlugin Plugin, IReadOnlySet<string> Hooks)> all =
    [
        .. plugins.Select(plugin => (plugin, HookNames.OverriddenBy(plugin))),
    ];

    /// <summary>Those that override a hook, in order.</summary>
    /// <param name="method">The hook's method name.</param>
    public DatasettePlugin[] Of(string method) => [.. all.Where(one => one.Hooks.Contains(method)).Select(one => one.Plugin)];
}
