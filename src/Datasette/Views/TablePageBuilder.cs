using System.Globalization;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>A page of a table as HTML.</summary>
internal static class TablePageBuilder
{
    public static async Task<Response> MakeAsync(ViewContext v, TableData data)
    {
        var count = await data.CountAsync();
        var facets = await data.FacetsAsync(withConfigured: true);
        var labels = await LabelsAsync(v, data);
        var suggested = await data.SuggestedFacetsAsync();
        var metadata = Metadata.Table(v.App, data.Database.Name, data.Name);
        var isPrivate = await v.IsPrivateAsync("view-table", data.Database.Name, data.Name);
        var alternate = v.Absolute(v.PathWithFormat("json"));
        var layout = await LayoutAsync(v, data, metadata, count, alternate);
        var forms = await EditForms.OfTableAsync(v, data.Database, data.Schema, data.Relation);
        var hasRows = data.Page.Rows.Count > 0;
        var expand = labels.Columns.Count > 0 ? "_labels=on" : null;
        var others = await LabelExpander.KnownAsync(v, data.Database, data.Schema, data.Relation);
        var columns = Columns(v, data, metadata, others);
        var faceted = facets.Results.Where(facet => facet.Request.Kind == FacetKind.Column).Select(facet => facet.Request.Column).ToList();
        var model = new TableModel
        {
            Layout = forms?.AddTo(v, layout) ?? layout,
            Heading = (metadata["title"] ?? data.Name) + (data.Relation.IsView ? " (view)" : "") + (isPrivate ? " 🔒" : ""),
            Name = data.Name,
            Color = data.Database.Color,
            Actions = await ActionsAsync(v, data),
            Description = metadata.Description(),
            ColumnDescriptions = metadata.Columns,
            Count = CountText(data, count),
            Conditions = data.Query.HumanDescription,
            CountHref = data.IsCountTruncated ? await CountHrefAsync(v, data) : null,
            Action = v.App.UrlPath(v.Path),
            Search = data.Query.Search is { } search ? search.Text ?? "" : null,
            Filters = FilterRows(data),
            Sort = SortOptions(data),
            IsDescending = data.Query.Sort is not null && data.Query.IsDescending,
            Hidden = HiddenArgs(v.Args).ToList(),
            ExtraWheres = data
                .Query.ExtraWheres.Select(where => new TextLink(where, v.App.UrlPath(v.Args.WithoutPair("_where", where).ToPath(v.Path))))
                .ToList(),
            SqlHref = await SqlHrefAsync(v, data),
            JsonHref = v.PathWithFormat("json", expand),
            Formats = Formats.Links(v, Formats.Of(v, data)),
            CsvHref = hasRows ? v.PathWithFormat("csv", Join(expand, "_size=max")) : null,
            Shapes = Shapes(v, data, expand),
            CsvAction = hasRows ? v.App.UrlPath(v.Path) + ".csv" : null,
            CsvHidden = CsvHidden(v.Args),
            HasLabels = expand is not null,
            CanStream = data.NextUrl is not null && v.App.Settings.AllowCsvStream,
            SuggestedFacets = suggested
                .Select(facet => new SuggestionModel(
                    facet.Name,
                    facet.ToggleUrl + "#facet-" + TildeEncoding.CssClass(facet.Name),
                    Kind(facet.Type)
                ))
                .ToList(),
            TimedOutFacets = facets.TimedOut,
            Facets = facets.Sorted.Select(facet => Facet(v, facet)).ToList(),
            FacetLimit = v.App.Settings.FacetTimeLimitMs,
            UnfilteredHref = data.Query.IsFiltered ? UnfilteredHref(v) : null,
            Rows = new($"Rows of {data.Name}", columns, Rows(v, data, labels)),
            Columns = new ColumnPanelBuilder(v, data, columns, faceted).Make(),
            InsertHref = forms is { MayInsert: true } ? EditForms.InsertCall(v, data.Database, data.Relation) : null,
            NextHref = data.NextUrl,
            FirstHref = v.Args.Flag("_next") ? v.App.UrlPath(v.Args.Without("_next").ToPath(v.Path)) : null,
            Definition = Extras.Definition(data.Relation),
        };
        var template = PageTemplates.Table(data.Database.Name, data.Name, () => PageVariables.Of(data, model, count, isPrivate, metadata));
        return Respond
            .Html(TableSlice.Create(model), 200, template)
            .With("Link", HtmlLinks.Alternate(alternate))
            .With("Cache-Control", forms is null ? null : EditForms.CacheControl);
    }

