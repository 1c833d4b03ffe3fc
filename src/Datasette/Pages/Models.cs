using Microsoft.AspNetCore.Html;
using Datasette.Plugins;

namespace Datasette.Pages;

/// <summary>The error page.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Its heading.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="HomeHref">A way on.</param>
public sealed record ErrorModel(LayoutModel Layout, string Heading, string Message, int Status, string HomeHref);

/// <summary>A page that shows JSON.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="FileName">Its heading.</param>
/// <param name="Json">Indented JSON text.</param>
public sealed record ShowJsonModel(LayoutModel Layout, string FileName, string Json);

/// <summary>The page that asks before it logs out.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="ActorName">Who.</param>
/// <param name="Action">Where the form goes.</param>
public sealed record LogoutModel(LayoutModel Layout, string ActorName, string Action);

/// <summary>An action menu; shown only if it has entries.</summary>
/// <param name="Summary">Its label, such as <c>Table actions</c>.</param>
/// <param name="Links">Its entries.</param>
public sealed record ActionsModel(string Summary, IReadOnlyList<MenuLink> Links);

/// <summary>What metadata tells readers of a page.</summary>
/// <param name="Html">Shown as it is; wins over <paramref name="Text"/>.</param>
/// <param name="Text">Plain text; escaped.</param>
/// <param name="Links">License, source, about.</param>
public sealed record DescriptionModel(string? Html, string? Text, IReadOnlyList<FooterLink> Links);

/// <summary>A link of a list.</summary>
/// <param name="Name">Its text.</param>
/// <param name="Href">Where it leads.</param>
/// <param name="Title">More on hovering; null for none.</param>
/// <param name="IsPrivate">Whether anonymous visitors do not see it.</param>
public sealed record IndexLink(string Name, string Href, string? Title, bool IsPrivate);

/// <summary>One database of the home page.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Href">Its page.</param>
/// <param name="Color">Six hex digits.</param>
/// <param name="IsPrivate">Whether anonymous visitors do not see it.</param>
/// <param name="Summary">How much is in it.</param>
/// <param name="Tables">A few of its tables and views.</param>
/// <param name="HasMore">Whether there are more.</param>
/// <param name="States">What plugins say of it.</param>
public sealed record IndexItem(
    string Name,
    string Href,
    string Color,
    bool IsPrivate,
    string Summary,
    IReadOnlyList<IndexLink> Tables,
    bool HasMore,
    IReadOnlyList<IHtmlContent> States
);

/// <summary>The home page.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Title of the metadata, or the product.</param>
/// <param name="IsPrivate">Whether anonymous visitors do not see it.</param>
/// <param name="Actions">The action menu.</param>
/// <param name="Description">What metadata tells.</param>
/// <param name="Databases">The databases.</param>
public sealed record IndexModel(
    LayoutModel Layout,
    string Heading,
    bool IsPrivate,
    ActionsModel Actions,
    DescriptionModel Description,
    IReadOnlyList<IndexItem> Databases
);

/// <summary>One table of the database page.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Href">Its page.</param>
/// <param name="IsHidden">Whether it is hidden unless asked for.</param>
/// <param name="IsPrivate">Whether anonymous visitors do not see it.</param>
/// <param name="Columns">Names of its columns.</param>
/// <param name="Rows">How many rows.</param>
public sealed record DatabaseTable(string Name, string Href, bool IsHidden, bool IsPrivate, string Columns, string Rows);

/// <summary>The database page.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Title of the metadata, or the name.</param>
/// <param name="Color">Six hex digits.</param>
/// <param name="IsPrivate">Whether anonymous visitors do not see it.</param>
/// <param name="Actions">The action menu.</param>
/// <param name="Description">What metadata tells.</param>
/// <param name="Tables">The tables shown.</param>
/// <param name="Views">The views.</param>
/// <param name="Queries">The first stored queries.</param>
public sealed record DatabaseModel(
    LayoutModel Layout,
    string Heading,
    string Color,
    bool IsPrivate,
    ActionsModel Actions,
    DescriptionModel Description,
    IReadOnlyList<DatabaseTable> Tables,
    IReadOnlyList<IndexLink> Views,
    IReadOnlyList<IndexLink> Queries
)
{
    /// <summary>Where SQL is sent; null when the actor may not run any.</summary>
    public string? SqlAction { get; init; }

    /// <summary>SQL to begin with.</summary>
    public required string FirstSql { get; init; }

    /// <summary>The page of the schema.</summary>
    public required string SchemaHref { get; init; }

    /// <summary>The page of all stored queries; null when all are shown.</summary>
    public string? QueriesHref { get; init; }

    /// <summary>How many stored queries there are.</summary>
    public int QueriesCount { get; init; }

    /// <summary>How many tables are not shown.</summary>
    public int HiddenCount { get; init; }

    /// <summary>The page with hidden tables.</summary>
    public required string HiddenHref { get; init; }

    /// <summary>Databases attached to this one.</summary>
    public IReadOnlyList<IndexLink> Attached { get; init; } = [];

    /// <summary>The file to download; null when it may not be.</summary>
    public IndexLink? Download { get; init; }

    /// <summary>What stops a query.</summary>
    public required string Limits { get; init; }
}

