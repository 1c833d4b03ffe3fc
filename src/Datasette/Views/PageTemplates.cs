using Datasette.Responses;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>Which templates may stand for which page: the most special name first, as the original looks them up.</summary>
internal static class PageTemplates
{
    public static PageTemplate Database(string database, Func<JsonMap> variables) =>
        new("database", $"database-{Css(database)}.html", "database.html") { Variables = variables };

    public static PageTemplate Table(string database, string table, Func<JsonMap> variables) =>
        new("table", $"table-{Css(database)}-{Css(table)}.html", "table.html")
        {
            RowNames = Rows("table", database, table),
            Variables = variables,
        };

    public static PageTemplate Row(string database, string table, Func<JsonMap> variables) =>
        new("row", $"row-{Css(database)}-{Css(table)}.html", "row.html") { RowNames = Rows("row", database, table), Variables = variables };

    public static PageTemplate Query(string database, string? query, Func<JsonMap> variables) =>
        query is null
            ? new("query", $"query-{Css(database)}.html", "query.html") { Variables = variables }
            : new("query", $"query-{Css(database)}-{Css(query)}.html", $"query-{Css(database)}.html", "query.html")
            {
                Variables = variables,
            };

    /// <summary>Names of the templates that draw only the rows of a page.</summary>
    public static IReadOnlyList<string> Rows(string page, string database, string table) =>
        [$"_table-{Css(database)}-{Css(table)}.html", $"_table-{page}-{Css(database)}-{Css(table)}.html", "_table.html"];

    private static string Css(string name) => TildeEncoding.CssClass(name);
}
