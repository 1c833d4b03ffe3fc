using System.Text;

namespace Datasette.Text;

/// <summary>Named parameters inside SQL text: found and renamed outside strings, comments and quoted identifiers.</summary>
public static class SqlParameters
{
    /// <summary>Names of the <c>:name</c> parameters in order of first appearance, without the colon, each once.</summary>
    /// <param name="sql">Any text; need not be valid SQL.</param>
    public static IReadOnlyList<string> Names(string sql)
    {
        var names = new List<string>();
        foreach (var (start, length) in Find(sql))
        {
            var name = sql.Substring(start + 1, length - 1);
            if (!names.Contains(name))
            {
                names.Add(name);
            }
        }

        return names;
    }

    /// <summary>The same SQL with each <c>:name</c> parameter renamed.</summary>
    /// <param name="sql">Any text.</param>
    /// <param name="rename">New name for an old one, both without the colon.</param>
    public static string Rename(string sql, Func<string, string> rename)
    {
        var result = new StringBuilder(sql.Length + 16);
        var done = 0;
        foreach (var (start, length) in Find(sql))
        {
            result.Append(sql, done, start - done).Append(':').Append(rename(sql.Substring(start + 1, length - 1)));
            done = start + length;
        }

        return result.Append(sql, done, sql.Length - done).ToString();
    }

    private static IEnumerable<(int Start, int Length)> Find(string sql)
    {
        for (var i = 0; i < sql.Length; )
        {
            var end = SkipQuotedOrComment(sql, i);
            if (end > i)
            {
                i = end;
                continue;
            }

            if (sql[i] != ':' || i + 1 >= sql.Length || !IsNameStart(sql[i + 1]))
            {
                // Two colons are no parameter, and what stands behind them is none either.
                i += sql[i] == ':' && i + 1 < sql.Length && sql[i + 1] == ':' ? 2 : 1;
                continue;
            }

            end = i + 1;
            while (end < sql.Length && IsNamePart(sql[end]))
            {
                end++;
            }

            yield return (i, end - i);
            i = end;
        }
    }

    // The index behind what begins here, or the same index when nothing does. What is never closed runs to the end.
    private static int SkipQuotedOrComment(string sql, int i)
    {
        switch (sql[i])
        {
            case '\'' or '"' or '`':
                return SkipTo(sql, i + 1, sql[i]);
            case '[':
                return SkipTo(sql, i + 1, ']');
            case '-' when i + 1 < sql.Length && sql[i + 1] == '-':
                return SkipTo(sql, i + 2, '\n');
            case '/' when i + 1 < sql.Length && sql[i + 1] == '*':
                var end = sql.IndexOf("*/", i + 2, StringComparison.Ordinal);
                return end < 0 ? sql.Length : end + 2;
            default:
                return i;
        }
    }

    // A doubled quote needs no care here: it closes and opens again.
    private static int SkipTo(string sql, int from, char mark)
    {
        var end = sql.IndexOf(mark, from);
        return end < 0 ? sql.Length : end + 1;
    }

    private static bool IsNameStart(char c) => char.IsLetter(c) || c == '_';

    private static bool IsNamePart(char c) => char.IsLetterOrDigit(c) || c is '_' or '$';
}
