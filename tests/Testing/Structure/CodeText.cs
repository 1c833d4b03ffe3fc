using System.Text;

namespace Testing.Structure;

/// <summary>Takes comments and the text of literals out of C#, so that only code is left. Holes of interpolated strings are code.</summary>
public static class CodeText
{
    /// <summary>The code of a source, with blanks where comments and literals stood; line feeds are kept.</summary>
    public static string Of(string source)
    {
        var code = new StringBuilder(source.Length);
        var at = 0;
        CopyCode(source, ref at, code, insideHole: false);
        return code.ToString();
    }

    private static void CopyCode(string source, ref int at, StringBuilder code, bool insideHole)
    {
        var depth = 0;
        while (at < source.Length)
        {
            var rest = source.AsSpan(at);
            if (rest.StartsWith("//", StringComparison.Ordinal))
            {
                var end = source.IndexOf('\n', at);
                at = end < 0 ? source.Length : end;
            }
            else if (rest.StartsWith("/*", StringComparison.Ordinal))
            {
                var end = source.IndexOf("*/", at + 2, StringComparison.Ordinal);
                KeepLines(source, at, at = end < 0 ? source.Length : end + 2, code);
            }
            else if (rest[0] == '\'')
            {
                at++;
                while (at < source.Length && source[at] != '\'')
                    at += source[at] == '\\' ? 2 : 1;
                at++;
                code.Append(' ');
            }
            else if (StringStart(rest, out var dollars, out var verbatim, out var quotes))
            {
                at += dollars + (verbatim ? 1 : 0) + quotes;
                code.Append(' ');
                if (quotes >= 3)
                    SkipRaw(source, ref at, code, dollars, quotes);
                else
                    SkipString(source, ref at, code, dollars > 0, verbatim);
            }
            else
            {
                if (rest[0] == '{')
                    depth++;
                if (rest[0] == '}' && depth-- == 0 && insideHole)
                    return;
                code.Append(rest[0]);
                at++;
            }
        }
    }

    private static bool StringStart(ReadOnlySpan<char> rest, out int dollars, out bool verbatim, out int quotes)
    {
        dollars = quotes = 0;
        verbatim = false;
        var i = 0;
        for (; i < rest.Length && rest[i] is '$' or '@'; i++)
        {
            if (rest[i] == '$')
                dollars++;
            else
                verbatim = true;
        }

        while (i + quotes < rest.Length && rest[i + quotes] == '"')
            quotes++;
        // Two quotes are an empty string: one opens it, the other closes it. Inside a verbatim one, quotes come in pairs.
        if (quotes == 2 || (verbatim && quotes > 0))
            quotes = 1;
        return quotes > 0;
    }

    private static void SkipString(string source, ref int at, StringBuilder code, bool interpolated, bool verbatim)
    {
        while (at < source.Length)
        {
            var c = source[at];
            var doubled = at + 1 < source.Length && source[at + 1] == c;
            if (c == '"' && verbatim && doubled)
                at += 2;
            else if (c == '"')
            {
                at++;
                return;
            }
            else if (c == '\\' && !verbatim)
                at += 2;
            else if (interpolated && c is '{' or '}' && doubled)
                at += 2;
            else if (interpolated && c == '{')
                CopyHole(source, ref at, code, 1);
            else
                KeepLines(source, at, ++at, code);
        }
    }

    private static void SkipRaw(string source, ref int at, StringBuilder code, int dollars, int quotes)
    {
        var end = new string('"', quotes);
        var hole = new string('{', Math.Max(dollars, 1));
        while (at < source.Length)
        {
            var rest = source.AsSpan(at);
            if (rest.StartsWith(end, StringComparison.Ordinal))
            {
                at += quotes;
                return;
            }

            if (dollars > 0 && rest.StartsWith(hole, StringComparison.Ordinal))
                CopyHole(source, ref at, code, dollars);
            else
                KeepLines(source, at, ++at, code);
        }
    }

    private static void CopyHole(string source, ref int at, StringBuilder code, int braces)
    {
        at += braces;
        code.Append(' ');
        CopyCode(source, ref at, code, insideHole: true);
        at += braces;
        code.Append(' ');
    }

    private static void KeepLines(string source, int from, int to, StringBuilder code)
    {
        for (var i = from; i < to; i++)
        {
            if (source[i] == '\n')
                code.Append('\n');
        }
    }
}
