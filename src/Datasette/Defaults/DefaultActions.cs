using Datasette.Permissions;
using Datasette.Plugins;

namespace Datasette.Defaults;

/// <summary>The actions of the host itself.</summary>
internal sealed class DefaultActions : DatasettePlugin
{
    public static readonly IReadOnlyList<PermissionAction> All =
    [
        new("view-instance", "vi", "View Datasette instance", ResourceKind.Global, DefaultAllow: true),
        new("permissions-debug", "pd", "Access permission debug tool", ResourceKind.Global),
        new("debug-menu", "dm", "View debug menu items", ResourceKind.Global),
        new("view-database", "vd", "View database", ResourceKind.Database, DefaultAllow: true),
        new("view-database-download", "vdd", "Download database file", ResourceKind.Database, DefaultAllow: true, "view-database"),
        new("execute-sql", "es", "Execute read-only SQL queries", ResourceKind.Database, DefaultAllow: true, "view-database"),
        new("execute-write-sql", "ews", "Execute writable SQL queries", ResourceKind.Database, AlsoRequires: "view-database"),
        new("create-table", "ct", "Create tables", ResourceKind.Database),
        new("create-view", "cv", "Create views", ResourceKind.Database),
        new("store-query", "sq", "Store queries", ResourceKind.Database, AlsoRequires: "execute-sql"),
        new("view-table", "vt", "View table", ResourceKind.Table, DefaultAllow: true),
        new("insert-row", "ir", "Insert rows", ResourceKind.Table),
        new("delete-row", "dr", "Delete rows", ResourceKind.Table),
        new("update-row", "ur", "Update rows", ResourceKind.Table),
        new("alter-table", "at", "Alter tables", ResourceKind.Table),
        new("set-column-type", "sct", "Set column type", ResourceKind.Table),
        new("drop-table", "dt", "Drop tables", ResourceKind.Table),
        new("drop-view", "dv", "Drop views", ResourceKind.Table),
        new("view-query", "vq", "View named query results", ResourceKind.Query, DefaultAllow: true),
        new("update-query", "uq", "Update named queries", ResourceKind.Query),
        new("delete-query", "dq", "Delete named queries", ResourceKind.Query),
    ];

    public override string Name => "datasette.default_actions";

    public override IEnumerable<PermissionAction> RegisterActions(IDatasette datasette) => All;
}
