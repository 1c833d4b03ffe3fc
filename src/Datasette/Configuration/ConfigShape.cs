using System.Text.Json.Nodes;
using Datasette.Text;

namespace Datasette.Configuration;

/// <summary>
/// Whether a configuration has the shape that the rest of the host reads. What has another one would do nothing, or something else than was meant, and
/// so stops the start; a key that is nearly a known one is warned about, for any key may be somebody's own.
/// </summary>
internal sealed class ConfigShape
{
    private static readonly string[] Words =
    [
        "title",
        "description",
        "description_html",
        "license",
        "license_url",
        "source",
        "source_url",
        "about",
        "about_url",
        "units",
        "plugins",
        "permissions",
        "allow",
    ];

    private static readonly string[] RootKeys =
    [
        .. Words,
        "databases",
        "settings",
        "writes",
        "allow_sql",
        "allowed_hosts",
        "extra_css_urls",
        "extra_js_urls",
    ];

    private static readonly string[] DatabaseKeys = [.. Words, "tables", "queries", "allow_sql", "durability"];

    private static readonly string[] TableKeys =
    [
        .. Words,
        "columns",
        "column_types",
        "hidden",
        "sort",
        "sort_desc",
        "size",
        "sortable_columns",
        "label_column",
        "facets",
        "facet_size",
        "fts_table",
        "fts_pk",
        "searchmode",
    ];

    private readonly ConfigDocument _document;
    private readonly List<string> _warnings = [];

    private ConfigShape(ConfigDocument document) => _document = document;

    /// <summary>Checks configuration.</summary>
    /// <returns>Warnings about keys that are nearly known ones.</returns>
    /// <exception cref="StartupException">A value has a shape that can mean nothing; names where it stands and what belongs there.</exception>
    public static List<string> Check(ConfigDocument config)
    {
        var shape = new ConfigShape(config);
        shape.CheckRoot();
        return shape._warnings;
    }

    /// <summary>Checks what of metadata is read by its place.</summary>
    /// <exception cref="StartupException">As for configuration.</exception>
    public static void CheckMetadata(ConfigDocument metadata)
    {
        var shape = new ConfigShape(metadata);
        foreach (var (name, block) in shape.Blocks(metadata.Root, [], "databases", "names of databases"))
        {
            foreach (var (table, fields) in shape.Blocks(block, ["databases", name], "tables", "names of tables"))
            {
                shape.Map(fields["columns"], ["databases", name, "tables", table, "columns"], "names of columns and texts");
            }
        }
    }

    private void CheckRoot()
    {
        var root = _document.Root;
        Near(root, [], RootKeys);
        foreach (var setting in DatasetteSettings.All.Where(setting => root.ContainsKey(setting.Name)))
        {
            _warnings.Add($"{Place([setting.Name])}'{setting.Name}' has no effect here: it belongs below 'settings'.");
        }
        Map(root["settings"], ["settings"], "names of settings and values");
        CheckRights(root, []);
        foreach (var (name, database) in Blocks(root, [], "databases", "names of databases"))
        {
            string[] path = ["databases", name];
            Near(database, path, DatabaseKeys);
            CheckRights(database, path);
            foreach (var (table, block) in Blocks(database, path, "tables", "names of tables"))
            {
                string[] tablePath = [.. path, "tables", table];
                Near(block, tablePath, TableKeys);
                CheckRights(block, tablePath);
                Map(block["column_types"], [.. tablePath, "column_types"], "names of columns and types");
            }
            CheckQueries(database, path);
        }
    }

    private void CheckQueries(JsonObject database, string[] path)
    {
        path = [.. path, "queries"];
        foreach (var (name, query) in Map(database["queries"], path, "names of queries"))
        {
            string[] queryPath = [.. path, name];
            if (query is JsonObject block)
            {
                CheckRights(block, queryPath);
                if (block["sql"] is not JsonValue)
                {
                    throw Wrong(queryPath, $"the query '{name}' has no SQL; give it a key 'sql'");
                }
            }
            else if (query is not JsonValue value || !value.TryGetValue<string>(out _))
            {
                throw Wrong(queryPath, $"the query '{name}' must be SQL, or a mapping with a key 'sql', not {Shown(query)}");
            }
        }
    }

    private void CheckRights(JsonObject block, string[] path)
    {
        Map(block["plugins"], [.. path, "plugins"], "names of plugins and their configuration");
        CheckAllow(block, path, "allow");
        CheckAllow(block, path, "allow_sql");
        string[] permissions = [.. path, "permissions"];
        var rules = Map(block["permissions"], permissions, "names of permissions and who has them");
        foreach (var (action, _) in rules)
        {
            CheckAllow(rules, permissions, action);
        }
    }

    private void CheckAllow(JsonObject block, string[] path, string key)
    {
        var isRule = block[key] switch
        {
            null or JsonObject => true,
            JsonValue value => value.ToJsonString() is "true" or "false" or "0" or "1",
            _ => false,
        };
        if (!isRule)
        {
            throw Wrong([.. path, key], $"'{key}' must be true, false or a mapping such as {{id: root}}, not {Shown(block[key])}");
        }
    }

    /// <summary>The blocks of a mapping from names to blocks. Without the key there are none; a block without anything is empty.</summary>
    private IEnumerable<(string Name, JsonObject Block)> Blocks(JsonObject parent, string[] path, string key, string what)
    {
        path = [.. path, key];
        foreach (var (name, block) in Map(parent[key], path, what))
        {
            yield return (name, Map(block, [.. path, name], "keys and values"));
        }
    }

    private JsonObject Map(JsonNode? node, string[] path, string what) =>
        node switch
        {
            null => [],
            JsonObject map => map,
            _ => throw Wrong(path, $"'{path[^1]}' must be a mapping of {what}, not {Shown(node)}"),
        };

    private void Near(JsonObject block, string[] path, string[] known)
    {
        foreach (var (key, _) in block)
        {
            // At the top somebody may have meant a setting.
            var names = path.Length == 0 ? [.. known, .. DatasetteSettings.All.Select(setting => setting.Name)] : known;
            if (!names.Contains(key) && NearestName.Of(key, names) is { } near)
            {
                _warnings.Add($"{Place([.. path, key])}'{key}' has no effect. Did you mean '{near}'?");
            }
        }
    }

    private StartupException Wrong(string[] path, string message) => new($"{Place(path)}{message}.");

    private string Place(string[] path)
    {
        for (var length = path.Length; length > 0; length--)
        {
            if (_document.Locate(ConfigDocument.Path(path.Take(length))) is { } position)
            {
                return $"{position}: ";
            }
        }

        return "";
    }

    private static string Shown(JsonNode? node) =>
        node switch
        {
            null => "nothing",
            JsonArray => "a list",
            JsonObject => "a mapping",
            _ => node.ToJsonString(),
        };
}
