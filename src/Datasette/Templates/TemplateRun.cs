using Datasette.Liquid;
using Datasette.Responses;

namespace Datasette.Templates;

/// <summary>One rendering: its variables, its limits, and what the template asked the host for. Used by one request.</summary>
internal sealed class TemplateRun(PageValues values, TemplateFolder folder, LiquidBudget budget)
    : LiquidRun(values, budget, HtmlResponse.Encoder)
{
    /// <summary>What a custom page answers beside its text; null where that is not allowed.</summary>
    public PageAnswer? Answer { get; init; }

    /// <summary>The layout that the template chose; null for <c>base.html</c> or the host's own.</summary>
    public string? Layout { get; set; }

    /// <summary>The template is the whole page.</summary>
    public bool IsWhole { get; set; }

    /// <summary>The template of a name.</summary>
    /// <exception cref="LiquidException">There is none.</exception>
    public TemplateFile File(string name) =>
        folder.Find(name) ?? throw new LiquidException($"there is no template '{name}' in the folder of templates");

    /// <summary>A rendering that sees the page's variables but not those that this one has set.</summary>
    public TemplateRun Apart() => new(values, folder, Budget) { Answer = Answer };

    /// <summary>Renders a file into a text.</summary>
    /// <exception cref="TemplateException">It cannot be read or rendered.</exception>
    public string Render(TemplateFile file)
    {
        var writer = new LimitedWriter(Encoder);
        Write(file, writer);
        return writer.ToString();
    }

    /// <summary>Renders a file to where another one is being written.</summary>
    /// <exception cref="TemplateException">It cannot be read or rendered.</exception>
    public void Write(TemplateFile file, LimitedWriter writer)
    {
        var before = Line;
        if (++Budget.Includes > LiquidLimits.Includes)
        {
            throw LiquidLimits.TooDeep();
        }
        try
        {
            Line = 1;
            file.Template.Write(this, writer);
        }
        catch (Exception e) when (e is LiquidException or DivideByZeroException or OverflowException)
        {
            throw new TemplateException(file.Name, Line, Problem(e), e);
        }
        Budget.Includes--;
        Line = before;
    }

    /// <summary>A block as the template has set it, ready for a page; null when it has not touched it.</summary>
    public string? OwnBlock(string name)
    {
        if (!TryGetOwn(name, out var value))
        {
            return null;
        }
        var writer = new LimitedWriter(Encoder);
        writer.Write(value);
        return writer.ToString();
    }

    private static string Problem(Exception failure) =>
        failure switch
        {
            DivideByZeroException => "a number is divided by zero",
            OverflowException => "a number is too large",
            _ => failure.Message,
        };
}

/// <summary>What a custom page answers beside its text.</summary>
internal sealed class PageAnswer
{
    public int Status { get; set; } = 200;

    public List<KeyValuePair<string, string>> Headers { get; } = [];

    /// <summary>Where the visitor is sent; null to stay.</summary>
    public string? Location { get; set; }
}

/// <summary>A custom page says that there is nothing at this address.</summary>
internal sealed class RaisedNotFoundException(string message) : Exception(message);
