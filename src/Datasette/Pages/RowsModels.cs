using Microsoft.AspNetCore.Html;

namespace Datasette.Pages;

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

    /// <summary>Whether all that is shown of it are numbers; said only where no type is known.</summary>
    public bool IsNumeric { get; init; }

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
            css.Append(
                System.Globalization.CultureInfo.InvariantCulture,
                $".rows-and-columns td:nth-child({i + 1})::before{{content:\"{Escape(Columns[i].Name)}\"}} "
            );
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
)
{
    /// <summary>Formats of plugins.</summary>
    public IReadOnlyList<TextLink> Formats { get; init; } = [];
}

/// <summary>Attributes that are left out when there is nothing to say. Razor leaves out null only for names without <c>data-</c>.</summary>
public static class OptionalAttribute
{
    /// <summary>The attribute with a space before it, or nothing.</summary>
    public static IHtmlContent Of(string name, string? value) =>
        value is null ? HtmlString.Empty : new HtmlString($" {name}=\"{System.Text.Encodings.Web.HtmlEncoder.Default.Encode(value)}\"");
}
