using Datasette.Permissions;
using Datasette.Plugins;

namespace Datasette.Defaults;

/// <summary>The rules of the host itself: root, the configuration, what is open unless closed, and the limits of tokens.</summary>
internal sealed class DefaultPermissions(InstanceRights rights) : DatasettePlugin
{
    public override string Name => "datasette.default_permissions";

    public override IReadOnlyList<string> Hooks => ["permission_resources_sql"];

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
        }
        if (action == "execute-sql" && !datasette.Settings.DefaultAllowSql)
        {
            rules.Add(PermissionSql.Everywhere(Name, false, "default_allow_sql is false"));
        }
        else if (known.DefaultAllow && !rights.DefaultDeny)
        {
            rules.Add(PermissionSql.Everywhere(Name, true, $"default allow for {action}"));
        }
        if (ActorRestrictions.Of(actor, known)?.ToSql() is { } restricted)
        {
            rules.Add(restricted);
        }
        return ValueTask.FromResult<IReadOnlyList<PermissionSql>>(rules);
    }
}
