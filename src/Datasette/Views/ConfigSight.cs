using System.Text.Json.Nodes;

namespace Datasette.Views;

/// <summary>The configuration as one visitor may see it: without secrets, and without databases, tables and queries that are closed to him.</summary>
internal static class ConfigSight
{
    public static async Task<JsonObject> OfAsync(ViewContext v)
    {
        var config = v.App.Config.Redacted();
        if (config["databases"] is not JsonObject databases)
        {
            return config;
        }
        foreach (var (name, block) in databases.ToList())
        {
            var tables = (block as JsonObject)?["tables"] as JsonObject;
            var queries = (block as JsonObject)?["queries"] as JsonObject;
            await PruneAsync(tables, table => v.MayKnowAsync(name, table));
            await PruneAsync(queries, query => v.AllowedAsync("view-query", name, query));
            // One open table in a closed database is known to all; the rest of its block is not.
            if (!await v.AllowedAsync("view-database", name))
            {
                var left = new JsonObject();
                Keep(left, "tables", tables);
                Keep(left, "queries", queries);
                _ = left.Count > 0 ? databases[name] = left : Remove(databases, name);
            }
        }
        return config;
    }

    private static async Task PruneAsync(JsonObject? children, Func<string, ValueTask<bool>> isKnown)
    {
        foreach (var (name, _) in children?.ToList() ?? [])
        {
            if (!await isKnown(name))
            {
                children!.Remove(name);
            }
        }
    }

    private static void Keep(JsonObject target, string key, JsonObject? children)
    {
        if (children is { Count: > 0 })
        {
            target[key] = children.DeepClone();
        }
    }

    private static JsonNode? Remove(JsonObject map, string key)
    {
        map.Remove(key);
        return null;
    }
}
