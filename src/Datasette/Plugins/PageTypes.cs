using Datasette.Databases;
using Datasette.Permissions;
using Microsoft.AspNetCore.Http;

namespace Datasette.Plugins;

/// <summary>What a page is about.</summary>
/// <param name="Database">The database of the page; null on the home page.</param>
/// <param name="Table">The table or view; null on database and query pages.</param>
/// <param name="IsView">Whether <paramref name="Table"/> is a view.</param>
/// <param name="Query">The name of the stored query, null for SQL typed by hand.</param>
/// <param name="Sql">The SQL of a query page.</param>
/// <param name="PrimaryKeys">The decoded key values of a row page.</param>
public sealed record PageSubject(
    Database? Database = null,
    string? Table = null,
    bool IsView = false,
    string? Query = null,
    string? Sql = null,
    IReadOnlyList<string>? PrimaryKeys = null
);

/// <summary>The page that is being made. Used by one request only.</summary>
/// <param name="View">
/// <c>index</c>, <c>database</c>, <c>table</c>, <c>row</c> or <c>query</c>; on any other page the first class of its body, such as <c>error</c>.
/// </param>
/// <param name="Subject">What it is about; without a database where it is about the instance.</param>
/// <param name="Columns">The columns it shows; empty where it shows none.</param>
/// <param name="Actor">Who looks at it; null for an anonymous visitor.</param>
/// <param name="Http">The request.</param>
public sealed record PageContext(string View, PageSubject Subject, IReadOnlyList<string> Columns, Actor? Actor, HttpContext Http);

/// <summary>A style sheet or script in addition to the host's own.</summary>
/// <param name="Url">Its address. A path that begins with one slash gets <c>base_url</c> in front.</param>
/// <param name="Integrity">Its subresource integrity hash; null for none.</param>
/// <param name="IsModule">Whether a script is a module.</param>
public sealed record ExtraAsset(string Url, string? Integrity = null, bool IsModule = false);

/// <summary>Script text at the end of a page.</summary>
/// <param name="Script">The text, as it is to stand in the page.</param>
/// <param name="IsModule">Whether it is a module.</param>
public sealed record BodyScript(string Script, bool IsModule = false);

/// <summary>Something the jump menu finds.</summary>
/// <param name="Label">What it is called.</param>
/// <param name="Url">Where it leads, with <c>base_url</c> already in front.</param>
/// <param name="Type">What it is, such as <c>dashboard</c>.</param>
/// <param name="Description">A second, softer line; none by default.</param>
/// <param name="SearchText">What it is also found by; the label by default.</param>
public sealed record JumpItem(string Label, string Url, string Type = "menu", string? Description = null, string? SearchText = null);

/// <summary>A filter of Liquid templates, used as <c>{{ value | name: argument }}</c>.</summary>
/// <param name="Name">Letters, digits and underscores.</param>
/// <param name="Apply">
/// From the value and the arguments to the new value; runs on any thread. Values are null, text, decimal, bool, or lists and dictionaries of these. Text
/// that comes out is escaped like any other.
/// </param>
public sealed record LiquidFilter(string Name, Func<object?, IReadOnlyList<object?>, object?> Apply);

/// <summary>Parameters <c>:_PREFIX_KEY</c> of stored queries.</summary>
/// <param name="Prefix">The word between the underscores; letters and digits.</param>
/// <param name="ValueAsync">
/// From what stands behind the prefix, and the request, to null, long, double, string or byte[]. Throws <see cref="DatasetteException"/> with status 400 for a
/// key it does not know.
/// </param>
public sealed record MagicParameter(string Prefix, Func<string, HttpContext, ValueTask<object?>> ValueAsync);

/// <summary>Something that may happen, and that plugins can be told of.</summary>
/// <param name="Name">Such as <c>mail-sent</c>.</param>
/// <param name="Description">One sentence for people.</param>
public sealed record EventKind(string Name, string Description);

/// <summary>Conditions that are added to those of a table page.</summary>
/// <param name="Conditions">SQL conditions over the table's columns, such as <c>year &gt; :_decade_from</c>; all must hold.</param>
/// <param name="Parameters">Values of their parameters by name without colon; begin names with an underscore and the plugin's own word.</param>
/// <param name="Words">How the conditions are called in "N rows where ...", one each; none leaves them unmentioned.</param>
public sealed record TableConditions(
    IReadOnlyList<string> Conditions,
    IReadOnlyDictionary<string, object?> Parameters,
    IReadOnlyList<string> Words
);

/// <summary>Rows that are to be given out in a plugin's format.</summary>
/// <param name="View"><c>table</c>, <c>row</c> or <c>query</c>.</param>
/// <param name="Database">Their database.</param>
/// <param name="Columns">The columns.</param>
/// <param name="Rows">The rows: null, long, double, string and byte[] in the order of the columns.</param>
/// <param name="Http">The request.</param>
public sealed record OutputContext(
    string View,
    Database Database,
    IReadOnlyList<string> Columns,
    IReadOnlyList<object?[]> Rows,
    HttpContext Http
)
{
    /// <summary>The table or view; null for a query.</summary>
    public string? Table { get; init; }

    /// <summary>The name of a stored query; null otherwise.</summary>
    public string? Query { get; init; }

    /// <summary>The SQL that gave the rows.</summary>
    public required string Sql { get; init; }

    /// <summary>Whether a query was cut at <c>max_returned_rows</c>.</summary>
    public bool IsTruncated { get; init; }

    /// <summary>The address of the next page of a table, absolute, in this format; null on the last one.</summary>
    public string? NextUrl { get; init; }

    /// <summary>What is wrong with a query, which then has no rows; null when it ran.</summary>
    public string? Error { get; init; }

    /// <summary>Where a column stands in <see cref="Columns"/>; -1 when it is not there.</summary>
    public int IndexOf(string column)
    {
        for (var i = 0; i < Columns.Count; i++)
        {
            if (Columns[i] == column)
            {
                return i;
            }
        }
        return -1;
    }
}

/// <summary>A format, by the extension of the address.</summary>
/// <param name="Extension">Without a dot: letters, digits and underscores, such as <c>ics</c>. Not json, csv, blob or db.</param>
/// <param name="RenderAsync">
/// Makes the answer (<c>Datasette.Responses.Respond</c> helps); runs on any thread. Null answers 404. Throws <see cref="DatasetteException"/> for an error page.
/// </param>
public sealed record OutputRenderer(string Extension, Func<OutputContext, CancellationToken, ValueTask<IResult?>> RenderAsync)
{
    /// <summary>Whether pages link to the format for these rows; by default they always do. Asked for every page, on any thread: be quick.</summary>
    public Func<OutputContext, bool> CanRender { get; init; } = static _ => true;
}
