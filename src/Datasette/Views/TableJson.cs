using Datasette.Databases;
using Datasette.Responses;
using Datasette.Tables;

namespace Datasette.Views;

/// <summary>A page of a table as JSON.</summary>
internal static class TableJson
{
    public static async Task<Response> MakeAsync(ViewContext v, TableData data)
    {
        var head = new JsonMap { { "next", data.Page.Next }, { "next_url", data.NextUrl } };
        var bare = DataShapes.HasNoFrame(v.Args);
        if (!bare)
        {
            var asked = Extras.Asked(v.Args);
            if (asked.Count > 0)
            {
                await Available(v, data).FillAsync(v, head);
            }
            if (asked.Contains("count") && !asked.Contains("count_truncated"))
            {
                head.Add("count_truncated", data.IsCountTruncated);
            }
            if (!asked.Contains("facet_results") && v.Args.Pairs.Any(pair => pair.Key.StartsWith("_facet", StringComparison.Ordinal)))
            {
                head.Add("facet_results", (await data.FacetsAsync(withConfigured: true)).ToJson());
            }
        }
        var wanted = v.Args.All("_label").ToHashSet();
        var all = v.Args["_labels"] is { } text && DataShapes.ParseBoolean(text) == true;
        var labels = await LabelExpander.LoadAsync(
            v,
            data.Database,
            data.Schema,
            data.Relation,
            data.Page.Columns,
            data.Page.Rows,
            column => all || wanted.Contains(column)
        );
        var shaped = new ShapedData(data.Page.Columns, labels.Apply(data.Page.Columns, data.Page.Rows))
        {
            Head = head,
            Tail = new JsonMap { { "truncated", false } },
            IsTable = true,
            KeyOf = data.Relation.PrimaryKeys.Count == 0 ? null : RowKeys.Of(data.Relation, data.Page.Columns),
        };
        return DataShapes.Render(v.Args, shaped);
    }

    private static Extras Available(ViewContext v, TableData data)
    {
        var extras = new Extras();
        AddCounts(extras, v, data);
        AddColumns(extras, v, data);
        AddContext(extras, v, data);
        return extras;
    }

    private static void AddCounts(Extras extras, ViewContext v, TableData data)
    {
        extras.Add("count", "Rows that match the filters", async () => await data.CountAsync());
        extras.Add(
            "count_truncated",
            "Whether counting stopped at its limit",
            async () =>
            {
                await data.CountAsync();
                return data.IsCountTruncated;
            }
        );
        extras.Add("count_sql", "The SQL that counts", () => data.Query.CountSql);
        extras.Add("facet_results", "Facets and their values", async () => (await data.FacetsAsync(true)).ToJson());
        extras.Add("facets_timed_out", "Facets that ran out of time", async () => (await data.FacetsAsync(true)).TimedOut);
        extras.Add(
            "suggested_facets",
            "Facets worth asking for",
            async () => (await data.SuggestedFacetsAsync()).Select(SuggestionJson).ToList()
        );
        extras.Add("human_description_en", "Filters and order in words", () => data.Query.HumanDescription);
        extras.Add(
            "sorted_facet_results",
            "Facets in the order of the page",
            async () => (await data.FacetsAsync(true)).Sorted.Select(facet => (object)facet.ToJson()).ToList()
        );
        extras.Add(
            "query",
            "The SQL of this page and its parameters",
            () => new JsonMap { { "sql", data.Query.ReadableSql }, { "params", Extras.ParametersJson(data.Query.Parameters) } }
        );
        extras.Add("request", "The request as the server saw it", () => Extras.RequestJson(v));
    }

    private static void AddColumns(Extras extras, ViewContext v, TableData data)
    {
        extras.Add("columns", "Columns of this page", () => data.Page.Columns);
        extras.Add("all_columns", "All columns of the table", () => data.Relation.ColumnNames);
        extras.Add("primary_keys", "Columns of the primary key", () => data.Relation.PrimaryKeys);
        extras.Add("column_details", "Type and constraints of each column", () => Extras.ColumnDetails(data.Relation));
        extras.Add(
            "display_columns",
            "Columns as the page shows them",
            () => TablePageBuilder.Columns(v, data).Select(DisplayColumn).ToList()
        );
        extras.Add(
            "render_cell",
            "HTML of cells that a plugin renders",
            () => Extras.RenderedCells(v, data.Database.Name, data.Name, data.Page.Columns, data.Page.Rows)
        );
        extras.Add("column_types", "Types given to columns", () => ColumnTypes.ToJson(v, data.Database.Name, data.Relation));
        extras.Add("set_column_type_ui", "What the page needs to set column types", () => null);
        extras.Add(
            "expandable_columns",
            "Foreign keys that can be shown with labels",
            async () =>
            {
                var list = new List<object>();
                foreach (var column in LabelExpander.Expandable(v, data.Database, data.Schema, data.Relation))
                {
                    if (await v.MayKnowAsync(data.Database.Name, column.Key.OtherTable))
                    {
                        list.Add(Expandable(column));
                    }
                }
                return list;
            }
        );
    }

