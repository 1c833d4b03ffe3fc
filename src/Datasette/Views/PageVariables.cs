using Datasette.Databases;
using Datasette.Pages;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>What templates of tables, rows and queries may show. The names are those of the original where it has them.</summary>
internal static class PageVariables
{
    public static JsonMap Of(TableData data, TableModel page, long? count, bool isPrivate, Metadata metadata)
    {
        var map = Relation(data.Database, data.Relation, isPrivate, metadata);
        map.Add("count", count);
        map.Add("count_truncated", data.IsCountTruncated);
        map.Add("count_text", page.Count);
        map.Add("human_description_en", data.Query.HumanDescription);
        map.Add("search", data.Query.Search?.Text);
        map.Add("sort", data.Query.IsDescending ? null : data.Query.Sort);
        map.Add("sort_desc", data.Query.IsDescending ? data.Query.Sort : null);
        map.Add("query", Query(data.Query.Sql, data.Query.Parameters));
        AddRows(map, page.Rows, data.Page.Columns, data.Page.Rows);
        map.Add("filters", page.Filters.SkipLast(1).Select(filter => (object)Filter(filter)).ToList());
        map.Add("facet_results", page.Facets.Select(facet => (object)Facet(facet)).ToList());
        map.Add("suggested_facets", page.SuggestedFacets.Select(facet => (object)Suggested(facet)).ToList());
        map.Add("facets_timed_out", page.TimedOutFacets);
        map.Add("extra_where_clauses", page.ExtraWheres.Select(where => (object)Link(where.Text, where.Href)).ToList());
        map.Add("next_url", page.NextHref);
        map.Add("first_url", page.FirstHref);
        map.Add("json_url", page.JsonHref);
        map.Add("csv_url", page.CsvHref);
        map.Add("sql_url", page.SqlHref);
        map.Add(data.Relation.IsView ? "view_definition" : "table_definition", page.Definition);
        AddActions(map, page.Actions);
        return map;
    }

    public static JsonMap Of(RowData data, RowPageModel page, bool isPrivate, Metadata metadata)
    {
        var map = Relation(data.Database, data.Table, isPrivate, metadata);
        map.Add("primary_key_values", data.Query.KeyValues);
        map.Add("query", Query(data.Query.Sql, data.Query.Parameters));
        map.Add("query_ms", data.Elapsed.TotalMilliseconds);
        AddRows(map, page.Rows, data.Columns, [data.Row]);
        map.Add("row", new PageRow(data.Columns, data.Row, page.Rows.Columns, page.Rows.Rows[0]));
        map.Add(
            "foreign_key_tables",
            page.Incoming.Select(link =>
                    (object)
                        new JsonMap
                        {
                            { "other_table", link.Table },
                            { "other_column", link.Column },
                            { "count_text", link.Count },
                            { "link", link.Href },
                        }
                )
                .ToList()
        );
        map.Add("json_url", page.JsonHref);
        AddActions(map, page.Actions);
        return map;
    }

    public static JsonMap Of(Database database, string? name, QueryModel page, QueryResults? results, Metadata metadata)
    {
        var parameters = new JsonMap();
        foreach (var parameter in page.Parameters)
        {
            parameters.Add(parameter.Name, parameter.Value);
        }
        var map = new JsonMap
        {
            { "database", database.Name },
            { "database_color", database.Color },
            { "metadata", metadata.ToJson() },
            { "stored_query", name },
            { "stored_query_write", page.IsWrite },
            { "heading", page.Heading },
            {
                "query",
                new JsonMap { { "sql", page.Sql }, { "params", parameters } }
            },
            { "error", page.Error },
            { "truncated", results?.Truncated == true },
            { "json_url", page.JsonHref },
            { "csv_url", page.CsvHref },
            { "edit_sql_url", page.EditHref },
        };
        AddRows(map, page.Rows ?? new("", [], []), results?.Columns ?? [], results?.Rows ?? []);
        AddActions(map, page.Actions);
        return map;
    }

    /// <summary>The entries of a page's action menu.</summary>
    public static void AddActions(JsonMap map, ActionsModel actions) =>
        map.Add("actions", actions.Links.Select(link => (object)Link(link.Label, link.Href)).ToList());

    /// <summary>Rows for a template that draws them alone.</summary>
    public static JsonMap OfRows(TableData data, RowsModel rows)
    {
        var map = Relation(data.Database, data.Relation, null, Metadata.Table(data.App, data.Database.Name, data.Name));
        AddRows(map, rows, data.Page.Columns, data.Page.Rows);
        return map;
    }

    private static JsonMap Relation(Database database, RelationSchema relation, bool? isPrivate, Metadata metadata) =>
        new()
        {
            { "database", database.Name },
            { "table", relation.Name },
            { "is_view", relation.IsView },
            { "private", isPrivate },
            { "database_color", database.Color },
            { "metadata", metadata.ToJsonWithColumns() },
            { "primary_keys", relation.PrimaryKeys },
        };

    private static void AddRows(JsonMap map, RowsModel shown, IReadOnlyList<string> columns, IReadOnlyList<object?[]> rows)
    {
        var list = rows.Select((values, i) => (object)new PageRow(columns, values, shown.Columns, shown.Rows[i])).ToList();
        map.Add("columns", columns);
        map.Add("rows", list);
        map.Add("display_columns", shown.Columns.Select(column => (object)Column(column)).ToList());
        map.Add("display_rows", list);
    }

    private static JsonMap Query(string sql, IReadOnlyDictionary<string, object?> parameters) =>
        new() { { "sql", sql }, { "params", Extras.ParametersJson(parameters) } };

    private static JsonMap Column(ColumnModel column) =>
        new()
        {
            { "name", column.Name },
            { "class", column.Class },
            { "type", column.Type },
            { "notnull", column.IsNotNull },
            { "is_pk", column.IsPk },
            { "description", column.Description },
            { "sortable", column.SortHref is not null },
            { "sort_url", column.SortHref },
            {
                "sorted",
                column.Sorted switch
                {
                    > 0 => "asc",
                    < 0 => "desc",
                    _ => null,
                }
            },
            { "foreign_table", column.ForeignTable },
        };

    private static JsonMap Filter(FilterRowModel filter) =>
        new()
        {
            { "column", filter.Columns.FirstOrDefault(option => option.IsSelected)?.Value },
            { "operator", filter.Operators.FirstOrDefault(option => option.IsSelected)?.Text },
            { "value", filter.Value },
        };

    private static JsonMap Facet(FacetModel facet) =>
        new()
        {
            { "name", facet.Name },
            { "column", facet.Column },
            { "truncated", facet.IsTruncated },
            { "hide_url", facet.HideHref },
            {
                "results",
                facet
                    .Values.Select(value =>
                        (object)
                            new JsonMap
                            {
                                { "value", value.Value },
                                { "label", value.Text },
                                { "count", value.Count },
                                { "toggle_url", value.Href },
                                { "selected", value.IsSelected },
                            }
                    )
                    .ToList()
            },
        };

    private static JsonMap Suggested(SuggestionModel facet) => new() { { "name", facet.Name }, { "toggle_url", facet.Href } };

    private static JsonMap Link(string label, string href) => new() { { "label", label }, { "href", href } };
}
