using System.Reflection;
using System.Text;

namespace Datasette.Plugins;

/// <summary>Which hooks there are, which of them a plugin overrides, and what they are called on <c>/-/plugins</c>.</summary>
/// <remarks>
/// The attribute on <see cref="DatasettePlugin"/> keeps the public methods of every plugin in a trimmed program, so that this is right there, too.
/// </remarks>
internal static class HookNames
{
    // Names of the original that are not the method's name in other letters.
    private static readonly Dictionary<string, string> Special = new()
    {
        [nameof(DatasettePlugin.JumpItemsAsync)] = "jump_items_sql",
        [nameof(DatasettePlugin.RegisterFacets)] = "register_facet_classes",
        [nameof(DatasettePlugin.RegisterLiquidFilters)] = "prepare_jinja2_environment",
        [nameof(DatasettePlugin.RegisterOutputRenderers)] = "register_output_renderer",
        [nameof(DatasettePlugin.StoredQueriesAsync)] = "canned_queries",
        [nameof(DatasettePlugin.TopStoredQueryAsync)] = "top_canned_query",
        [nameof(DatasettePlugin.WrapRequestAsync)] = "asgi_wrapper",
    };

    /// <summary>The method names of all hooks.</summary>
    public static IReadOnlySet<string> All { get; } =
        typeof(DatasettePlugin)
            .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(method => method is { IsVirtual: true, IsSpecialName: false })
            .Select(method => method.Name)
            .Where(name => name != nameof(DatasettePlugin.OpenStatic))
            .ToHashSet(StringComparer.Ordinal);

    /// <summary>The method names of the hooks that a plugin, or a class it derives from, overrides.</summary>
    public static IReadOnlySet<string> OverriddenBy(DatasettePlugin plugin) =>
        Overrides(plugin).Where(All.Contains).ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether a plugin brings files for browsers.</summary>
    public static bool HasStatic(DatasettePlugin plugin) => Overrides(plugin).Contains(nameof(DatasettePlugin.OpenStatic));

    /// <summary>The name of a hook as Datasette has it: <c>menu_links</c> for <c>MenuLinksAsync</c>.</summary>
    public static string Published(string method)
    {
        if (Special.TryGetValue(method, out var name))
        {
            return name;
        }
        var words = new StringBuilder();
        foreach (var letter in method.EndsWith("Async", StringComparison.Ordinal) ? method[..^5] : method)
        {
            words.Append(char.IsUpper(letter) && words.Length > 0 ? "_" : "").Append(char.ToLowerInvariant(letter));
        }
        return words.ToString();
    }

    private static IEnumerable<string> Overrides(DatasettePlugin plugin) =>
        plugin
            .GetType()
            .GetMethods(BindingFlags.Public | BindingFlags.Instance)
            .Where(method => method.IsVirtual && method.DeclaringType is { } type && type.IsSubclassOf(typeof(DatasettePlugin)))
            .Select(method => method.Name);
}
