using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Html;

namespace Datasette.Litestream.Status;

/// <summary>The small pieces of HTML that stand on other pages. All text is escaped.</summary>
internal static class StatusHtml
{
    /// <summary>The verdict in the header of every page.</summary>
    public static IHtmlContent Flag(Verdict verdict, string href) =>
        Link(verdict.Tone == Tone.Ok ? "safe-flag" : $"safe-flag {StatusWords.Class(verdict.Tone)}", verdict.Word, verdict.Tone, href);

    /// <summary>The state of a database on the home page.</summary>
    public static IHtmlContent State(string word, Tone tone, string href) =>
        Link($"state {StatusWords.Class(tone)}".TrimEnd(), word, tone, href);

    private static HtmlString Link(string classes, string word, Tone tone, string href)
    {
        var encoder = HtmlEncoder.Default;
        return new HtmlString(
            $"<a class=\"{classes}\" href=\"{encoder.Encode(href)}\"><svg class=\"icon\" aria-hidden=\"true\"><use href=\"#{StatusWords.Icon(tone)}\"/></svg> {encoder.Encode(word)}</a>"
        );
    }
}
