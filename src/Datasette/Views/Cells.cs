using System.Security.Cryptography;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Tables;
using Datasette.Text;

namespace Datasette.Views;

/// <summary>Values as a person sees them in a table.</summary>
internal sealed class Cells(ViewContext v, Database database, string? table)
{
    private const string Binary = "Binary";
    private readonly Dictionary<(string, string), string> classes = [];

    /// <summary>Characters shown of a long text; 0 shows all.</summary>
    public int Limit { get; init; }

    /// <summary>The columns of the rows.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>The row whose cells are made now.</summary>
    public IReadOnlyList<object?> Row { get; set; } = [];

    /// <summary>Whether the class says what kind of value it is.</summary>
    public bool HasTypes { get; init; } = true;

    /// <summary>The cell of a value; <paramref name="blobHref"/> is where its bytes are.</summary>
    public CellModel Make(string column, object? value, string? blobHref, bool isPk = false)
    {
        var own = Classes(
            column,
            HasTypes ? TypeClassOf(value)
                : value is null ? " is-null"
                : value is long or double ? " right"
                : ""
        );
        if (OfPlugin(column, value) is { } html)
        {
            return new(own, "", Html: html);
        }
        if (ColumnTypes.Render(v, database.Name, table, column, value) is { } typed)
        {
            return new(own, "", Html: typed);
        }
        return value switch
        {
            null or "" => new(own, ""),
            byte[] bytes => Blob(own, bytes, blobHref),
            string text when IsUrl(text) => new(own, Cut(text), text),
            string text => new(own, Cut(text), IsBold: isPk),
            _ => new(own, PageToken.Text(value), IsBold: isPk),
        };
    }

    /// <summary>A foreign key with the label of the row it leads to.</summary>
    public CellModel Expanded(string column, object value, object? label, string href)
    {
        if (OfPlugin(column, value) is { } html)
        {
            return new(Classes(column, TypeClassOf(value)), "", Html: html);
        }
        var key = PageToken.Text(value);
        var text = label is null or "" ? "-" : PageToken.Text(label);
        // A key that is its own label is shown once; the text 1 and the integer 1 are not the same.
        return new(Classes(column, TypeClassOf(value)), Cut(text), href, value is string && text == key ? null : key);
    }

    /// <summary>The key of a row as the link to it.</summary>
    public CellModel RowLink(string column, string text, string href) => new(Classes(column, " type-pk"), text, href);

    // The same few for all rows of a page.
    private string Classes(string column, string kind)
    {
        if (!classes.TryGetValue((column, kind), out var text))
        {
            classes[(column, kind)] = text = Class(column) + kind;
        }
        return text;
    }

    public static string Class(string column) => "col-" + TildeEncoding.CssClass(column);

    private static string TypeClassOf(object? value) =>
        value switch
        {
            null => " type-none",
            long or int => " type-int",
            double => " type-float",
            byte[] => " type-bytes",
            _ => " type-str",
        };

    /// <summary>The first bytes of the hash by which the blob of a query's row is found again.</summary>
    public static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private Microsoft.AspNetCore.Html.IHtmlContent? OfPlugin(string column, object? value) =>
        v.App.Hooks.RenderCell(v.App, new CellContext(value, column, table, database.Name, Columns, Row, v.Http));

    private static CellModel Blob(string classes, byte[] bytes, string? href)
    {
        var text = $"<{Binary}: {Phrases.Number(bytes.Length)} byte{(bytes.Length == 1 ? "" : "s")}>";
        return new(classes, text, href, Title: bytes.Length > 1024 ? Sizes.Text(bytes.Length) : null, IsBlob: href is not null);
    }

    private string Cut(string text) => Limit > 0 && text.Length > Limit ? text[..SafeEnd(text)] + "…" : text;

    private int SafeEnd(string text) => char.IsHighSurrogate(text[Limit - 1]) ? Limit - 1 : Limit;

    private static bool IsUrl(string text) =>
        (text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
        && !text.Any(char.IsWhiteSpace);
}
