namespace Datasette.Text;

/// <summary>How many SELECTs a statement becomes when every name stands for what it was defined as. Pure.</summary>
/// <remarks>
/// SQLite copies the definition of a common table expression, and of a view, for each place that names it, before it looks at any clock: a
/// text of a few lines in which each name uses the one before twice asks for more memory than there is. An upper bound is enough: what is
/// over a thousand was not written by anybody in need of an answer.
/// </remarks>
internal sealed class SqlExpansion
{
    /// <summary>More than this is refused.</summary>
    public const long Largest = 1000;

    private readonly Dictionary<string, List<string>> _uses = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, long> _sizes = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _open = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<List<string>> _definitions = [];
    private bool _isAmbiguous;

    /// <summary>Refuses a statement that is too large.</summary>
    /// <exception cref="DatasetteException">400.</exception>
    public static void RequireSmall(string sql, IEnumerable<KeyValuePair<string, string>> views)
    {
        if (Of(sql, views) > Largest)
        {
            throw new DatasetteException(
                400,
                "The statement is too large: its common table expressions or views use one another too often"
            );
        }
    }

    /// <summary>The bound for a statement.</summary>
    /// <param name="sql">The statement; it need not be correct.</param>
    /// <param name="views">The views of the database: name and CREATE statement.</param>
    public static long Of(string sql, IEnumerable<KeyValuePair<string, string>> views)
    {
        var expansion = new SqlExpansion();
        var hasWith = sql.Contains("with", StringComparison.OrdinalIgnoreCase);
        var known = views.ToList();
        if (!hasWith && !known.Exists(view => sql.Contains(view.Key, StringComparison.OrdinalIgnoreCase)))
        {
            return 1;
        }

        foreach (var (name, text) in known)
        {
            expansion._uses[name] = expansion.Read(Tokens(text), defines: false);
            expansion._definitions.Add(expansion._uses[name]);
        }

        var top = expansion.Read(Tokens(sql), defines: true);
        return expansion._isAmbiguous ? expansion.Product() : expansion.Sum(top);
    }

    private long Sum(List<string> uses)
    {
        var sum = 1L;
        foreach (var name in uses)
        {
            sum = Math.Min(sum + SizeOf(name), Largest + 1);
        }

        return sum;
    }

    private long SizeOf(string name)
    {
        if (!_uses.TryGetValue(name, out var uses))
        {
            return 0;
        }

        if (_sizes.TryGetValue(name, out var size))
        {
            return size;
        }

        // A name inside its own definition is a recursion: it is not copied.
        if (!_open.Add(name))
        {
            return 1;
        }

        size = Sum(uses);
        _open.Remove(name);
        return _sizes[name] = size;
    }

    // The same name in several scopes: who means whom is not worked out, and so the worst is taken.
    private long Product()
    {
        var product = 1L;
        foreach (var uses in _definitions)
        {
            product = Math.Min(product * Math.Max(1, uses.Count(_uses.ContainsKey)), Largest + 1);
        }

        return product;
    }

    /// <summary>The names that stand where a table stands, definitions inside taken out and kept.</summary>
    private List<string> Read(List<string> tokens, bool defines)
    {
        var uses = new List<string>();
        for (var i = 0; i < tokens.Count; i++)
        {
            if (defines && IsDefinition(tokens, i, out var open))
            {
                var close = Close(tokens, open);
                var inner = Read(tokens[(open + 1)..close], defines: true);
                _definitions.Add(inner);
                _isAmbiguous |= !_uses.TryAdd(Name(tokens[i]), inner);
                i = close;
            }
            else if (i > 0 && IsBeforeTable(tokens[i - 1]) && (i + 1 >= tokens.Count || tokens[i + 1] != ".") && IsName(tokens[i]))
            {
                uses.Add(Name(tokens[i]));
            }
        }

        return uses;
    }

    // name [(columns)] AS [NOT] [MATERIALIZED] ( behind WITH, RECURSIVE or a comma.
    private static bool IsDefinition(List<string> tokens, int at, out int open)
    {
        open = at + 1;
        if (at == 0 || !IsName(tokens[at]) || !(Is(tokens[at - 1], "with") || Is(tokens[at - 1], "recursive") || tokens[at - 1] == ","))
        {
            return false;
        }

        if (open < tokens.Count && tokens[open] == "(")
        {
            open = Close(tokens, open) + 1;
        }

        if (open >= tokens.Count || !Is(tokens[open], "as"))
        {
            return false;
        }

        open++;
        while (open < tokens.Count && (Is(tokens[open], "not") || Is(tokens[open], "materialized")))
        {
            open++;
        }

        return open < tokens.Count && tokens[open] == "(";
    }

    private static int Close(List<string> tokens, int open)
    {
        var depth = 0;
        for (var i = open; i < tokens.Count; i++)
        {
            depth +=
                tokens[i] == "(" ? 1
                : tokens[i] == ")" ? -1
                : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        return tokens.Count - 1;
    }

    private static bool IsBeforeTable(string token) =>
        token is "," or "(" or "." || Is(token, "from") || Is(token, "join") || Is(token, "in") || Is(token, "update") || Is(token, "into");

    private static bool IsName(string token) =>
        token.Length > 0 && (char.IsLetter(token[0]) || token[0] is '_' or '"' or '[' or '`' or '\'' || token[0] > 127);

    private static bool Is(string token, string word) => token.Equals(word, StringComparison.OrdinalIgnoreCase);

    private static string Name(string token) =>
        token[0] is '"' or '[' or '`' or '\''
            ? token[1..^(token.Length > 1 ? 1 : 0)].Replace("\"\"", "\"", StringComparison.Ordinal)
            : token;

    /// <summary>Words, quoted names, single signs; comments and blanks are left out.</summary>
    private static List<string> Tokens(string sql)
    {
        var tokens = new List<string>();
        for (var i = 0; i < sql.Length; )
        {
            var end = i + 1;
            if (sql.AsSpan(i).StartsWith("--"))
            {
                end = After(sql, "\n", i);
            }
            else if (sql.AsSpan(i).StartsWith("/*"))
            {
                end = After(sql, "*/", i + 2);
            }
            else if (sql[i] is '"' or '\'' or '`' or '[')
            {
                end = AfterQuoted(sql, i, sql[i] == '[' ? ']' : sql[i]);
                tokens.Add(sql[i..end]);
            }
            else if (IsWord(sql[i]))
            {
                while (end < sql.Length && IsWord(sql[end]))
                {
                    end++;
                }

                tokens.Add(sql[i..end]);
            }
            else if (!char.IsWhiteSpace(sql[i]))
            {
                tokens.Add(sql[i..end]);
            }

            i = end;
        }

        return tokens;
    }

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '$' || c > 127;

    private static int After(string sql, string mark, int from) =>
        sql.IndexOf(mark, from, StringComparison.Ordinal) is >= 0 and var at ? at + mark.Length : sql.Length;

    private static int AfterQuoted(string sql, int start, char close)
    {
        for (var i = start + 1; i < sql.Length; i++)
        {
            if (sql[i] == close)
            {
                if (close != ']' && i + 1 < sql.Length && sql[i + 1] == close)
                {
                    i++;
                    continue;
                }

                return i + 1;
            }
        }

        return sql.Length;
    }
}
