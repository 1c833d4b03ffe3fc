using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;
using RazorSlices;

namespace Datasette.Responses;

/// <summary>A page: a slice whose model holds all that it shows, so that rendering cannot fail half-way.</summary>
internal sealed class HtmlResponse : Response
{
    // The page says charset=utf-8: only what HTML needs is escaped, letters of all scripts stay readable and short.
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(System.Text.Unicode.UnicodeRanges.All);
    private readonly RazorSlice slice;

    public HtmlResponse(RazorSlice slice)
    {
        this.slice = slice;
        ContentType = "text/html; charset=utf-8";
    }

    protected override async Task WriteAsync(HttpContext context)
    {
        using (slice)
        {
            slice.HttpContext = context;
            await slice.RenderAsync(context.Response.BodyWriter, Encoder, context.RequestAborted);
        }
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }
}
