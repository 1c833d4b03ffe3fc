using Datasette.Plugins;
using Microsoft.AspNetCore.Html;

namespace Datasette.Pages;

/// <summary>The error page.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Its heading.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="HomeHref">A way on.</param>
public sealed record ErrorModel(LayoutModel Layout, string Heading, string Message, int Status, string HomeHref)
{
    /// <summary>What can be done about it.</summary>
    public ErrorHint Hint { get; init; } = ErrorHint.None;
}

/// <summary>What a person can do about an error.</summary>
/// <param name="Explanation">A sentence more; null for none.</param>
/// <param name="Links">Where to go from here, the most likely place first.</param>
public sealed record ErrorHint(string? Explanation, IReadOnlyList<TextLink> Links)
{
    /// <summary>Nothing is known.</summary>
    public static readonly ErrorHint None = new(null, []);

    /// <summary>The SQL that was sent, so that it can be changed; null for none.</summary>
    public string? Sql { get; init; }

    /// <summary>Where changed SQL is sent.</summary>
    public string? SqlAction { get; init; }
}

/// <summary>A page that shows JSON.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="FileName">Its heading.</param>
/// <param name="Json">Indented JSON text.</param>
public sealed record ShowJsonModel(LayoutModel Layout, string FileName, string Json);

/// <summary>A page whose content somebody else has made, such as a plugin.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Content">What stands in it.</param>
public sealed record ContentModel(LayoutModel Layout, IHtmlContent Content);

/// <summary>The page that asks before it logs out.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="ActorName">Who.</param>
/// <param name="Action">Where the form goes.</param>
public sealed record LogoutModel(LayoutModel Layout, string ActorName, string Action);

/// <summary>An action menu; shown only if it has entries.</summary>
/// <param name="Summary">Its label, such as <c>Table actions</c>.</param>
/// <param name="Links">Its entries.</param>
public sealed record ActionsModel(string Summary, IReadOnlyList<MenuLink> Links)
{
    /// <summary>Entries that a script acts on.</summary>
    public IReadOnlyList<ActionButton> Buttons { get; init; } = [];
}

/// <summary>An entry of an action menu that is a button.</summary>
/// <param name="Label">Its label.</param>
/// <param name="Attribute">The attribute by which scripts find it, such as <c>data-table-action</c>.</param>
/// <param name="Value">The attribute's value.</param>
/// <param name="Href">Where it leads when no script does more.</param>
public sealed record ActionButton(string Label, string Attribute, string Value, string Href)
{
    /// <summary>A softer line below the label; null for none.</summary>
    public string? Description { get; init; }
}

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
/// <param name="Queries">The stored queries.</param>
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

/// <summary>A page of statements.</summary>
/// <param name="Layout">The frame.</param>
/// <param name="Heading">Its heading.</param>
/// <param name="Sections">The statements (as text) with the name of their database (as address); no name where there is only one.</param>
public sealed record SchemaModel(LayoutModel Layout, string Heading, IReadOnlyList<TextLink> Sections);

/// <summary>A link with its text.</summary>
/// <param name="Text">The text.</param>
/// <param name="Href">Where it leads.</param>
public sealed record TextLink(string Text, string Href);
