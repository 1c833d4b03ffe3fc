namespace Datasette.Permissions;

/// <summary>What an action is done to.</summary>
public enum ResourceKind
{
    /// <summary>The instance.</summary>
    Global,

    /// <summary>A database.</summary>
    Database,

    /// <summary>A table or a view.</summary>
    Table,

    /// <summary>A stored query.</summary>
    Query,
}

/// <summary>Something that an actor may or may not do. Immutable.</summary>
/// <param name="Name">Such as <c>view-table</c>.</param>
/// <param name="Abbreviation">Short form inside tokens, such as <c>vt</c>; null when it has none.</param>
/// <param name="Description">One sentence for people.</param>
/// <param name="Kind">What it is done to.</param>
/// <param name="DefaultAllow">Allowed to everybody unless a rule says otherwise.</param>
/// <param name="AlsoRequires">Another action on the same resource that must be allowed too; null when none.</param>
public sealed record PermissionAction(
    string Name,
    string? Abbreviation,
    string Description,
    ResourceKind Kind,
    bool DefaultAllow = false,
    string? AlsoRequires = null
)
{
    /// <summary>True when a list in a token names this action, in full or abbreviated.</summary>
    /// <param name="word">An entry of the list.</param>
    public bool IsNamed(string word) => word == Name || (Abbreviation is not null && word == Abbreviation);
}

/// <summary>What an action is asked for. Immutable.</summary>
/// <param name="Parent">Database name; null = the instance.</param>
/// <param name="Child">Table, view or query name; null = the whole database.</param>
public sealed record Resource(string? Parent, string? Child = null)
{
    /// <summary>The instance itself.</summary>
    public static Resource Global { get; } = new(null, null);
}
