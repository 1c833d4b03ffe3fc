using Datasette.Liquid;
using Datasette.Responses;

namespace Datasette.Templates;

/// <summary>
/// Everything a template may name on one page: the blocks of the host's own page, the page's data, what is the same on all pages. Values are
/// made when they are asked for.
/// </summary>
internal sealed class PageValues : LiquidMap
{
    private readonly Dictionary<string, object?> made = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Func<object?>> known = new(StringComparer.Ordinal);

    /// <summary>The host's own page in its blocks.</summary>
    public PageBlocks? Blocks { get; set; }

    public override IEnumerable<string> Keys => known.Keys;

    public void Add(string name, Func<object?> value)
    {
        known[name] = value;
        made.Remove(name);
    }

    public void Add(IEnumerable<KeyValuePair<string, object?>> values)
    {
        foreach (var (name, value) in values)
        {
            Add(name, () => value);
        }
    }

    public override object? Find(string name)
    {
        // Blocks change while the page is put together: never from memory.
        if (Blocks?[name] is { } block)
        {
            return new SafeHtml(block);
        }
        if (!made.TryGetValue(name, out var value) && known.TryGetValue(name, out var make))
        {
            made[name] = value = TemplateValues.Of(make());
        }
        return value;
    }
}
