namespace Datasette.Permissions;

/// <summary>Rules that one source contributes to one question, as a SELECT. Immutable.</summary>
/// <param name="Source">Who says so: a plugin's name, or <c>datasette.default_permissions</c>.</param>
/// <param name="Sql">
/// SELECT of the columns parent, child, allow (1 or 0), reason, in this order. NULL parent and child = everywhere; NULL child = a whole
/// database. Null when the source only restricts. May use <c>:actor</c> (JSON), <c>:actor_id</c> and <c>:action</c> and its own parameters.
/// </param>
/// <param name="Parameters">Values of its own parameters by name without colon; names need not differ from other sources'.</param>
public sealed record PermissionSql(string Source, string? Sql, IReadOnlyDictionary<string, object?> Parameters)
{
    /// <summary>The source of the rules built into the host.</summary>
    public const string DefaultSource = "datasette.default_permissions";

    /// <summary>SELECT of parent, child: what the actor is confined to, whatever the rules say. Null = no confinement.</summary>
    public string? RestrictionSql { get; init; }

    /// <summary>
    /// True when the SQL reads no table, calls nothing that changes and takes nothing but text parameters of its own: then its answers may be
    /// kept. Default false.
    /// </summary>
    internal bool IsConstant { get; init; }

    /// <summary>One rule for everything.</summary>
    public static PermissionSql Everywhere(string source, bool allow, string reason)
    {
        return new(
            source,
            $"select null as parent, null as child, {(allow ? 1 : 0)} as allow, :reason as reason",
            new Dictionary<string, object?> { ["reason"] = reason }
        )
        {
            IsConstant = true,
        };
    }
}
