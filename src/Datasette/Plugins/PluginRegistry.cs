using Datasette.Tables;

namespace Datasette.Plugins;

/// <summary>What the plugins registered, asked for once when all have started. Immutable.</summary>
internal sealed class PluginRegistry
{
    private static readonly string[] OwnFormats = ["json", "csv", "blob", "db"];
    private static readonly string[] OwnFacets = ["", "array", "date", "size"];
    private static readonly string[] OwnMagic = ["actor", "cookie", "header", "now", "random"];

    /// <summary>Events that the host itself reports.</summary>
    private static readonly EventKind[] OwnEvents =
    [
        new("login", "Someone signed in"),
        new("logout", "Someone signed out"),
        new("create-token", "An API token was made"),
        new("create-table", "A table was made"),
        new("drop-table", "A table was dropped"),
        new("alter-table", "A table was changed"),
        new("rename-table", "A table got another name"),
        new("insert-rows", "Rows were inserted"),
        new("upsert-rows", "Rows were inserted or updated"),
        new("update-row", "A row was updated"),
        new("delete-row", "A row was deleted"),
    ];

    public static PluginRegistry Empty { get; } = new();

    /// <summary>Formats by extension.</summary>
    public IReadOnlyDictionary<string, OutputRenderer> Renderers { get; private init; } = new Dictionary<string, OutputRenderer>();

    /// <summary>Facets beside the host's own.</summary>
    public IReadOnlyList<CustomFacet> Facets { get; private init; } = [];

    /// <summary>Magic parameters by prefix.</summary>
    public IReadOnlyDictionary<string, MagicParameter> Magic { get; private init; } = new Dictionary<string, MagicParameter>();

    /// <summary>Filters for Liquid templates.</summary>
    public IReadOnlyList<LiquidFilter> LiquidFilters { get; private init; } = [];

    /// <summary>All events that may be reported, by name.</summary>
    public IReadOnlyDictionary<string, EventKind> Events { get; private init; } = OwnEvents.ToDictionary(kind => kind.Name);

    /// <exception cref="StartupException">A name is taken or cannot be used.</exception>
    public static PluginRegistry Collect(IReadOnlyList<DatasettePlugin> plugins, IDatasette datasette) =>
        new()
        {
            Renderers = Named(
                plugins,
                nameof(DatasettePlugin.RegisterOutputRenderers),
                p => p.RegisterOutputRenderers(datasette),
                renderer => renderer.Extension,
                OwnFormats,
                Guarded
            ),
            Facets =
            [
                .. Named(
                    plugins,
                    nameof(DatasettePlugin.RegisterFacets),
                    p => p.RegisterFacets(datasette),
                    facet => facet.Type,
                    OwnFacets
                ).Values,
            ],
            Magic = Named(
                plugins,
                nameof(DatasettePlugin.RegisterMagicParameters),
                p => p.RegisterMagicParameters(datasette),
                parameter => parameter.Prefix,
                OwnMagic,
                (plugin, parameter) =>
                    parameter with
                    {
                        ValueAsync = (key, context) =>
                            HookCall.RunAsync(plugin, nameof(plugin.RegisterMagicParameters), _ => parameter.ValueAsync(key, context)),
                    }
            ),
            LiquidFilters =
            [
                .. Named(
                    plugins,
                    nameof(DatasettePlugin.RegisterLiquidFilters),
                    p => p.RegisterLiquidFilters(datasette),
                    filter => filter.Name,
                    [],
                    (plugin, filter) =>
                        filter with
                        {
                            Apply = (value, arguments) =>
                                HookCall.Run(plugin, nameof(plugin.RegisterLiquidFilters), _ => filter.Apply(value, arguments)),
                        }
                ).Values,
            ],
            Events = OwnEvents
                .Concat(
                    Named(
                        plugins,
                        nameof(DatasettePlugin.RegisterEvents),
                        p => p.RegisterEvents(datasette),
                        kind => kind.Name,
                        [.. OwnEvents.Select(kind => kind.Name)]
                    ).Values
                )
                .ToDictionary(kind => kind.Name, StringComparer.Ordinal),
        };

    private static Dictionary<string, T> Named<T>(
        IReadOnlyList<DatasettePlugin> plugins,
        string method,
        Func<DatasettePlugin, IEnumerable<T>> hook,
        Func<T, string> nameOf,
        string[] taken,
        Func<DatasettePlugin, T, T>? guard = null
    )
        where T : class
    {
        var all = new Dictionary<string, T>(StringComparer.Ordinal);
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var plugin in plugins)
        {
            // The list is walked inside the call: a plugin may make it lazily.
            foreach (var item in HookCall.Run(plugin, method, p => hook(p).ToList()))
            {
                var name = nameOf(item);
                var problem =
                    taken.Contains(name) ? "which the host has already"
                    : !IsWord(name, method) ? "which is not a name of letters, digits and underscores"
                    : owners.TryGetValue(name, out var owner) ? $"which the plugin '{owner}' has registered already"
                    : null;
                if (problem is not null)
                {
                    throw new StartupException(
                        $"The plugin '{plugin.Name}' registers '{name}' in {HookNames.Published(method)} ({method}), {problem}. Give it another name, or leave one of the plugins out."
                    );
                }
                all.Add(name, guard is null ? item : guard(plugin, item));
                owners.Add(name, plugin.Name);
            }
        }
        return all;
    }

    private static OutputRenderer Guarded(DatasettePlugin plugin, OutputRenderer renderer)
    {
        const string method = nameof(plugin.RegisterOutputRenderers);
        return new(
            renderer.Extension,
            (output, cancellationToken) => HookCall.RunAsync(plugin, method, _ => renderer.RenderAsync(output, cancellationToken))
        )
        {
            CanRender = output => HookCall.Run(plugin, method, _ => renderer.CanRender(output)),
        };
    }

    /// <summary>Names stand in addresses, SQL and templates. Those of events stand in none of them, and have hyphens.</summary>
    private static bool IsWord(string name, string method) =>
        name.Length > 0
        && name.All(letter =>
            char.IsAsciiLetterOrDigit(letter) || letter == '_' || (letter == '-' && method == nameof(DatasettePlugin.RegisterEvents))
        );
}
