using System.Text.Json;
using System.Text.Json.Nodes;

namespace Datasette.Tests.Security;

/// <summary>
/// Who may do what, worked out from the rules on paper (datasette-http.md §14, datasette-cli-config.md §6) and from nothing of the host: slow, small,
/// one rule after the other. The host's SQL has to come to the same answers.
/// </summary>
internal sealed class PermissionOracle(JsonObject config, bool rootEnabled, bool defaultDeny, bool defaultAllowSql)
{
    // H330: abbreviation, what it is done to (g, d, t, q), allowed by default, what else it needs.
    private static readonly Dictionary<string, (string Short, char Kind, bool Default, string? Also)> Actions = new()
    {
        ["view-instance"] = ("vi", 'g', true, null),
        ["view-database"] = ("vd", 'd', true, null),
        ["view-database-download"] = ("vdd", 'd', true, "view-database"),
        ["view-table"] = ("vt", 't', true, null),
        ["view-query"] = ("vq", 'q', true, null),
        ["execute-sql"] = ("es", 'd', true, "view-database"),
        ["permissions-debug"] = ("pd", 'g', false, null),
        ["debug-menu"] = ("dm", 'g', false, null),
        ["execute-write-sql"] = ("ews", 'd', false, "view-database"),
        ["create-table"] = ("ct", 'd', false, null),
        ["create-view"] = ("cv", 'd', false, null),
        ["store-query"] = ("sq", 'd', false, "execute-sql"),
        ["insert-row"] = ("ir", 't', false, null),
        ["delete-row"] = ("dr", 't', false, null),
        ["update-row"] = ("ur", 't', false, null),
        ["alter-table"] = ("at", 't', false, null),
        ["set-column-type"] = ("sct", 't', false, null),
        ["drop-table"] = ("dt", 't', false, null),
        ["drop-view"] = ("dv", 't', false, null),
        ["update-query"] = ("uq", 'q', false, null),
        ["delete-query"] = ("dq", 'q', false, null),
        ["litestream-view-status"] = ("litestream-view-status", 'g', false, null),
    };

    /// <summary>Stored queries of users: database, name, owner, private.</summary>
    public List<(string Database, string Name, string Owner, bool IsPrivate)> UserQueries { get; } = [];

    public bool May(JsonObject? actor, string action, string? parent = null, string? child = null)
    {
        var known = Actions[action];
        if (!Resolved(actor, action, parent, child))
        {
            return false;
        }
        // H319: a list can only reduce.
        if (actor?["_r"] is { } list && !Listed(list, action, parent, child))
        {
            return false;
        }
        // H241: a private query is its owner's alone.
        if (
            known.Kind == 'q'
            && UserQueries.Any(q => q.Database == parent && q.Name == child && q.IsPrivate && q.Owner != actor?["id"]?.ToString())
        )
        {
            return false;
        }
        return known.Also is null || May(actor, known.Also, parent, child);
    }

    // H331: the most specific level with any rule decides; within it a deny beats an allow; no rule is a deny.
    private bool Resolved(JsonObject? actor, string action, string? parent, string? child)
    {
        var known = Actions[action];
        var rules = new List<(int Level, bool Allow)>();
        if (rootEnabled && actor?["id"]?.ToString() == "root")
        {
            rules.Add((0, true));
        }
        if (action == "execute-sql" && !defaultAllowSql)
        {
            rules.Add((0, false));
        }
        else if (known.Default && !defaultDeny)
        {
            rules.Add((0, true));
        }
        if (
            action is "update-query" or "delete-query"
            && UserQueries.Any(q => q.Database == parent && q.Name == child && q.Owner == actor?["id"]?.ToString())
        )
        {
            rules.Add((2, true));
        }
        rules.AddRange(Configured(actor, action, parent, child));
        for (var level = 2; level >= 0; level--)
        {
            var here = rules.Where(rule => rule.Level == level).ToList();
            if (here.Count > 0)
            {
                return here.TrueForAll(rule => rule.Allow);
            }
        }
        return false;
    }

    private List<(int Level, bool Allow)> Configured(JsonObject? actor, string action, string? parent, string? child)
    {
        var rules = new List<(int, bool)>();
        var database = parent is null ? null : config["databases"]?[parent] as JsonObject;
        Add(rules, 0, actor, config["permissions"]?[action]);
        if (action is "view-instance" or "view-database" or "view-table" or "view-query")
        {
            Add(rules, 0, actor, config["allow"]);
        }
        if (action == "execute-sql")
        {
            Add(rules, 0, actor, config["allow_sql"]);
            Add(rules, 1, actor, database?["allow_sql"]);
        }
        Add(rules, 1, actor, database?["permissions"]?[action]);
        if (action is "view-database" or "view-table" or "view-query")
        {
            Add(rules, 1, actor, database?["allow"]);
        }
        foreach (var (kind, view) in new[] { ("tables", "view-table"), ("queries", "view-query") })
        {
            foreach (var (name, block) in database?[kind] as JsonObject ?? [])
            {
                // SQLite knows a table under its name in any case, and a rule for it must hold however it is written.
                if (
                    block is JsonObject map
                    && string.Equals(name, child, kind == "tables" ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal)
                )
                {
                    Add(rules, 2, actor, map["permissions"]?[action]);
                    if (action == view)
                    {
                        Add(rules, 2, actor, map["allow"]);
                    }
                }
            }
        }
        // C093: what a level closes, stays closed for a resource that a token lists.
        if (actor?["_r"] is { } list)
        {
            var isListed = child is not null && Contains(list["r"]?[parent!]?[child], action);
            if (isListed && rules.Exists(rule => rule.Item1 < 2 && !rule.Item2))
            {
                rules.Add((2, false));
            }
            if (parent is not null && Contains(list["d"]?[parent], action) && rules.Exists(rule => rule.Item1 == 0 && !rule.Item2))
            {
                rules.Add((1, false));
            }
        }
        return rules;
    }

    private static void Add(List<(int, bool)> rules, int level, JsonObject? actor, JsonNode? block)
    {
        if (block is not null)
        {
            rules.Add((level, Matches(actor, block)));
        }
    }

    // C091.
    private static bool Matches(JsonObject? actor, JsonNode block)
    {
        if (block is JsonValue value)
        {
            return value.GetValueKind() == JsonValueKind.True || value.ToJsonString() == "1";
        }
        foreach (var (key, wanted) in block.AsObject())
        {
            if (actor is null)
            {
                if (key == "unauthenticated" && wanted?.GetValueKind() == JsonValueKind.True)
                {
                    return true;
                }
                continue;
            }
            if (!actor.ContainsKey(key))
            {
                continue;
            }
            var owned = Values(actor[key]);
            if (wanted?.ToString() == "*" || Values(wanted).Exists(owned.Contains))
            {
                return true;
            }
        }
        return false;
    }

    private static List<string> Values(JsonNode? node) =>
        node is JsonArray list ? [.. list.Select(item => item!.ToJsonString())] : [node?.ToJsonString() ?? "null"];

    private static bool Listed(JsonNode list, string action, string? parent, string? child) =>
        Contains(list["a"], action)
        || parent is not null && Contains(list["d"]?[parent], action)
        || child is not null && Contains(list["r"]?[parent!]?[child], action);

    private static bool Contains(JsonNode? names, string action) =>
        names is JsonArray list && list.Any(name => name!.ToString() == action || name.ToString() == Actions[action].Short);
}
