using System.Text.RegularExpressions;

namespace Datasette.Liquid;

/// <summary>What a part of a source is.</summary>
internal enum PartKind
{
    Text,
    Output,
    Tag,
}

/// <summary>A part of a source.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Content">The text, or what stands between the braces.</param>
/// <param name="Line">Its first line, from 1.</param>
internal readonly record struct Part(PartKind Kind, string Content, int Line);

/// <summary>Splits a source into text, outputs and tags. Comments are gone, what is raw is text, white space is trimmed where a dash asks for it.</summary>
internal static partial class LiquidSource
{
    public static List<Part> Split(string source)
    {
        var parts = new List<Part>();
        var (at, line, counted) = (0, 1, 0);
        var trimNext = false;
        while (true)
        {
            var start = NextTag(source, at);
            var text = source[at..(start < 0 ? source.Length : start)];
            var trimBefore = start >= 0 && start + 2 < source.Length && source[start + 2] == '-';
            AddText(parts, text, trimNext, trimBefore, line);
            if (start < 0)
            {
                return parts;
            }
            line += source.AsSpan(counted, start - counted).Count('\n');
            counted = start;
            var isOutput = source[start + 1] == '{';
            var end = End(source, start + 2, isOutput, line);
            var content = source[(start + 2)..end];
            trimNext = content.Length > (trimBefore ? 1 : 0) && content[^1] == '-';
            content = content[(trimBefore ? 1 : 0)..(trimNext ? ^1 : ^0)].Trim();
            at = end + 2;
            if (isOutput)
            {
                parts.Add(new(PartKind.Output, content, line));
            }
            else if (content is "raw" or "comment")
            {
                at = PassOver(source, at, content, line, trimNext, parts, out trimNext);
            }
            else if (content.Length == 0 || content[0] != '#')
            {
                parts.Add(new(PartKind.Tag, content, line));
            }
        }
    }

    private static int NextTag(string source, int at)
    {
        while ((at = source.IndexOf('{', at)) >= 0 && at + 1 < source.Length)
        {
            if (source[at + 1] is '{' or '%')
            {
                return at;
            }
            at++;
        }
        return -1;
    }

    /// <summary>The end of a tag; braces in quotes do not count.</summary>
    private static int End(string source, int at, bool isOutput, int line)
    {
        char? quote = null;
        for (; at + 1 < source.Length; at++)
        {
            var c = source[at];
            if (quote is not null)
            {
                quote = c == quote ? null : quote;
            }
            else if (c is '"' or '\'')
            {
                quote = c;
            }
            else if (source[at + 1] == '}' && c == (isOutput ? '}' : '%'))
            {
                return at;
            }
        }
        throw new LiquidException(isOutput ? "a {{ has no }}" : "a {% has no %}", line);
    }

    private static int PassOver(string source, int at, string tag, int line, bool trimStart, List<Part> parts, out bool trimNext)
    {
        var end = (tag == "raw" ? EndRaw() : EndComment()).Match(source, at);
        if (!end.Success)
        {
            throw new LiquidException($"{{% {tag} %}} has no {{% end{tag} %}}", line);
        }
        if (tag == "raw")
        {
            AddText(parts, source[at..end.Index], trimStart, end.Value[2] == '-', line);
        }
        trimNext = end.Value[^3] == '-';
        return end.Index + end.Length;
    }

    private static void AddText(List<Part> parts, string text, bool trimStart, bool trimEnd, int line)
    {
        text = trimStart ? text.TrimStart() : text;
        text = trimEnd ? text.TrimEnd() : text;
        if (text.Length > 0)
        {
            parts.Add(new(PartKind.Text, text, line));
        }
    }

    [GeneratedRegex(@"\{%-?\s*endraw\s*-?%\}")]
    private static partial Regex EndRaw();

    [GeneratedRegex(@"\{%-?\s*endcomment\s*-?%\}")]
    private static partial Regex EndComment();
}