    /// <summary>The rows alone.</summary>
    public static async Task<RowsModel> RowsAsync(ViewContext v, TableData data)
    {
        var labels = await LabelsAsync(v, data);
        var metadata = Metadata.Table(v.App, data.Database.Name, data.Name);
        var others = await LabelExpander.KnownAsync(v, data.Database, data.Schema, data.Relation);
        return new($"Rows of {data.Name}", Columns(v, data, metadata, others), Rows(v, data, labels));
    }

    /// <summary>Arguments that a form must carry along: those that begin with an underscore, but not order, search and page.</summary>
    public static IEnumerable<KeyValuePair<string, string>> HiddenArgs(QueryArgs args) =>
        args.Pairs.Where(pair =>
            pair.Key.StartsWith('_')
            && pair.Key is not ("_sort" or "_sort_desc" or "_search" or "_next")
            && !pair.Key.Contains("__", StringComparison.Ordinal)
        );

    /// <param name="v">The request.</param>
    /// <param name="data">The page.</param>
    /// <param name="metadata">Descriptions of columns.</param>
    /// <param name="others">Foreign tables that the visitor may know of; null names none.</param>
    public static IReadOnlyList<ColumnModel> Columns(
        ViewContext v,
        TableData data,
        Metadata? metadata = null,
        IReadOnlySet<string>? others = null
    )
    {
        var relation = data.Relation;
        var foreign = LabelExpander.Expandable(v, data.Database, data.Schema, relation);
        var columns = new List<ColumnModel>();
        if (!relation.IsView && relation.RowKeys is not [_] || relation.UsesRowid)
        {
            columns.Add(new("Link", Cells.Class("Link")) { HasDetails = true, IsLinkColumn = true });
        }
        var (sort, descending) = EffectiveSort(data);
        foreach (var name in data.Page.Columns)
        {
            var info = relation.Column(name);
            var isRowid = relation.UsesRowid && name == "rowid" && info is null;
            var sorted =
                name != sort ? 0
                : descending ? -1
                : 1;
            columns.Add(
                new(name, Cells.Class(name))
                {
                    HasDetails = true,
                    Type = isRowid ? "integer" : (info?.Type ?? "").ToLowerInvariant(),
                    IsNotNull = info?.NotNull == true,
                    IsPk = isRowid || relation.PrimaryKeys.Contains(name),
                    Sorted = sorted,
                    SortHref = data.Query.SortableColumns.Contains(name) ? SortHref(v, name, sorted) : null,
                    ForeignTable = foreign
                        .FirstOrDefault(column => column.Key.Column == name && others?.Contains(column.Key.OtherTable) == true)
                        ?.Key.OtherTable,
                    Description = metadata?.Columns.FirstOrDefault(pair => pair.Key == name) is { Key: not null } described
                        ? described.Value
                        : null,
                }
            );
        }
        return columns;
    }

    private static string SortHref(ViewContext v, string column, int sorted)
    {
        var args = v.Args.Without("_sort", "_sort_desc", "_next").With(sorted == 1 ? "_sort_desc" : "_sort", column);
        return v.App.UrlPath(args.ToPath(v.Path));
    }

    /// <summary>Without a sort of its own a table is in the order of its key, if that is one column.</summary>
    private static (string? Sort, bool IsDescending) EffectiveSort(TableData data) =>
        data.Query.Sort is { } sort ? (sort, data.Query.IsDescending)
        : data.Relation is { IsView: false, RowKeys: [var key] } ? (key, false)
        : (null, false);

    private static async Task<LayoutModel> LayoutAsync(ViewContext v, TableData data, Metadata metadata, long? count, string alternate)
    {
        var (database, name) = (data.Database.Name, data.Name);
        var words = data.Query.HumanDescription.Length > 0 ? " " + data.Query.HumanDescription : "";
        var css = $"table db-{TildeEncoding.CssClass(database)} table-{TildeEncoding.CssClass(name)}";
        var title = $"{database}: {name}: {CountText(data, count)}{words}";
        v.IsPage("table", new PageSubject(data.Database, name, data.Relation.IsView), data.Page.Columns);
        var layout = await v.App.LayoutAsync(v.Http, title, css, await Crumbs.OfAsync(v, data.Database, name));
        return layout with { AlternateUrl = alternate, FooterLinks = metadata.Links() };
    }

