using System.Text;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Microsoft.AspNetCore.Html;

namespace Datasette.Views;

/// <summary>
/// What the script of the forms must know: where the JSON interface is, what the visitor may do with it and what the columns can hold. Pages on
/// which nobody may write anything have none, and load no script.
/// </summary>
internal sealed class EditForms
{
    /// <summary>Who writes sees what is stored now, and nobody else sees their page.</summary>
    public const string CacheControl = "private, no-cache";

    private readonly JsonMap facts;

    private EditForms(JsonMap facts) => this.facts = facts;

    /// <summary>Whether the visitor may make or change tables, for which there is a script of its own.</summary>
    private bool HasSchema { get; init; }

    /// <summary>Whether the visitor may insert rows.</summary>
    public bool MayInsert { get; private init; }

    /// <summary>The forms of a table's page, or of the page of one of its rows; null when the visitor may change nothing there.</summary>
    /// <param name="v">The request.</param>
    /// <param name="database">The database.</param>
    /// <param name="schema">Its schema.</param>
    /// <param name="relation">The table; a view has no forms.</param>
    /// <param name="row">The key of the row whose page it is, as in its address; null on the table's page.</param>
    public static async Task<EditForms?> OfTableAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        RelationSchema relation,
        string? row = null
    )
    {
        if (!database.IsMutable || relation is not TableSchema table)
        {
            return null;
        }
        var rights = new JsonMap();
        var may = new HashSet<string>();
        foreach (var action in row is null ? TableActions : RowActions)
        {
            var isAllowed = await v.AllowedAsync(action, database.Name, table.Name);
            rights.Add(action.Split('-')[0], isAllowed);
            if (isAllowed)
            {
                may.Add(action);
            }
        }
        if (may.Count == 0)
        {
            return null;
        }
        var columns = new List<object>();
        foreach (var column in table.Columns.Where(column => column.Hidden == 0))
        {
            columns.Add(await ColumnAsync(v, database, schema, table, column));
        }
        var facts = new JsonMap
        {
            { "database", database.Name },
            { "database_url", v.App.UrlOf(database) },
            { "table", table.Name },
            { "url", v.App.UrlOf(database, table.Name) },
            { "keys", table.RowKeys },
            { "uses_rowid", table.UsesRowid },
            { "max_rows", v.App.Settings.MaxInsertRows },
            { "rights", rights },
            { "columns", columns },
        };
        if (row is not null)
        {
            facts.Add("row", row);
        }
        return new(facts) { MayInsert = may.Contains("insert-row"), HasSchema = may.Contains("alter-table") };
    }

    /// <summary>The forms of a database's page; null when the visitor may make no table.</summary>
    public static async Task<EditForms?> OfDatabaseAsync(ViewContext v, Database database) =>
        !database.IsMutable || database.IsMemory || !await v.AllowedAsync("create-table", database.Name)
            ? null
            : new(
                new JsonMap
                {
                    { "database", database.Name },
                    { "database_url", v.App.UrlOf(database) },
                    {
                        "rights",
                        new JsonMap { { "create", true }, { "insert", await v.AllowedAsync("insert-row", database.Name) } }
                    },
                }
            )
            {
                HasSchema = true,
            };

    private static readonly string[] TableActions = ["insert-row", "update-row", "delete-row", "alter-table", "drop-table"];
    private static readonly string[] RowActions = ["update-row", "delete-row"];

    private static async Task<JsonMap> ColumnAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        TableSchema table,
        ColumnInfo column
    )
    {
        var isAlone = table.PrimaryKeys is [var only] && only == column.Name;
        return new()
        {
            { "name", column.Name },
            { "type", column.Type },
            { "affinity", column.Affinity },
            { "not_null", column.NotNull },
            { "default", column.Default },
            { "pk", column.PkPosition > 0 },
            // Only this spelling makes a column another name of the rowid, which SQLite counts up.
            { "auto", isAlone && table.IsRowidTable && string.Equals(column.Type, "integer", StringComparison.OrdinalIgnoreCase) },
            { "format", v.App.ColumnTypes.Find(database.Name, table.Name, column.Name)?.Type },
            { "fk", await ForeignKeyAsync(v, database, schema, table, column) },
        };
    }

    /// <summary>Where a column leads; its address only where rows can be suggested: by their key, to those who may see them.</summary>
    private static async Task<JsonMap?> ForeignKeyAsync(
        ViewContext v,
        Database database,
        DatabaseSchema schema,
        TableSchema table,
        ColumnInfo column
    )
    {
        if (
            table.ForeignKeysDeclared.FirstOrDefault(key => key.Column == column.Name) is not { } key
            || !await v.AllowedAsync("view-table", database.Name, key.OtherTable)
        )
        {
            return null;
        }
        var isByKey = schema.Table(key.OtherTable)?.RowKeys is [var only] && only == key.OtherColumn;
        return new()
        {
            { "table", key.OtherTable },
            { "column", key.OtherColumn },
            { "url", isByKey ? v.App.UrlOf(database, key.OtherTable) : null },
        };
    }

    /// <summary>The frame with style, script and what the script must know.</summary>
    public LayoutModel AddTo(ViewContext v, LayoutModel layout)
    {
        var json = Encoding.UTF8.GetString(JsonBody.ToBytes(facts).Span);
        var place = new HtmlString($"<div id=\"edit-forms\" hidden{OptionalAttribute.Of("data-forms", json)}></div>");
        return layout with
        {
            Top = [.. layout.Top, place],
            ExtraStyles = [new(v.App.UrlPath(StaticFiles.Href("edit.css"))), .. layout.ExtraStyles],
            ExtraScripts =
            [
                .. Scripts.Select(name => new ExtraAsset(v.App.UrlPath(StaticFiles.Href(name)), IsModule: true)),
                .. layout.ExtraScripts,
            ],
        };
    }

    private string[] Scripts => HasSchema ? ["edit.js", "schema.js"] : ["edit.js"];

    /// <summary>The explorer with an insert filled in, for where the forms do not run.</summary>
    public static string InsertCall(ViewContext v, Database database, RelationSchema table)
    {
        var names = table.Columns.Where(column => column.Hidden == 0 && column.PkPosition == 0).Select(column => column.Name);
        var row = new JsonObject(names.Select(name => KeyValuePair.Create(name, (JsonNode?)null)));
        return ApiExplorerView.Call(v, v.App.UrlOf(database, table.Name) + "/-/insert", new JsonObject { ["row"] = row });
    }
}
