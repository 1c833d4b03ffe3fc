using System.Text.Json.Nodes;

namespace Datasette.Configuration;

/// <summary>Moves configuration that stands in a metadata file, as files of older versions do, to where it belongs (C071).</summary>
internal static class MetadataMoves
{
    private static readonly string[] TableKeys =
    [
        "hidden",
        "sort",
        "sort_desc",
        "size",
        "sortable_columns",
        "label_column",
        "facets",
        "fts_table",
        "fts_pk",
        "searchmode",
    ];

    private static readonly string[] IgnoredKeys = ["settings", "permissions", "allow_sql", "queries", "extra_css_urls", "extra_js_urls"];

    private static readonly string[] IgnoredTableKeys = ["permissions", "facet_size", "column_types"];

    /// <summary>Moves what must be moved; replaces what is there already.</summary>
    /// <param name="metadata">Loses what moves, and branches that are empty then.</param>
    /// <param name="config">Gains it, with positions.</param>
    /// <returns>One warning for each configuration key that is not moved and therefore has no effect.</returns>
    public static List<string> Apply(ConfigDocument metadata, ConfigDocument config)
    {
        var warnings = Ignored(metadata);
        MovePluginsAndAllow(metadata.Root, [], metadata, config);
        MoveTableKeys(metadata, config);
        return warnings;
    }

    private static void MovePluginsAndAllow(JsonObject source, string[] path, ConfigDocument metadata, ConfigDocument config)
    {
        foreach (var (key, value) in source.ToArray())
        {
            string[] keyPath = [.. path, key];
            if (key is "plugins" or "allow")
            {
                source.Remove(key);
                Put(config, keyPath, value, metadata);
            }
            else if (value is JsonObject child)
            {
                MovePluginsAndAllow(child, keyPath, metadata, config);
                if (child.Count == 0)
                {
                    source.Remove(key);
                }
            }
        }
    }

    private static void MoveTableKeys(ConfigDocument metadata, ConfigDocument config)
    {
        if (metadata.Root["databases"] is not JsonObject databases)
        {
            return;
        }

        foreach (var (database, databaseNode) in databases.ToArray())
        {
            if ((databaseNode as JsonObject)?["tables"] is not JsonObject tables)
            {
                continue;
            }

            foreach (var (table, tableNode) in tables.ToArray())
            {
                foreach (var key in TableKeys)
                {
                    if (tableNode is JsonObject block && block.TryGetPropertyValue(key, out var value))
                    {
                        block.Remove(key);
                        Put(config, ["databases", database, "tables", table, key], value, metadata);
                    }
                }
            }
        }

        Prune(metadata.Root);
    }

    private static void Put(ConfigDocument config, string[] path, JsonNode? value, ConfigDocument source)
    {
        var parent = config.Root;
        foreach (var step in path[..^1])
        {
            if (parent[step] is not JsonObject child)
            {
                parent[step] = child = [];
            }

            parent = child;
        }

        parent[path[^1]] = value;
        config.CopyPositions(source, ConfigDocument.Path(path));
    }

    private static void Prune(JsonObject node)
    {
        foreach (var (key, value) in node.ToArray())
        {
            if (value is JsonObject child)
            {
                Prune(child);
                if (child.Count == 0)
                {
                    node.Remove(key);
                }
            }
        }
    }

    private static List<string> Ignored(ConfigDocument metadata)
    {
        var warnings = new List<string>();
        void Look(JsonObject block, string[] path, string[] keys)
        {
            foreach (var key in keys.Where(block.ContainsKey))
            {
                var at = metadata.Locate(ConfigDocument.Path([.. path, key]));
                warnings.Add($"{at}: '{key}' has no effect in metadata. Put it in the configuration file (-c).");
            }
        }

        Look(metadata.Root, [], IgnoredKeys);
        foreach (var (name, database) in metadata.Root["databases"] as JsonObject ?? [])
        {
            if (database is not JsonObject block)
            {
                continue;
            }

            Look(block, ["databases", name], ["permissions", "allow_sql", "queries"]);
            foreach (var (table, tableNode) in block["tables"] as JsonObject ?? [])
            {
                Look(tableNode as JsonObject ?? [], ["databases", name, "tables", table], IgnoredTableKeys);
            }
        }

        return warnings;
    }
}
