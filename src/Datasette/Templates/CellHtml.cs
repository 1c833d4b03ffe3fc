using Datasette.Pages;
using Datasette.Responses;
using Microsoft.AspNetCore.Html;

namespace Datasette.Templates;

/// <summary>What stands in a cell of the host's own table, for templates that draw rows in their own way.</summary>
internal static class CellHtml
{
    public static IHtmlContent Of(CellModel cell)
    {
        if (cell.Html is not null)
        {
            return cell.Html;
        }
        if (cell.Href is not null)
        {
            var classes = cell.IsBlob ? "class=\"blob-download\" " : "";
            var title = cell.Title is null ? "" : $" title=\"{Escape(cell.Title)}\"";
            var suffix = cell.Suffix is null ? "" : $" <em>{Escape(cell.Suffix)}</em>";
            return new HtmlString($"<a {classes}href=\"{Escape(cell.Href)}\"{title}>{Escape(cell.Text)}</a>{suffix}");
        }
        return new HtmlString(
            cell.Text.Length == 0 ? "&nbsp;"
            : cell.IsBold ? $"<strong>{Escape(cell.Text)}</strong>"
            : Escape(cell.Text)
        );
    }

    private static string Escape(string text) => HtmlResponse.Encoder.Encode(text);
}
