using System.Text.Json.Nodes;

namespace Datasette.Permissions;

/// <summary>The permission rules that stand in configuration: <c>allow</c>, <c>allow_sql</c> and <c>permissions</c>. Pure.</summary>
public sealed class ConfigPermissions
{
    private readonly PermissionAction _action;
    private readonly Actor? _actor;
    private readonly ActorRestrictions? _restrictions;
    private readonly JsonArray _rows = [];

    private ConfigPermissions(PermissionAction action, Actor? actor)
    {
        _action = action;
        _actor = actor;
        _restrictions = ActorRestrictions.Of(actor, action);
    }

    /// <summary>The rules for one actor and one action; null when configuration says nothing about it.</summary>
    /// <param name="config">The root of the configuration tree.</param>
    /// <param name="actor">The actor; null = anonymous.</param>
    /// <param name="action">The action.</param>
    public static PermissionSql? Rules(JsonObject config, Actor? actor, PermissionAction action)
    {
        var rules = new ConfigPermissions(action, actor);
        rules.AddInstance(config);
        foreach (var (name, database) in config["databases"] as JsonObject ?? [])
        {
            if (database is JsonObject block)
            {
                rules.AddDatabase(name, block);
            }
        }

        return rules._rows.Count == 0 ? null : rules.ToSql();
    }

    private PermissionSql ToSql()
    {
        return new PermissionSql(
            PermissionSql.DefaultSource,
            "select value ->> 0 as parent, value ->> 1 as child, value ->> 2 as allow, value ->> 3 as reason from json_each(:rules)",
            new Dictionary<string, object?> { ["rules"] = _rows.ToJsonString() }
        )
        {
            IsConstant = true,
        };
    }

    private void AddInstance(JsonObject config)
    {
        Add(null, null, (config["permissions"] as JsonObject)?[_action.Name], "permissions");
        if (_action.Name is "view-instance" or "view-database" or "view-table" or "view-query")
        {
            Add(null, null, config["allow"], "allow");
        }

        if (_action.Name == "execute-sql")
        {
            Add(null, null, config["allow_sql"], "allow_sql");
        }
    }

    private void AddDatabase(string name, JsonObject database)
    {
        Add(name, null, (database["permissions"] as JsonObject)?[_action.Name], "permissions");
        if (_action.Name is "view-database" or "view-table" or "view-query")
        {
            Add(name, null, database["allow"], "allow");
        }

        if (_action.Name == "execute-sql")
        {
            Add(name, null, database["allow_sql"], "allow_sql");
        }

        AddChildren(name, database["tables"], "view-table");
        AddChildren(name, database["queries"], "view-query");
    }

    private void AddChildren(string database, JsonNode? children, string viewAction)
    {
        foreach (var (name, child) in children as JsonObject ?? [])
        {
            if (child is not JsonObject block)
            {
                continue;
            }

            Add(database, name, (block["permissions"] as JsonObject)?[_action.Name], "permissions");
            if (_action.Name == viewAction)
            {
                Add(database, name, block["allow"], "allow");
            }
        }
    }

    private void Add(string? parent, string? child, JsonNode? allow, string key)
    {
        if (allow is null)
        {
            return;
        }

        // A block outside the list of a restricted token has no say for it: neither can it open what the list closes.
        if (_restrictions is not null && parent is not null && !Touches(parent, child))
        {
            return;
        }

        var isAllowed = AllowBlock.Matches(_actor, allow);
        var scope =
            parent is null ? ""
            : child is null ? " on " + parent
            : $" on {parent}/{child}";
        AddRow(parent, child, isAllowed, $"config {(isAllowed ? "allow" : "deny")} {key} for {_action.Name}{scope}");
        if (_restrictions is not null && !isAllowed && child is null)
        {
            CloseBelow(parent, scope);
        }
    }

    private bool Touches(string parent, string? child)
    {
        return _restrictions!.Everywhere
            || _restrictions.Places.Any(p =>
                p.Parent == parent && (child is null || p.Child is null || p.Child.Equals(child, StringComparison.OrdinalIgnoreCase))
            );
    }

    // For a restricted token a closed level stays closed: an allow below it cannot open what the level above denies (C093).
    private void CloseBelow(string? parent, string scope)
    {
        foreach (var place in _restrictions!.Places.Where(p => parent is null || (p.Parent == parent && p.Child is not null)))
        {
            AddRow(place.Parent, place.Child, false, $"config deny {_action.Name}{scope} (restricted actor)");
        }
    }

    private void AddRow(string? parent, string? child, bool allow, string reason)
    {
        _rows.Add((JsonNode)new JsonArray(parent, child, allow ? 1 : 0, reason));
    }
}
