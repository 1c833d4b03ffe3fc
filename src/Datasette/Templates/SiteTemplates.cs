using System.Text;
using Datasette.Liquid;
using Datasette.Pages;
using Datasette.Plugins;
using Datasette.Responses;
using Microsoft.AspNetCore.Http;

namespace Datasette.Templates;

/// <summary>
/// The user's templates upon the host's pages. A page is made by the host in any case; templates take its blocks, its data, and give other
/// blocks, other rows, another frame. Safe on any thread.
/// </summary>
internal sealed class SiteTemplates
{
    private const string FrameName = "base.html";
    private const string Rows = "rows_html";
    private const string BodyTag = "body_tag";

    /// <summary>Blocks that a template replaces by capturing a variable of their name.</summary>
    private static readonly string[] Blocks = ["title", "head", "extra_head", "header", "nav", "crumbs", "messages", "footer", "scripts"];

    private readonly IDatasette datasette;
    private readonly TemplateFolder folder;

    private SiteTemplates(IDatasette datasette, string path, IEnumerable<LiquidFilter> filters)
    {
        this.datasette = datasette;
        folder = new TemplateFolder(path, TemplateLanguage.Make(datasette, filters), datasette.Databases.MayBeLive);
        folder.EnsureReadable();
    }

    /// <summary>Reads a folder; null when there is none.</summary>
    /// <exception cref="StartupException">A template is Jinja or cannot be read.</exception>
    public static SiteTemplates? Open(IDatasette datasette, string? path, IEnumerable<LiquidFilter> filters) =>
        path is null ? null : new(datasette, path, filters);

    /// <summary>The page as the user's templates want it.</summary>
    /// <exception cref="TemplateException">A template cannot be read or rendered.</exception>
    public async ValueTask<Response> ApplyAsync(HttpContext context, HtmlResponse page)
    {
        var template = page.Template;
        if (template?.IsBuiltIn == true)
        {
            return page;
        }
        var own = template is null ? null : folder.First(template.Names);
        var rows = template is null ? null : folder.First(template.RowNames);
        var frame = page.Layout is null ? null : folder.Find(FrameName);
        if (own is null && rows is null && frame is null)
        {
            return page;
        }
        return await DressAsync(context, page, own, rows, null);
    }

    /// <summary>The user's own page at an address; null when there is none.</summary>
    /// <exception cref="TemplateException">It cannot be read or rendered.</exception>
    /// <exception cref="RaisedNotFoundException">It says that there is nothing.</exception>
    public async ValueTask<Response?> CustomPageAsync(HttpContext context, string path)
    {
        if (CustomPages.Find(folder.Path, path) is not { } match || folder.Find(match.Template) is not { } file)
        {
            return null;
        }
        var title = Path.GetFileNameWithoutExtension(match.Template);
        var layout = await datasette.LayoutAsync(context, title.Contains('{', StringComparison.Ordinal) ? path : title, "page");
        var page = new HtmlResponse(CustomPage.Create(layout))
        {
            Template = new PageTemplate("page", match.Template)
            {
                Variables = () =>
                {
                    var map = new JsonMap { { "params", match.Parameters } };
                    foreach (var (name, value) in match.Parameters)
                    {
                        map.Add(name, value);
                    }
                    return map;
                },
            },
        };
        return await DressAsync(context, page, file, null, new PageAnswer());
    }

    private async ValueTask<Response> DressAsync(
        HttpContext context,
        HtmlResponse page,
        TemplateFile? own,
        TemplateFile? rows,
        PageAnswer? answer
    )
    {
        var layout = page.Layout;
        var values = new PageValues();
        var run = new TemplateRun(values, folder, new LiquidBudget(datasette.Time)) { Answer = answer };
        PageGlobals.Fill(values, datasette, context, page, layout);
        values.Blocks = await page.RenderAsync(context);
        if (rows is not null)
        {
            var html = run.Render(rows);
            if (layout is null)
            {
                return Send(html, page, null);
            }
            values.Blocks = values.Blocks.With(new Dictionary<string, string> { [Rows] = html });
        }
        var text = own is null ? null : run.Render(own);
        if (answer is not null && Special(answer, text!) is { } special)
        {
            return special;
        }
        text = run.IsWhole || IsWhole(text) ? text : Frame(run, values, text);
        return Send(text + page.Template?.Considered(own?.Name), page, answer);
    }

    /// <summary>The content in the user's frame, or in the host's own, with the blocks that the template has set.</summary>
    private string Frame(TemplateRun run, PageValues values, string? content)
    {
        var frame = folder.Find(run.Layout ?? FrameName);
        if (frame is null && run.Layout is not null)
        {
            throw new TemplateException(run.Layout, 0, "a template names it as its layout, but there is no such file");
        }
        var replaced = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in Blocks)
        {
            if (run.OwnBlock(name) is { } block)
            {
                replaced[name] = block;
            }
        }
        if (run.OwnBlock("body_class") is { } classes)
        {
            replaced[BodyTag] = $"<body class=\"{classes.Replace("\"", "&quot;", StringComparison.Ordinal)}\">";
        }
        if (content is not null)
        {
            run.Set("content", new SafeHtml(content));
            replaced["content"] = content;
        }
        // Also for a frame of the user: a block that was replaced may lie in one that it takes as a whole.
        values.Blocks = values.Blocks!.With(replaced);
        return frame is null ? values.Blocks.Text : run.Render(frame);
    }

    /// <summary>A redirect, or a text that is no page.</summary>
    private static Response? Special(PageAnswer answer, string text)
    {
        if (answer.Location is { } location)
        {
            return Headed(Respond.RedirectTo(location, answer.Status), answer);
        }
        var type = answer.Headers.LastOrDefault(header => header.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)).Value;
        return type is null || type.StartsWith("text/html", StringComparison.OrdinalIgnoreCase)
            ? null
            : Headed(Respond.Bytes(Encoding.UTF8.GetBytes(text), type, answer.Status), answer);
    }

    private static Response Send(string html, HtmlResponse page, PageAnswer? answer)
    {
        var response = Respond.Bytes(Encoding.UTF8.GetBytes(html), Respond.HtmlType, answer?.Status ?? page.Status).WithHeadersOf(page);
        // The template is the user's own work, with the scripts that he has put into it.
        response.HasOwnPolicy = true;
        return answer is null ? response : Headed(response, answer);
    }

    private static Response Headed(Response response, PageAnswer answer)
    {
        foreach (var (name, value) in answer.Headers)
        {
            if (!name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
            {
                response.With(name, value);
            }
        }
        return response;
    }

    private static bool IsWhole(string? html)
    {
        var start = html.AsSpan().TrimStart();
        return start.StartsWith("<!doctype", StringComparison.OrdinalIgnoreCase)
            || start.StartsWith("<html", StringComparison.OrdinalIgnoreCase);
    }
}
