using Datasette.Pages;

namespace Datasette.Responses;

/// <summary>Which templates of the user may stand for a page, and what they may show.</summary>
/// <param name="View">What kind of page it is: <c>index</c>, <c>database</c>, <c>table</c>, <c>row</c>, <c>query</c>, <c>error</c>, ...</param>
/// <param name="Names">Names of files, the first that exists is taken; the last is also that of the host's own page.</param>
internal sealed record PageTemplate(string View, params IReadOnlyList<string> Names)
{
    /// <summary>Names of files that draw the rows alone.</summary>
    public IReadOnlyList<string> RowNames { get; init; } = [];

    /// <summary>The variables; asked for only when there is a template.</summary>
    public Func<JsonMap>? Variables { get; init; }

    /// <summary>The page is always the host's own: the way out when a template is broken.</summary>
    public bool IsBuiltIn { get; init; }

    /// <summary>A comment for those who write templates: what was looked for, a star at what was taken.</summary>
    /// <param name="taken">The name of the template; null when the page is the host's own.</param>
    public string Considered(string? taken)
    {
        if (Names.Count == 0)
        {
            return "";
        }
        var star = taken ?? Names[^1];
        return $"<!-- Templates considered: {string.Join(", ", Names.Select(name => name == star ? "*" + name : name))} -->\n";
    }
}

/// <summary>A row for templates: its values as stored, and its cells as they are shown.</summary>
/// <param name="Columns">Names of the values.</param>
/// <param name="Values">The values.</param>
/// <param name="Head">Columns of <paramref name="Shown"/>.</param>
/// <param name="Shown">The cells.</param>
internal sealed record PageRow(
    IReadOnlyList<string> Columns,
    IReadOnlyList<object?> Values,
    IReadOnlyList<ColumnModel> Head,
    RowModel Shown
);