    private static async Task<ActionsModel> ActionsAsync(ViewContext v, TableData data)
    {
        var subject = new PageSubject(data.Database, data.Name, data.Relation.IsView);
        var links = await v.App.Hooks.Pages.TableActionsAsync(v.App, v.Actor, subject, v.Http);
        return new(data.Relation.IsView ? "View actions" : "Table actions", links)
        {
            Buttons = await WriteActions.OfTableAsync(v, data.Database, data.Relation),
        };
    }

    private static Task<LabelExpander> LabelsAsync(ViewContext v, TableData data)
    {
        var isOff = v.Args["_labels"] is { } text && DataShapes.ParseBoolean(text) == false;
        return LabelExpander.LoadAsync(v, data.Database, data.Schema, data.Relation, data.Page.Columns, data.Page.Rows, _ => !isOff);
    }

    private static string CountText(TableData data, long? count) =>
        count is not { } rows ? "Many rows"
        : data.IsCountTruncated ? ">10,000 rows"
        : Phrases.Count(rows, "row");

    private static List<FilterRowModel> FilterRows(TableData data)
    {
        var names = TableQueryParser.AllColumns(data.Relation);
        var rows = new List<FilterRowModel>();
        foreach (var (i, filter) in data.Query.Filters.Index())
        {
            var columns = names.Contains(filter.Column) ? names : [.. names, filter.Column];
            rows.Add(
                new(
                    string.Create(CultureInfo.InvariantCulture, $"_{i + 1}"),
                    $"Filter {i + 1}",
                    [new("", "- remove filter -"), .. columns.Select(name => new OptionModel(name, name, name == filter.Column))],
                    Operators(filter.Operator),
                    filter.Value
                )
            );
        }
        rows.Add(new("", "New filter", [new("", "- column -"), .. names.Select(name => new OptionModel(name, name))], Operators(null), ""));
        return rows;
    }

    private static IReadOnlyList<OptionModel> Operators(string? selected) =>
        TableFilters
            .Operators.Select(op => new OptionModel(op.TakesValue ? op.Key : op.Key + "__1", op.Label, op.Key == selected))
            .ToList();

    private static IReadOnlyList<OptionModel> SortOptions(TableData data)
    {
        var (sort, _) = EffectiveSort(data);
        var sortable = data.Page.Columns.Where(data.Query.SortableColumns.Contains);
        return [new("", "Sort..."), .. sortable.Select(name => new OptionModel(name, "Sort by " + name, name == sort))];
    }

    private static async Task<string?> SqlHrefAsync(ViewContext v, TableData data)
    {
        if (!await v.AllowedAsync("execute-sql", data.Database.Name))
        {
            return null;
        }
        var args = new List<KeyValuePair<string, string>> { new("sql", data.Query.ReadableSql) };
        args.AddRange(data.Query.Parameters.Select(pair => new KeyValuePair<string, string>(pair.Key, PageToken.Text(pair.Value))));
        return QueryArgs.FromPairs(args).ToPath(v.App.UrlOf(data.Database));
    }

    /// <summary>The same question without filters, search and page.</summary>
    private static string UnfilteredHref(ViewContext v) =>
        v.App.UrlPath(
            QueryArgs
                .FromPairs(
                    v.Args.Pairs.Where(pair =>
                        TableFilters.IsSpecial(pair.Key)
                        && !pair.Key.StartsWith("_search", StringComparison.Ordinal)
                        && pair.Key is not ("_next" or "_where" or "_through")
                    )
                )
                .ToPath(v.Path)
        );

    /// <summary>Counts all rows, beyond the limit of the page; null without the right to run SQL.</summary>
    private static async Task<string?> CountHrefAsync(ViewContext v, TableData data)
    {
        if (!await v.AllowedAsync("execute-sql", data.Database.Name))
        {
            return null;
        }
        var args = new List<KeyValuePair<string, string>> { new("sql", "select count(*) " + data.Query.FromSql.TrimEnd()) };
        args.AddRange(data.Query.FilterParameters.Select(pair => new KeyValuePair<string, string>(pair.Key, PageToken.Text(pair.Value))));
        return QueryArgs.FromPairs(args).ToPath(v.App.UrlOf(data.Database) + "/-/query");
    }

    private static string? Join(string? first, string second) => first is null ? second : first + "&" + second;

