using Datasette.Pages;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>What can be done with each column of a table's page.</summary>
internal sealed class ColumnPanelBuilder(ViewContext v, TableData data, IReadOnlyList<ColumnModel> shown, IReadOnlyList<string> faceted)
{
    private readonly string path = v.App.UrlPath(v.Path);

    public ColumnPanelModel Make()
    {
        var visible = shown.Where(column => !column.IsLinkColumn).ToList();
        var rest = TableQueryParser.AllColumns(data.Relation).Where(name => visible.All(column => column.Name != name));
        var hidden = v.Args.Pairs.Where(pair => pair.Value.Length > 0 && pair.Key is not ("_col" or "_nocol" or "_next")).ToList();
        return new(
            path,
            hidden,
            [
                .. visible.Select(column => new ColumnChoice(column.Name, Note(column), true, IsKey(column.Name), Links(column))
                {
                    Description = column.Description,
                }),
                .. rest.Select(name => new ColumnChoice(
                    name,
                    (data.Relation.Column(name)?.Type ?? "").ToLowerInvariant(),
                    false,
                    false,
                    []
                )),
            ]
        )
        {
            Database = data.Database.Name,
            Table = data.Name,
            AllHref = v.Args.Has("_col") || v.Args.Has("_nocol") ? To(v.Args.Without("_col", "_nocol", "_next")) : null,
        };
    }

    private bool IsKey(string name) => data.Relation.RowKeys.Contains(name);

    /// <summary>Type and constraints in words.</summary>
    public static string Note(ColumnModel column) =>
        string.Join(
            ", ",
            new[]
            {
                column.Type.Length > 0 ? column.Type : null,
                column.IsPk ? "primary key" : null,
                column.IsNotNull ? "not null" : null,
                column.ForeignTable is { } table ? "refers to " + table : null,
            }.Where(part => part is not null)
        );

    private List<TextLink> Links(ColumnModel column)
    {
        var name = column.Name;
        var links = new List<TextLink>();
        if (column.SortHref is not null)
        {
            var unsorted = v.Args.Without("_sort", "_sort_desc", "_next");
            if (column.Sorted != 1)
            {
                links.Add(new("Sort ascending", To(unsorted.With("_sort", name))));
            }
            if (column.Sorted != -1)
            {
                links.Add(new("Sort descending", To(unsorted.With("_sort_desc", name))));
            }
        }
        if (v.App.Settings.AllowFacet && !column.IsPk && !faceted.Contains(name))
        {
            links.Add(new("Facet by this", To(v.Args.Without("_next").With("_facet", name)) + "#facet-" + TildeEncoding.CssClass(name)));
        }
        if (!IsKey(name))
        {
            links.Add(new("Hide this column", To(v.Args.Without("_next").WithoutPair("_col", name).With("_nocol", name))));
        }
        var notBlank = name + "__notblank";
        if (!column.IsNotNull && !column.IsPk && !v.Args.Has(notBlank))
        {
            links.Add(new("Show not-blank rows", To(v.Args.Without("_next").With(notBlank, "1"))));
        }
        return links;
    }

    private string To(QueryArgs args) => args.ToPath(path);
}