    private static void AddContext(Extras extras, ViewContext v, TableData data)
    {
        extras.Add(
            "metadata",
            "What the metadata says of the table",
            () => Metadata.Table(v.App, data.Database.Name, data.Name).ToJsonWithColumns()
        );
        extras.Add("database", "Name of the database", () => data.Database.Name);
        extras.Add("table", "Name of the table", () => data.Name);
        extras.Add("database_color", "Colour of the database", () => data.Database.Color);
        extras.Add("renderers", "Formats of this data and their addresses", () => Renderers(v, data));
        extras.Add("custom_table_templates", "Names of templates, none here", () => Array.Empty<object>());
        extras.Add(
            "table_definition",
            "The statements that make the table",
            () => data.Relation.IsView ? null : Extras.Definition(data.Relation)
        );
        extras.Add(
            "view_definition",
            "The statement that makes the view",
            () => data.Relation.IsView ? Extras.Definition(data.Relation) : null
        );
        extras.Add("is_view", "Whether this is a view", () => data.Relation.IsView);
        extras.Add(
            "private",
            "Whether anonymous visitors do not see it",
            async () => await v.IsPrivateAsync("view-table", data.Database.Name, data.Name)
        );
        extras.Add(
            "form_hidden_args",
            "Arguments that a form keeps",
            () => TablePageBuilder.HiddenArgs(v.Args).Select(pair => (object)new object[] { pair.Key, pair.Value }).ToList()
        );
        extras.Add(
            "debug",
            "How the address was understood",
            () =>
                new JsonMap
                {
                    {
                        "resolved",
                        new JsonMap
                        {
                            { "database", data.Database.Name },
                            { "table", data.Name },
                            { "is_view", data.Relation.IsView },
                        }
                    },
                    { "url_vars", Extras.UrlVars(v) },
                }
        );
    }

    private static JsonMap Renderers(ViewContext v, TableData data)
    {
        var labels = LabelExpander.Expandable(v, data.Database, data.Schema, data.Relation).Count > 0 ? "&_labels=on" : "";
        var args = v.Args.Raw.Length > 0 ? v.Args.Raw + "&" : "";
        var map = new JsonMap { { "json", v.App.UrlPath($"{v.Path}?{args}_format=json{labels}") } };
        foreach (var format in Formats.Links(v, Formats.Of(v, data)))
        {
            map.Add(format.Text, format.Href);
        }
        return map;
    }

    private static object DisplayColumn(Pages.ColumnModel column) =>
        new JsonMap
        {
            { "name", column.Name },
            { "sortable", column.SortHref is not null },
            { "is_pk", column.IsPk },
            { "type", column.Type },
            { "notnull", column.IsNotNull ? 1 : 0 },
        };

    private static object SuggestionJson(SuggestedFacet facet)
    {
        var map = new JsonMap { { "name", facet.Name }, { "toggle_url", facet.ToggleUrl } };
        if (facet.Type is { } type)
        {
            map.Add("type", type);
        }
        return map;
    }

    private static object Expandable(ExpandableColumn column) =>
        new object?[]
        {
            new JsonMap
            {
                { "column", column.Key.Column },
                { "other_table", column.Key.OtherTable },
                { "other_column", column.Key.OtherColumn },
            },
            column.LabelColumn,
        };
}

/// <summary>Keys of rows as they stand in addresses.</summary>
internal static class RowKeys
{
    /// <summary>Finds the key among the columns of a page; they always hold it.</summary>
    public static Func<object?[], string> Of(RelationSchema relation, IReadOnlyList<string> columns)
    {
        var indexes = relation.RowKeys.Select(columns.IndexOf).ToArray();
        return row => RowQuery.Segment(indexes.Select(index => row[index]));
    }
}
