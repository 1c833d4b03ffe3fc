using System.Text;

namespace Datasette.Templates;

/// <summary>One tag of a template.</summary>
/// <param name="Kind"><c>%</c> for a statement, <c>{</c> for an output, <c>#</c> for a comment of Jinja.</param>
/// <param name="Text">What stands between the braces, without trimming marks and without what is in quotes.</param>
/// <param name="Shown">The same as it is written.</param>
/// <param name="Line">Its line, from 1.</param>
internal readonly record struct TemplateTag(char Kind, string Text, string Shown, int Line);

/// <summary>Finds the tags of a template without understanding them. What is raw or a comment is passed over.</summary>
internal static class TagScanner
{
    public static IEnumerable<TemplateTag> Scan(string source)
    {
        var (at, line, counted) = (0, 1, 0);
        string? until = null;
        while (at < source.Length - 1)
        {
            var start = source.IndexOf('{', at);
            if (start < 0 || start == source.Length - 1)
            {
                yield break;
            }
            var kind = source[start + 1];
            var end = kind switch
            {
                '%' => source.IndexOf("%}", start + 2, StringComparison.Ordinal),
                '{' => source.IndexOf("}}", start + 2, StringComparison.Ordinal),
                // In a style sheet this is the begin of a rule for an id: only a pair on one line is a comment.
                '#' => CommentEnd(source, start + 2),
                _ => -1,
            };
            if (end < 0)
            {
                at = start + 1;
                continue;
            }
            line += source.AsSpan(counted, start - counted).Count('\n');
            counted = start;
            var text = source[(start + 2)..end].Trim().Trim('-').Trim();
            at = end + 2;
            var isStatement = kind == '%';
            if (until is not null)
            {
                until = isStatement && text == until ? null : until;
            }
            else if (isStatement && text is "raw" or "comment")
            {
                until = "end" + text;
            }
            else
            {
                yield return new(kind, WithoutQuoted(text), text, line);
            }
        }
    }

    private static int CommentEnd(string source, int from)
    {
        var end = source.IndexOf("#}", from, StringComparison.Ordinal);
        return end >= 0 && !source.AsSpan(from, end - from).ContainsAny('\n', '{') ? end : -1;
    }

    private static string WithoutQuoted(string text)
    {
        if (text.AsSpan().IndexOfAny('"', '\'') < 0)
        {
            return text;
        }
        var result = new StringBuilder(text.Length);
        char? quote = null;
        foreach (var c in text)
        {
            if (quote is null || c == quote)
            {
                result.Append(c);
            }
            quote =
                quote is null && c is '"' or '\'' ? c
                : c == quote ? null
                : quote;
        }
        return result.ToString();
    }
}
