using System.Text.Encodings.Web;
using Datasette.Liquid;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Templates;

/// <summary><c>?_context=1</c>: the variables of a page as JSON, for those who write its template. Only with the setting <c>template_debug</c>.</summary>
internal static class ContextPage
{
    public static Response Make(IDatasette datasette, HttpContext context, HtmlResponse page)
    {
        var values = new PageValues();
        PageGlobals.Fill(values, datasette, context, page, page.Layout);
        var json = LiquidJson.ToText(values, indented: true);
        return (Response)
            Respond.Html($"<!DOCTYPE html>\n<title>Variables</title>\n<pre>{HtmlEncoder.Default.Encode(json)}</pre>\n", page.Status);
    }
}
