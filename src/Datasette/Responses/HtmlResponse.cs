using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using Datasette.Pages;
using Microsoft.AspNetCore.Http;
using RazorSlices;

namespace Datasette.Responses;

/// <summary>A page: a slice whose model holds all that it shows, so that rendering cannot fail half-way.</summary>
internal sealed class HtmlResponse : Response
{
    private readonly RazorSlice slice;

    public HtmlResponse(RazorSlice slice)
    {
        this.slice = slice;
        ContentType = "text/html; charset=utf-8";
    }

    /// <summary>The page says charset=utf-8: only what HTML needs is escaped, letters of all scripts stay readable and short.</summary>
    public static HtmlEncoder Encoder { get; } = HtmlEncoder.Create(System.Text.Unicode.UnicodeRanges.All);

    /// <summary>Which templates of the user may stand for this page; null for a page that only the frame of the user can wrap.</summary>
    public PageTemplate? Template { get; init; }

    /// <summary>The frame; null for a piece of a page.</summary>
    public LayoutModel? Layout => (slice as IUsesLayout<Layout, LayoutModel>)?.LayoutModel;

    /// <summary>The page as text with its named blocks. The slice is used up by it.</summary>
    public async Task<PageBlocks> RenderAsync(HttpContext context)
    {
        using var writer = new StringWriter();
        using (slice)
        {
            slice.HttpContext = context;
            await slice.RenderAsync(writer, Encoder, context.RequestAborted);
        }
        return PageBlocks.Parse(writer.ToString());
    }

    protected override async Task WriteAsync(HttpContext context)
    {
        using var buffer = new PageBuffer();
        if (RequestState.Of(context).HasMarks)
        {
            Write((await RenderAsync(context)).Text);
        }
        else
        {
            using (slice)
            {
                slice.HttpContext = context;
                await slice.RenderAsync(buffer, Encoder, context.RequestAborted);
            }
        }
        Write(Template?.Considered(null) ?? "");
        context.Response.ContentLength = buffer.Written.Length;
        await context.Response.Body.WriteAsync(buffer.Written, context.RequestAborted);

        void Write(string text) => Encoding.UTF8.GetBytes(text, buffer);
    }
}
