using System.Collections.Immutable;
using System.Globalization;

namespace Datasette.Litestream.Configuration;

/// <summary>Where a piece of configuration stands: its keys from the root of the file, and how a message calls it. Immutable.</summary>
/// <param name="Keys">From the root; list positions as decimal numbers.</param>
/// <param name="Database">The database whose block it belongs to; null for the top level.</param>
internal readonly record struct ConfigPath(ImmutableArray<string> Keys, string? Database)
{
    /// <summary>The top-level block.</summary>
    public static ConfigPath TopLevel { get; } = new(["plugins", LitestreamPluginConfig.PluginName], null);

    /// <summary>The block of a database.</summary>
    public static ConfigPath Of(string database) => new(["databases", database, "plugins", LitestreamPluginConfig.PluginName], database);

    /// <summary>The innermost key; for an item of a list the list's.</summary>
    public string Key
    {
        get
        {
            for (var i = Keys.Length - 1; i > 0; i--)
            {
                if (!int.TryParse(Keys[i], NumberStyles.None, CultureInfo.InvariantCulture, out _))
                    return Keys[i];
            }
            return "";
        }
    }

    /// <summary>A key inside.</summary>
    public ConfigPath Child(string key) => this with { Keys = Keys.Add(key) };

    /// <summary>An item inside.</summary>
    public ConfigPath Item(int index) => Child(index.ToString(CultureInfo.InvariantCulture));

    /// <summary>"all-replicate, item 2", "replicas, item 1, url of database 'data'".</summary>
    public string Describe()
    {
        var start = Database is null ? 2 : 4;
        var words = Keys.Skip(start)
            .Select(key =>
                int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                    ? string.Create(CultureInfo.InvariantCulture, $"item {index + 1}")
                    : key
            );
        var inside = string.Join(", ", words);
        if (Database is null)
            return inside.Length == 0 ? "the top-level configuration" : inside;
        return inside.Length == 0 ? $"the configuration of database '{Database}'" : $"{inside} of database '{Database}'";
    }

    /// <summary>The one message that stops the start: plugin, place in the file, and what is wrong.</summary>
    public StartupException Error(PluginConfigInput input, string text) => Error(input.Locate, text);

    /// <summary>As <see cref="Error(PluginConfigInput, string)"/>.</summary>
    /// <param name="locate">Finds the place of a key.</param>
    /// <param name="text">What is wrong.</param>
    public StartupException Error(Func<IReadOnlyList<string>, string?> locate, string text) =>
        new($"{LitestreamPluginConfig.PluginName}: {Place(locate)}{text}");

    /// <summary>File, line and column before a message; empty when they are not known.</summary>
    /// <param name="locate">Finds the place of a key.</param>
    public string Place(Func<IReadOnlyList<string>, string?> locate)
    {
        string? place = null;
        for (var keys = Keys; place is null && keys.Length > 0; keys = keys.RemoveAt(keys.Length - 1))
            place = locate(keys);
        return place is null ? "" : place + ": ";
    }
}
