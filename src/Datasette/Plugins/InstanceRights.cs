using Datasette.Permissions;

namespace Datasette.Plugins;

/// <summary>What the start decided about rights; shared by the instance and the plugin that holds the host's own rules.</summary>
internal sealed class InstanceRights
{
    /// <summary>Whether the actor root may do everything: only while started with --root and serving.</summary>
    public bool RootEnabled { get; set; }

    /// <summary>Whether nothing is open unless the configuration says so.</summary>
    public bool DefaultDeny { get; init; }

    /// <summary>All actions by name, filled once before the first question.</summary>
    public Dictionary<string, PermissionAction> Actions { get; } = new(StringComparer.Ordinal);
}
