using System.Text.Json.Nodes;

namespace Datasette.Permissions;

/// <summary>
/// What SQLite keeps a full-text or spatial table in lies in ordinary tables beside it (<c>docs_content</c>, <c>docs_data</c>, ...): who may not do something
/// with the one may not do it with the others.
/// </summary>
internal static class ShadowTables
{
    private const string Sql = """
        select shadow.database_name as parent, shadow.table_name as child, 0 as allow, 'holds the content of ' || closed.child as reason
        from (select value ->> 0 as parent, value ->> 1 as child from json_each(:rules) where value ->> 2 = 0 and value ->> 1 is not null) closed
        join catalog_tables owner
          on owner.database_name = closed.parent and owner.table_name = closed.child collate nocase and owner.sql like 'create virtual table%'
        join json_each('["content","data","idx","docsize","config","segments","segdir","stat","node","rowid","parent"]') ending
        join catalog_tables shadow
          on shadow.database_name = owner.database_name and shadow.table_name = owner.table_name || '_' || ending.value collate nocase
        """;

    /// <summary>The rules that follow for shadow tables; null when no single table is closed.</summary>
    /// <param name="configured">What <see cref="ConfigPermissions"/> gave for an action on tables.</param>
    public static PermissionSql? Rules(PermissionSql configured)
    {
        var rules = (string)configured.Parameters["rules"]!;
        var closesATable = ((JsonArray)JsonNode.Parse(rules)!).Any(rule => rule![1] is not null && (int)rule[2]! == 0);
        return closesATable ? new PermissionSql(configured.Source, Sql, configured.Parameters) : null;
    }
}