/// <summary>One cell of a data table.</summary>
/// <param name="Classes">Its classes.</param>
/// <param name="Text">What it shows; empty shows a non-breaking space.</param>
/// <param name="Href">Where it leads; null for plain text.</param>
/// <param name="Suffix">A softer text behind it, such as the key beside a label.</param>
/// <param name="Title">More on hovering.</param>
/// <param name="Html">What a plugin shows instead.</param>
/// <param name="IsBlob">Whether the link downloads bytes.</param>
/// <param name="IsBold">Whether it is a key on its row's own page.</param>
public sealed record CellModel(
    string Classes,
    string Text,
    string? Href = null,
    string? Suffix = null,
    string? Title = null,
    IHtmlContent? Html = null,
    bool IsBlob = false,
    bool IsBold = false
)
{
    /// <summary>Texts longer than this are folded to two lines until they get the focus.</summary>
    public const int LongText = 300;

    /// <summary>Whether the text is folded.</summary>
    public bool IsLong => Text.Length > LongText;
}

/// <summary>One column of a data table.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Class">Its class.</param>
public sealed record ColumnModel(string Name, string Class)
{
    /// <summary>Where a click sorts; null when it cannot be sorted.</summary>
    public string? SortHref { get; init; }

    /// <summary>1 ascending, -1 descending, 0 not sorted by.</summary>
    public int Sorted { get; init; }

    /// <summary>Whether the attributes of a table's column are known; not so in the result of a query.</summary>
    public bool HasDetails { get; init; }

    /// <summary>The declared type.</summary>
    public string Type { get; init; } = "";

    /// <summary>Whether it must have a value.</summary>
    public bool IsNotNull { get; init; }

    /// <summary>Whether it is part of the key.</summary>
    public bool IsPk { get; init; }

    /// <summary>Whether it holds the link to the row.</summary>
    public bool IsLinkColumn { get; init; }

    /// <summary>The table that a foreign key leads to.</summary>
    public string? ForeignTable { get; init; }

    /// <summary>What the metadata says of it.</summary>
    public string? Description { get; init; }
}

/// <summary>One row of a data table.</summary>
/// <param name="Key">Its key as in its address; null without one.</param>
/// <param name="Label">What names it; null without a label column.</param>
/// <param name="Cells">Its cells.</param>
public sealed record RowModel(string? Key, string? Label, IReadOnlyList<CellModel> Cells);

/// <summary>A data table.</summary>
/// <param name="Caption">What it holds, for screen readers.</param>
/// <param name="Columns">Its columns.</param>
/// <param name="Rows">Its rows.</param>
public sealed record RowsModel(string Caption, IReadOnlyList<ColumnModel> Columns, IReadOnlyList<RowModel> Rows)
{
    /// <summary>Names before the values where rows are shown as cards: a rule a column, safe inside a style element.</summary>
    public IHtmlContent CardLabels(bool onPhoneOnly)
    {
        var css = new System.Text.StringBuilder("<style>");
        css.Append(onPhoneOnly ? "@media (max-width: 36rem) { " : "");
        for (var i = 0; i < Columns.Count; i++)
        {
            css.Append(System.Globalization.CultureInfo.InvariantCulture, $".rows-and-columns td:nth-child({i + 1})::before{{content:\"{Escape(Columns[i].Name)}\"}} ");
        }
        return new HtmlString(css.Append(onPhoneOnly ? "}" : "").Append("</style>").ToString());
    }

    private static string Escape(string name)
    {
        var text = new System.Text.StringBuilder();
        foreach (var rune in name.EnumerateRunes())
        {
            // Everything that could end a string, a rule or the element is written as a number.
            text.Append(
                System.Text.Rune.IsLetterOrDigit(rune) || rune.Value is ' ' or '_' or '-'
                    ? rune.ToString()
                    : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"\\{rune.Value:x6} ")
            );
        }
        return text.ToString();
    }
}

