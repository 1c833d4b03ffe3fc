namespace Datasette.Pages;

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
public sealed record FilterRowModel(
    string Suffix,
    string Label,
    IReadOnlyList<OptionModel> Columns,
    IReadOnlyList<OptionModel> Operators,
    string Value
);

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

    /// <summary>Formats of plugins.</summary>
    public IReadOnlyList<TextLink> Formats { get; init; } = [];

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

    /// <summary>How long a facet may take, in milliseconds.</summary>
    public int FacetLimit { get; init; }

    /// <summary>The page without its filters and search; null when it has none.</summary>
    public string? UnfilteredHref { get; init; }

    /// <summary>The facets.</summary>
    public IReadOnlyList<FacetModel> Facets { get; init; } = [];

    /// <summary>The rows.</summary>
    public required RowsModel Rows { get; init; }

    /// <summary>The columns, with what can be done with each.</summary>
    public required ColumnPanelModel Columns { get; init; }

    /// <summary>Where a row is inserted when no script does more; null without the right.</summary>
    public string? InsertHref { get; init; }

    /// <summary>The next page; null on the last one.</summary>
    public string? NextHref { get; init; }

    /// <summary>The first page; null when this is it.</summary>
    public string? FirstHref { get; init; }

    /// <summary>The statements that make the table.</summary>
    public required string Definition { get; init; }
}
