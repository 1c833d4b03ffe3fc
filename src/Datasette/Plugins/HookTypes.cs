using System.Text.RegularExpressions;
using Datasette.Databases;
using Datasette.Permissions;
using Microsoft.AspNetCore.Http;

namespace Datasette.Plugins;

/// <summary>One address that a plugin answers. Addresses of plugins are tried before those of the host.</summary>
/// <param name="Pattern">
/// A regular expression over the raw, undecoded request path (without <c>base_url</c> and query string), such as <c>^/-/hello$</c>.
/// Named groups reach the handler through the match.
/// </param>
/// <param name="Handler">Answers one request; runs on any thread, may be called many times at once. Throws <see cref="DatasetteException"/> for an error page.</param>
public sealed record PluginRoute(string Pattern, Func<IDatasette, HttpContext, Match, Task<IResult>> Handler);

/// <summary>A link in a menu: of the page's frame, or of the actions of one page.</summary>
/// <param name="Label">The text of the link.</param>
/// <param name="Href">Where it leads, with <c>base_url</c> already in front (<see cref="IDatasette.UrlPath"/>).</param>
/// <param name="Description">A second, softer line under the label; none by default.</param>
public sealed record MenuLink(string Label, string Href, string? Description = null);

/// <summary>How loud a flash message is. The numbers are those of the cookie <c>ds_messages</c>.</summary>
public enum MessageKind
{
    /// <summary>Something went well.</summary>
    Info = 1,

    /// <summary>Something needs attention.</summary>
    Warning = 2,

    /// <summary>Something failed.</summary>
    Error = 3,
}

/// <summary>A message shown once on the next page, then forgotten.</summary>
/// <param name="Text">Plain text; it is escaped.</param>
/// <param name="Kind">How it looks.</param>
public sealed record FlashMessage(string Text, MessageKind Kind);

/// <summary>One cell that is about to be shown on a page.</summary>
/// <param name="Value">The value as stored: null, long, double, string or byte[].</param>
/// <param name="Column">The name of its column.</param>
/// <param name="Table">Its table; null in the result of a query.</param>
/// <param name="Database">The name of its database.</param>
/// <param name="Columns">The columns of its row.</param>
/// <param name="Row">All values of its row, in the order of <paramref name="Columns"/>.</param>
/// <param name="Http">The request.</param>
public readonly record struct CellContext(
    object? Value,
    string Column,
    string? Table,
    string Database,
    IReadOnlyList<string> Columns,
    IReadOnlyList<object?> Row,
    HttpContext Http
);

/// <summary>What happened through the host's write interface, after it was committed.</summary>
/// <param name="Name">Such as <c>insert-rows</c>, <c>logout</c>.</param>
/// <param name="Actor">Who did it; null for an anonymous visitor.</param>
/// <param name="Database">The database concerned, if any.</param>
/// <param name="Table">The table concerned, if any.</param>
/// <param name="RowCount">How many rows, where it applies.</param>
public sealed record DatasetteEvent(string Name, Actor? Actor, string? Database = null, string? Table = null, int RowCount = 0)
{
    /// <summary>What else is to be said, by name; for events of plugins.</summary>
    public IReadOnlyDictionary<string, object?> Properties { get; init; } =
        System.Collections.ObjectModel.ReadOnlyDictionary<string, object?>.Empty;
}
