using System.Globalization;
using System.Text;
using Datasette.Text;

namespace Datasette.Permissions;

/// <summary>One action and everything that anybody says about it for one actor.</summary>
/// <param name="Action">The action.</param>
/// <param name="Actor">The actor; null = anonymous.</param>
/// <param name="Rules">Contributions of all sources, in order.</param>
public sealed record PermissionRequirement(PermissionAction Action, Actor? Actor, IReadOnlyList<PermissionSql> Rules);

/// <summary>A SELECT with its values.</summary>
/// <param name="Sql">One statement.</param>
/// <param name="Parameters">Values by name without colon.</param>
public sealed record PermissionQuestion(string Sql, IReadOnlyDictionary<string, object?> Parameters);

/// <summary>What a list of allowed resources should hold.</summary>
public sealed record AllowedListOptions
{
    /// <summary>Only resources of this database; null = all.</summary>
    public string? Parent { get; init; }

    /// <summary>Only this resource of the database; null = all.</summary>
    public string? Child { get; init; }

    /// <summary>
    /// The same requirements as an anonymous visitor has them: then column <c>is_private</c> says who else may not. Null = always 0.
    /// </summary>
    public IReadOnlyList<PermissionRequirement>? Anonymous { get; init; }

    /// <summary>Fill column <c>reasons</c> with a JSON array of <c>source: reason</c>. Default false (null).</summary>
    public bool IncludeReasons { get; init; }

    /// <summary>At most this many; null = all.</summary>
    public int? Limit { get; init; }

    /// <summary>Skip this many.</summary>
    public int Offset { get; init; }
}

/// <summary>Turns rules from everyone into one SQL question for the internal database. Pure: text in, text out.</summary>
/// <remarks>
/// Resolution (H331): the most specific level with any rule decides (resource, database, instance); within it deny beats allow; no rule is
/// a deny. Restrictions must also cover the resource, and each further requirement must hold too. The catalogue tables read by lists are
/// <c>catalog_databases(database_name)</c>, <c>catalog_tables(database_name, table_name)</c>, <c>catalog_views(database_name, view_name)</c>
/// and <c>queries(database_name, name)</c>.
/// </remarks>
public static class PermissionSqlBuilder
{
    /// <summary>Is this allowed? One row, one column: 1 or 0.</summary>
    /// <param name="requirements">The action, then what it also requires; all must hold.</param>
    /// <param name="resource">The resource; need not exist.</param>
    public static PermissionQuestion IsAllowed(IReadOnlyList<PermissionRequirement> requirements, Resource resource)
    {
        var parts = new Parts();
        parts.Parameters["resource_parent"] = resource.Parent;
        parts.Parameters["resource_child"] = resource.Child;
        var conditions = requirements.Select(r => parts.Add(r).Condition("b.parent", "b.child")).ToArray();
        var sql =
            $"with {parts.Ctes("base(parent, child) as (select :resource_parent, :resource_child)")}\n"
            + $"select {string.Join("\n  and ", conditions)} as allowed from base b";
        return new PermissionQuestion(sql, parts.Parameters);
    }

    /// <summary>Which resources are allowed? Rows: parent, child, is_private, reasons; ordered by parent, child.</summary>
    /// <param name="requirements">The action, then what it also requires; all must hold.</param>
    /// <param name="options">What to list.</param>
    public static PermissionQuestion ListAllowed(IReadOnlyList<PermissionRequirement> requirements, AllowedListOptions? options = null)
    {
        options ??= new AllowedListOptions();
        var parts = new Parts();
        var rules = requirements.Select(parts.Add).ToArray();
        var where = rules.Select(r => r.Condition("b.parent", "b.child")).ToList();
        var isPrivate = "0";
        if (options.Anonymous is not null)
        {
            isPrivate =
                "not (" + string.Join("\n  and ", options.Anonymous.Select(r => parts.Add(r).Condition("b.parent", "b.child"))) + ")";
        }

        if (options.Parent is not null)
        {
            parts.Parameters["only_parent"] = options.Parent;
            where.Add("b.parent = :only_parent");
        }

        if (options.Child is not null)
        {
            parts.Parameters["only_child"] = options.Child;
            where.Add("b.child = :only_child");
        }

        var reasons = options.IncludeReasons ? rules[0].Reasons("b.parent", "b.child") : "null";
        var sql =
            $"with {parts.Ctes($"base(parent, child) as ({Catalog(requirements[0].Action.Kind)})")}\n"
            + $"select b.parent, b.child, {isPrivate} as is_private, {reasons} as reasons from base b\n"
            + $"where {string.Join("\n  and ", where)}\norder by b.parent, b.child";
        if (options.Limit is { } limit)
        {
            sql += string.Create(CultureInfo.InvariantCulture, $" limit {limit} offset {options.Offset}");
        }

        return new PermissionQuestion(sql, parts.Parameters);
    }

    /// <summary>How many resources <see cref="ListAllowed"/> would list without a limit? One row, one column.</summary>
    public static PermissionQuestion CountAllowed(IReadOnlyList<PermissionRequirement> requirements, AllowedListOptions? options = null)
    {
        var list = ListAllowed(
            requirements,
            (options ?? new AllowedListOptions()) with
            {
                Limit = null,
                IncludeReasons = false,
                Anonymous = null,
            }
        );
        return list with { Sql = $"select count(*) from (\n{list.Sql}\n)" };
    }