/// <summary>One option of a select.</summary>
/// <param name="Value">What is sent.</param>
/// <param name="Text">What is shown.</param>
/// <param name="IsSelected">Whether it is chosen.</param>
public sealed record OptionModel(string Value, string Text, bool IsSelected = false);

/// <summary>One filter of the filter form.</summary>
/// <param name="Suffix">Behind the names of its controls: empty, or an underscore and a number.</param>
/// <param name="Label">What it is, for screen readers.</param>
/// <param name="Columns">Columns to choose from.</param>
/// <param name="Operators">Operators to choose from.</param>
/// <param name="Value">The value.</param>
public sealed record FilterRowModel(string Suffix, string Label, IReadOnlyList<OptionModel> Columns, IReadOnlyList<OptionModel> Operators, string Value);

/// <summary>One value of a facet.</summary>
/// <param name="Text">Its label.</param>
/// <param name="Value">The value.</param>
/// <param name="Count">How many rows.</param>
/// <param name="Href">Adds or removes the filter.</param>
/// <param name="IsSelected">Whether it is filtered by.</param>
public sealed record FacetValueModel(string Text, string Value, string Count, string Href, bool IsSelected);

/// <summary>One facet.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Column">Its column.</param>
/// <param name="Name">Its name with its kind.</param>
/// <param name="Total">How many values.</param>
/// <param name="HideHref">Removes it; null when it is configured.</param>
/// <param name="Values">Its values.</param>
/// <param name="MoreHref">Shows more values; null when all are shown.</param>
/// <param name="IsTruncated">Whether there are more values.</param>
public sealed record FacetModel(
    string Id,
    string Column,
    string Name,
    string Total,
    string? HideHref,
    IReadOnlyList<FacetValueModel> Values,
    string? MoreHref,
    bool IsTruncated
);

/// <summary>A facet worth asking for.</summary>
/// <param name="Name">Its column.</param>
/// <param name="Href">Adds it.</param>
/// <param name="Kind">What it counts, in brackets; empty for values.</param>
public sealed record SuggestionModel(string Name, string Href, string Kind);

/// <summary>A link with its text.</summary>
/// <param name="Text">The text.</param>
/// <param name="Href">Where it leads.</param>
public sealed record TextLink(string Text, string Href);

/// <summary>The page of a table or view.</summary>
public sealed record TableModel
{
    /// <summary>The frame.</summary>
    public required LayoutModel Layout { get; init; }

    /// <summary>Its title.</summary>
    public required string Heading { get; init; }

    /// <summary>Name of the table.</summary>
    public required string Name { get; init; }

    /// <summary>Six hex digits.</summary>
    public required string Color { get; init; }

    /// <summary>The action menu.</summary>
    public required ActionsModel Actions { get; init; }

    /// <summary>What metadata tells.</summary>
    public required DescriptionModel Description { get; init; }

    /// <summary>Descriptions of columns.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ColumnDescriptions { get; init; } = [];

    /// <summary>How many rows, and which.</summary>
    public required string Count { get; init; }

    /// <summary>Filters and order in words.</summary>
    public required string Conditions { get; init; }

    /// <summary>Counts all rows; null when the count is complete.</summary>
    public string? CountHref { get; init; }

    /// <summary>Where the filter form goes.</summary>
    public required string Action { get; init; }

    /// <summary>The text searched for; null when the table cannot be searched.</summary>
    public string? Search { get; init; }

    /// <summary>The filters, a blank one last.</summary>
    public required IReadOnlyList<FilterRowModel> Filters { get; init; }

    /// <summary>Columns to sort by.</summary>
    public required IReadOnlyList<OptionModel> Sort { get; init; }

    /// <summary>Whether the order is descending.</summary>
    public bool IsDescending { get; init; }

    /// <summary>Arguments that the form keeps.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Hidden { get; init; }

    /// <summary>The extra conditions, each with the address without it.</summary>
    public IReadOnlyList<TextLink> ExtraWheres { get; init; } = [];

    /// <summary>The SQL of the page in the editor; null without the right.</summary>
    public string? SqlHref { get; init; }

    /// <summary>The page as JSON.</summary>
    public required string JsonHref { get; init; }

    /// <summary>The page as CSV; null when there are no rows.</summary>
    public string? CsvHref { get; init; }

    /// <summary>JSON in other shapes.</summary>
    public IReadOnlyList<TextLink> Shapes { get; init; } = [];

    /// <summary>Where the CSV form goes.</summary>
    public string? CsvAction { get; init; }

    /// <summary>Arguments that the CSV form keeps.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> CsvHidden { get; init; } = [];

