using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;

namespace Datasette.Views;

/// <summary>The entries of action menus that change something; each only for those who may, and where it can be.</summary>
internal static class WriteActions
{
    public static async ValueTask<IReadOnlyList<ActionButton>> OfTableAsync(ViewContext v, Database database, RelationSchema relation)
    {
        if (!database.IsMutable || relation.IsView || !await v.AllowedAsync("alter-table", database.Name, relation.Name))
        {
            return [];
        }
        var example = new JsonObject
        {
            ["operations"] = new JsonArray(
                new JsonObject
                {
                    ["op"] = "add_column",
                    ["args"] = new JsonObject { ["name"] = "new_column", ["type"] = "text" },
                }
            ),
        };
        var path = v.App.UrlOf(database, relation.Name) + "/-/alter";
        return
        [
            new("Alter table", "data-table-action", "alter-table", ApiExplorerView.Call(v, path, example))
            {
                Description = "Its name and columns, or drop it",
            },
        ];
    }

    public static async ValueTask<IReadOnlyList<ActionButton>> OfRowAsync(
        ViewContext v,
        Database database,
        TableSchema table,
        string key,
        IReadOnlyList<string> columns,
        object?[] row
    )
    {
        var buttons = new List<ActionButton>();
        if (!database.IsMutable)
        {
            return buttons;
        }
        var path = $"{v.App.UrlOf(database, table.Name)}/{key}";
        if (await v.AllowedAsync("update-row", database.Name, table.Name))
        {
            var values = new JsonObject();
            foreach (var (i, column) in columns.Index().Where(pair => !table.RowKeys.Contains(pair.Item)))
            {
                values[column] = row[i] switch
                {
                    null => null,
                    long whole => whole,
                    double real when double.IsFinite(real) => real,
                    byte[] bytes => new JsonObject { ["$base64"] = true, ["encoded"] = Convert.ToBase64String(bytes) },
                    var other => other.ToString(),
                };
            }
            var body = new JsonObject { ["update"] = values };
            buttons.Add(
                new("Edit row", "data-row-action", "edit", ApiExplorerView.Call(v, path + "/-/update", body))
                {
                    Description = "Its values in a form",
                }
            );
        }
        if (await v.AllowedAsync("delete-row", database.Name, table.Name))
        {
            buttons.Add(
                new("Delete row", "data-row-action", "delete", ApiExplorerView.Call(v, path + "/-/delete", new JsonObject()))
                {
                    Description = "After a question",
                }
            );
        }
        return buttons;
    }

    public static async ValueTask<IReadOnlyList<ActionButton>> OfDatabaseAsync(ViewContext v, Database database)
    {
        if (!database.IsMutable || database.IsMemory || !await v.AllowedAsync("create-table", database.Name))
        {
            return [];
        }
        var call = ApiExplorerView.Call(v, v.App.UrlOf(database) + "/-/create", ApiExplorerView.NewTable());
        return [new("Create table", "data-database-action", "create-table", call) { Description = "Its columns in a form" }];
    }

    /// <summary>Links to pages that write to a database.</summary>
    public static async ValueTask<IReadOnlyList<MenuLink>> LinksOfDatabaseAsync(ViewContext v, Database database) =>
        database is { IsMutable: true, IsMemory: false } && await v.AllowedAsync("execute-write-sql", database.Name)
            ? [new("Execute write SQL", v.App.UrlOf(database) + "/-/execute-write", "Run one statement that writes")]
            : [];

    /// <summary>Links that change a stored query, for its owner and whoever else may.</summary>
    public static async ValueTask<IReadOnlyList<MenuLink>> LinksOfQueryAsync(ViewContext v, Database database, StoredQuery? query)
    {
        var links = new List<MenuLink>();
        if (query is not { IsTrusted: false })
        {
            return links;
        }
        var home = v.App.UrlOf(database, query.Name);
        if (await v.AllowedAsync("update-query", database.Name, query.Name))
        {
            links.Add(new("Edit query", home + "/-/edit"));
        }
        if (await v.AllowedAsync("delete-query", database.Name, query.Name))
        {
            links.Add(new("Delete query", home + "/-/delete"));
        }
        return links;
    }
}