    private static List<TextLink> Shapes(ViewContext v, TableData data, string? expand)
    {
        var shapes = new List<TextLink>
        {
            new("default", v.PathWithFormat("json", expand)),
            new("array", v.PathWithFormat("json", Join(expand, "_shape=array"))),
            new("newline-delimited", v.PathWithFormat("json", Join(expand, "_shape=array&_nl=on"))),
        };
        if (data.Relation.PrimaryKeys.Count > 0)
        {
            shapes.Add(new("object", v.PathWithFormat("json", Join(expand, "_shape=object"))));
        }
        return shapes;
    }

    private static List<KeyValuePair<string, string>> CsvHidden(QueryArgs args) =>
        [.. args.Pairs.Where(pair => pair.Value.Length > 0 && pair.Key is not ("_labels" or "_facet" or "_size")), new("_size", "max")];

    private static string Kind(string? type) => type is null or "column" ? "" : $" ({type})";

    private static FacetModel Facet(ViewContext v, FacetResult facet)
    {
        var name = facet.Request.Column;
        var more = v.Args["_facet_size"] == "max" ? null : v.App.UrlPath(v.Args.Replace("_facet_size", "max").ToPath(v.Path));
        return new(
            "facet-" + TildeEncoding.CssClass(facet.Key),
            name,
            name + Kind(facet.Request.Type),
            (facet.IsTruncated ? ">" : "") + Phrases.Number(facet.Values.Count),
            facet.Request.IsConfigured ? null : facet.HideHref,
            facet.Values.Select(FacetValue).ToList(),
            more,
            facet.IsTruncated
        );
    }

    private static FacetValueModel FacetValue(FacetValue value)
    {
        var label = PageToken.Text(value.Label);
        return new(
            label.Length == 0 ? "-" : label,
            PageToken.Text(value.Value),
            Phrases.Number(value.Count),
            value.ToggleUrl,
            value.IsSelected
        );
    }

    private static List<RowModel> Rows(ViewContext v, TableData data, LabelExpander labels)
    {
        var relation = data.Relation;
        var home = v.App.UrlOf(data.Database, data.Name);
        var columns = data.Page.Columns;
        var cells = new Cells(v, data.Database, data.Name) { Limit = v.App.Settings.TruncateCellsHtml, Columns = columns };
        var keyOf = relation.IsView ? null : RowKeys.Of(relation, columns);
        var single = relation is { IsView: false, UsesRowid: false, PrimaryKeys: [var only] } ? only : null;
        var label = RowLabels.ColumnOf(v, data.Database.Name, relation) is { } name ? columns.IndexOf(name) : -1;
        var rows = new List<RowModel>(data.Page.Rows.Count);
        foreach (var row in data.Page.Rows)
        {
            cells.Row = row;
            var key = keyOf?.Invoke(row);
            var list = new List<CellModel>(columns.Count + 1);
            if (key is not null && single is null)
            {
                list.Add(
                    cells.RowLink(
                        "Link",
                        string.Join(',', relation.RowKeys.Select(k => PageToken.Text(row[columns.IndexOf(k)]))),
                        $"{home}/{key}"
                    )
                );
            }
            for (var i = 0; i < columns.Count; i++)
            {
                if (key is not null && columns[i] == single)
                {
                    list.Add(cells.RowLink(single, PageToken.Text(row[i]), $"{home}/{key}"));
                }
                else if (row[i] is { } value && labels.TryGet(columns[i], value, out var text, out var foreign))
                {
                    var other = $"{v.App.UrlOf(data.Database, foreign.OtherTable)}/{RowQuery.Segment([value])}";
                    list.Add(cells.Expanded(columns[i], value, text, other));
                }
                else
                {
                    var blob =
                        key is null || row[i] is not byte[] ? null : $"{home}/{key}.blob?_blob_column={QueryArgs.Escape(columns[i])}";
                    list.Add(cells.Make(columns[i], row[i], blob));
                }
            }
            rows.Add(new(key, label >= 0 && row[label] is not (null or "") ? PageToken.Text(row[label]) : null, list));
        }
        return rows;
    }
}

/// <summary>What names a row.</summary>
internal static class RowLabels
{
    /// <summary>The configured or detected label column; null without one.</summary>
    public static string? ColumnOf(ViewContext v, string database, Databases.RelationSchema relation) =>
        relation is Databases.TableSchema table
            ? v.App.Config.Table(database, table.Name)["label_column"]?.ToString() ?? table.LabelColumn
            : null;
}