    /// <summary>Whether labels can be expanded.</summary>
    public bool HasLabels { get; init; }

    /// <summary>Whether all rows can be streamed.</summary>
    public bool CanStream { get; init; }

    /// <summary>Facets worth asking for.</summary>
    public IReadOnlyList<SuggestionModel> SuggestedFacets { get; init; } = [];

    /// <summary>Facets that ran out of time.</summary>
    public IReadOnlyList<string> TimedOutFacets { get; init; } = [];

    /// <summary>The facets.</summary>
    public IReadOnlyList<FacetModel> Facets { get; init; } = [];

    /// <summary>The rows.</summary>
    public required RowsModel Rows { get; init; }

    /// <summary>The next page; null on the last one.</summary>
    public string? NextHref { get; init; }

    /// <summary>The first page; null when this is it.</summary>
    public string? FirstHref { get; init; }

    /// <summary>The statements that make the table.</summary>
    public required string Definition { get; init; }
}

/// <summary>Rows of another table that point to a row.</summary>
/// <param name="Count">How many.</param>
/// <param name="Href">Where they are.</param>
/// <param name="Column">The column that points.</param>
/// <param name="Table">Its table.</param>
public sealed record RowLinkModel(string Count, string Href, string Column, string Table);

/// <summary>The page of a row.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Table and key.</param>
/// <param name="Color">Six hex digits.</param>
/// <param name="Actions">The action menu.</param>
/// <param name="JsonHref">The row as JSON.</param>
/// <param name="Rows">The row.</param>
/// <param name="Incoming">What points to it.</param>
public sealed record RowPageModel(
    LayoutModel Layout,
    string Heading,
    string Color,
    ActionsModel Actions,
    string JsonHref,
    RowsModel Rows,
    IReadOnlyList<RowLinkModel> Incoming
);

/// <summary>One parameter of a query.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value.</param>
public sealed record ParameterModel(string Name, string Value);

/// <summary>The page of SQL by hand or of a stored query.</summary>
public sealed record QueryModel
{
    /// <summary>The frame.</summary>
    public required LayoutModel Layout { get; init; }

    /// <summary>Its heading.</summary>
    public required string Heading { get; init; }

    /// <summary>Six hex digits.</summary>
    public required string Color { get; init; }

    /// <summary>The action menu.</summary>
    public required ActionsModel Actions { get; init; }

    /// <summary>What metadata tells.</summary>
    public required DescriptionModel Description { get; init; }

    /// <summary>Where the form goes.</summary>
    public required string Action { get; init; }

    /// <summary>What came out, such as <c>returning 2 rows</c>; empty before the first run.</summary>
    public required string Outcome { get; init; }

    /// <summary>The SQL.</summary>
    public required string Sql { get; init; }

    /// <summary>Whether it can be changed here.</summary>
    public bool IsEditable { get; init; }

    /// <summary>Whether it is not shown.</summary>
    public bool IsHidden { get; init; }

    /// <summary>Shows or hides the SQL.</summary>
    public required string ToggleHref { get; init; }

    /// <summary>Arguments that the form keeps.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Hidden { get; init; } = [];

    /// <summary>The parameters.</summary>
    public IReadOnlyList<ParameterModel> Parameters { get; init; } = [];

    /// <summary>What went wrong; null when nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>The SQL in the editor; null where it is already.</summary>
    public string? EditHref { get; init; }

    /// <summary>The result as JSON; null without a result.</summary>
    public string? JsonHref { get; init; }

    /// <summary>The result as CSV; null without rows.</summary>
    public string? CsvHref { get; init; }

    /// <summary>How long it took and whether rows are missing.</summary>
    public string? Note { get; init; }

    /// <summary>The rows; null without any.</summary>
    public RowsModel? Rows { get; init; }

    /// <summary>What stops a query.</summary>
    public required string Limits { get; init; }
}

/// <summary>A page of statements.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Its heading.</param>
/// <param name="Sections">The statements (as text) with the name of their database (as address); no name where there is only one.</param>
public sealed record SchemaModel(LayoutModel Layout, string Heading, IReadOnlyList<TextLink> Sections);

/// <summary>Attributes that are left out when there is nothing to say. Razor leaves out null only for names without <c>data-</c>.</summary>
public static class OptionalAttribute
{
    /// <summary>The attribute with a space before it, or nothing.</summary>
    public static IHtmlContent Of(string name, string? value) =>
        value is null ? HtmlString.Empty : new HtmlString($" {name}=\"{System.Text.Encodings.Web.HtmlEncoder.Default.Encode(value)}\"");
}
