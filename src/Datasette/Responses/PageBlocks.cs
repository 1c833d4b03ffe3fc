using System.Text;
using Datasette.Pages;

namespace Datasette.Responses;

/// <summary>A page as text, and where its named blocks are. A block may lie in another one.</summary>
internal sealed class PageBlocks
{
    private readonly Dictionary<string, (int Start, int End)> ranges = new(StringComparer.Ordinal);

    private PageBlocks(string text) => Text = text;

    /// <summary>The whole page, without marks.</summary>
    public string Text { get; private set; }

    public IEnumerable<string> Names => ranges.Keys;

    /// <summary>The text of a block; null when the page has none of that name.</summary>
    public string? this[string name] => ranges.TryGetValue(name, out var range) ? Text[range.Start..range.End] : null;

    /// <summary>Takes the marks out of a page.</summary>
    public static PageBlocks Parse(string marked)
    {
        var page = new PageBlocks("");
        var open = new Stack<(string Name, int Start)>();
        var text = new StringBuilder(marked.Length);
        var at = 0;
        while (marked.IndexOf(BlockMarks.Open, at, StringComparison.Ordinal) is var mark and >= 0)
        {
            text.Append(marked, at, mark - at);
            var kind = mark + BlockMarks.Open.Length;
            var end = marked.IndexOf(BlockMarks.Close, kind);
            var name = marked[(kind + 1)..end];
            if (marked[kind] == '+')
            {
                open.Push((name, text.Length));
            }
            else if (open.Pop() is var (opened, start))
            {
                page.ranges[opened == name ? name : throw new InvalidOperationException($"Block {opened} ends as {name}")] = (
                    start,
                    text.Length
                );
            }
            at = end + 1;
        }
        text.Append(marked, at, marked.Length - at);
        page.Text = text.ToString();
        return page;
    }

    /// <summary>The page with other texts in some blocks. Of two blocks that lie in each other the outer one counts.</summary>
    public PageBlocks With(IReadOnlyDictionary<string, string> replaced)
    {
        var cuts = replaced
            .Where(pair => ranges.ContainsKey(pair.Key))
            .Select(pair => (ranges[pair.Key].Start, ranges[pair.Key].End, pair.Value))
            .OrderBy(cut => cut.Start)
            .ThenByDescending(cut => cut.End)
            .ToList();
        var page = new PageBlocks("");
        var text = new StringBuilder(Text.Length);
        var moves = new List<(int From, int To, int Start, int End)>();
        var at = 0;
        foreach (var (start, end, value) in cuts.Where(cut => cut.Start >= 0))
        {
            if (start < at)
            {
                continue;
            }
            text.Append(Text, at, start - at);
            moves.Add((start, end, text.Length, text.Length + value.Length));
            text.Append(value);
            at = end;
        }
        text.Append(Text, at, Text.Length - at);
        page.Text = text.ToString();
        foreach (var (name, range) in ranges)
        {
            if (Moved(range, moves) is { } moved)
            {
                page.ranges[name] = moved;
            }
        }
        return page;
    }

    /// <summary>Where a block is after some texts have been replaced; null when it was in one of them.</summary>
    private static (int Start, int End)? Moved((int Start, int End) range, List<(int From, int To, int Start, int End)> moves)
    {
        var (before, within) = (0, 0);
        foreach (var (from, to, start, end) in moves)
        {
            var growth = end - start - (to - from);
            if (from == range.Start && to == range.End)
            {
                return (start, end);
            }
            if (from <= range.Start && to >= range.End && range.End > range.Start)
            {
                return null;
            }
            if (to <= range.Start)
            {
                before += growth;
            }
            else if (from >= range.Start && to <= range.End)
            {
                within += growth;
            }
        }
        return (range.Start + before, range.End + before + within);
    }
}
