using Datasette.Permissions;
using Datasette.Plugins;

namespace Datasette.Defaults;

/// <summary>The rules of the host itself: root, the configuration, what is open unless closed, and the limits of tokens.</summary>
internal sealed class DefaultPermissions(InstanceRights rights) : DatasettePlugin
{
    private const string OwnQueries =
        "select database_name as parent, name as child, 1 as allow, 'own query' as reason from queries "
        + "where source = 'user' and owner_id = :actor_id";

    private const string PublicOrOwnQueries =
        "select database_name as parent, name as child from queries where is_private = 0 or owner_id = :actor_id";

    public override string Name => "datasette.default_permissions";

    public override ValueTask<IReadOnlyList<PermissionSql>> PermissionResourcesSqlAsync(
        IDatasette datasette,
        Actor? actor,
        string action,
        CancellationToken cancellationToken
    )
    {
        var rules = new List<PermissionSql>();
        if (!rights.Actions.TryGetValue(action, out var known))
        {
            return ValueTask.FromResult<IReadOnlyList<PermissionSql>>(rules);
        }
        if (rights.RootEnabled && actor?.Id == "root")
        {
            rules.Add(PermissionSql.Everywhere(Name, true, "root user"));
        }
        if (ConfigPermissions.Rules(datasette.Config.Root, actor, known) is { } configured)
        {
            rules.Add(configured);
            if (known.Kind == ResourceKind.Table && ShadowTables.Rules(configured) is { } shadows)
            {
                rules.Add(shadows);
            }
        }
        if (action == "execute-sql" && !datasette.Settings.DefaultAllowSql)
        {
            rules.Add(PermissionSql.Everywhere(Name, false, "default_allow_sql is false"));
        }
        else if (known.DefaultAllow && !rights.DefaultDeny)
        {
            rules.Add(PermissionSql.Everywhere(Name, true, $"default allow for {action}"));
        }
        if (action is "view-query" or "update-query" or "delete-query")
        {
            // A private query is its owner's alone; and what users stored they may change.
            rules.Add(
                new PermissionSql(Name, action == "view-query" ? null : OwnQueries, new Dictionary<string, object?>())
                {
                    RestrictionSql = PublicOrOwnQueries,
                }
            );
        }
        if (ActorRestrictions.Of(actor, known)?.ToSql() is { } restricted)
        {
            rules.Add(restricted);
        }
        return ValueTask.FromResult<IReadOnlyList<PermissionSql>>(rules);
    }
}