    /// <summary>Which rules are there? Rows: parent, child, allow, reason, source; instance first, in order of the sources.</summary>
    /// <param name="requirement">The action and its rules.</param>
    /// <param name="resource">Only rules that speak about this resource; null = all.</param>
    public static PermissionQuestion ListRules(PermissionRequirement requirement, Resource? resource = null)
    {
        var parts = new Parts();
        var rules = parts.Add(requirement);
        var where = "";
        if (resource is not null)
        {
            parts.Parameters["resource_parent"] = resource.Parent;
            parts.Parameters["resource_child"] = resource.Child;
            where =
                " where (parent is null and child is null) or (parent = :resource_parent and child is null)"
                + " or (parent = :resource_parent and child = :resource_child)";
        }

        var sql =
            $"with {parts.Ctes(null)}\nselect parent, child, allow, reason, source from {rules.Table}{where} "
            + "order by parent is not null, parent, child is not null, child, position";
        return new PermissionQuestion(sql, parts.Parameters);
    }

    private static string Catalog(ResourceKind kind)
    {
        return kind switch
        {
            ResourceKind.Database => "select database_name, null from catalog_databases",
            ResourceKind.Table =>
                "select database_name, table_name from catalog_tables union all select database_name, view_name from catalog_views",
            ResourceKind.Query => "select database_name, name from queries",
            _ => "select null, null where 0",
        };
    }

    /// <summary>One requirement inside a question: its rules table and, if anything restricts, its table of places.</summary>
    private sealed record RuleSet(string Table, IReadOnlyList<string> RestrictionTables, string Collation)
    {
        public string Condition(string parent, string child)
        {
            var sql =
                $"coalesce((select min(allow) from {Table} r where r.parent = {parent} and r.child = {child}{Collation}), "
                + $"(select min(allow) from {Table} r where r.parent = {parent} and r.child is null), "
                + $"(select min(allow) from {Table} r where r.parent is null and r.child is null), 0)";
            foreach (var places in RestrictionTables)
            {
                sql +=
                    $" and exists (select 1 from {places} p where p.parent is null "
                    + $"or (p.parent = {parent} and (p.child is null or p.child = {child}{Collation})))";
            }

            return $"({sql})";
        }

        public string Reasons(string parent, string child)
        {
            return $"(select json_group_array(source || ': ' || reason) from (select source, reason from {Table} r where "
                + $"case when exists (select 1 from {Table} x where x.parent = {parent} and x.child = {child}{Collation}) then r.parent = {parent} and r.child = {child}{Collation} "
                + $"when exists (select 1 from {Table} x where x.parent = {parent} and x.child is null) then r.parent = {parent} and r.child is null "
                + "else r.parent is null and r.child is null end order by r.position))";
        }
    }

    private sealed class Parts
    {
        private readonly List<string> _ctes = [];

        public Dictionary<string, object?> Parameters { get; } = new(StringComparer.Ordinal);

        public string Ctes(string? last) => string.Join(",\n", last is null ? _ctes : [.. _ctes, last]);

        public RuleSet Add(PermissionRequirement requirement)
        {
            var number = _ctes.Count.ToString(CultureInfo.InvariantCulture);
            var selects = new StringBuilder();
            var restrictions = new List<string>();
            for (var i = 0; i < requirement.Rules.Count; i++)
            {
                var rule = requirement.Rules[i];
                var prefix = string.Create(CultureInfo.InvariantCulture, $"r{number}_{i}_");
                string Rename(string name) => AddParameter(prefix, name, requirement, rule);
                if (rule.Sql is not null)
                {
                    Parameters[prefix + "source"] = rule.Source;
                    selects.Append(selects.Length == 0 ? "" : "\n  union all ");
                    selects.Append(
                        CultureInfo.InvariantCulture,
                        $"select :{prefix}source, {i}, q.* from (\n{SqlParameters.Rename(rule.Sql, Rename)}\n  ) q"
                    );
                }

                if (rule.RestrictionSql is not null)
                {
                    restrictions.Add(SqlParameters.Rename(rule.RestrictionSql, Rename));
                }
            }

            var table = "rules_" + number;
            var body = selects.Length == 0 ? "select null, null, null, null, null, null where 0" : selects.ToString();
            _ctes.Add($"{table}(source, position, parent, child, allow, reason) as materialized (\n  {body})");
            var tables = new List<string>();
            foreach (var restriction in restrictions)
            {
                var places = $"places_{number}_{tables.Count.ToString(CultureInfo.InvariantCulture)}";
                _ctes.Add($"{places}(parent, child) as materialized (\n{restriction}\n)");
                tables.Add(places);
            }

            // SQLite finds tables and views in any case; a rule for one holds for it however it is written.
            return new RuleSet(table, tables, requirement.Action.Kind == ResourceKind.Table ? " collate nocase" : "");
        }

        private string AddParameter(string prefix, string name, PermissionRequirement requirement, PermissionSql rule)
        {
            var value = rule.Parameters.TryGetValue(name, out var own)
                ? own
                : name switch
                {
                    "actor" => requirement.Actor?.Json.ToJsonString(),
                    "actor_id" => requirement.Actor?.Id,
                    "action" => requirement.Action.Name,
                    _ => throw new ArgumentException(
                        $"Permission SQL of {rule.Source} for {requirement.Action.Name} gives no value for :{name}."
                    ),
                };
            Parameters[prefix + name] = value;
            return prefix + name;
        }
    }
}
