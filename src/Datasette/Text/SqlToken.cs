namespace Datasette.Text;

/// <summary>What a piece of SQL text is.</summary>
internal enum SqlTokenKind
{
    /// <summary>A word without quotes: a keyword or a name.</summary>
    Word,

    /// <summary>A name between double quotes, backticks or brackets.</summary>
    QuotedName,

    /// <summary>A text between single quotes.</summary>
    Text,

    /// <summary>A number; a blob literal is a word and a text.</summary>
    Number,

    /// <summary>One character of punctuation.</summary>
    Mark,
}

/// <summary>One piece of SQL text, without the white space and the comments around it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Start">Where it begins in the text.</param>
/// <param name="End">Where it ends, exclusive.</param>
/// <param name="Value">The word or the name without its quotes; else the text itself.</param>
internal sealed record SqlToken(SqlTokenKind Kind, int Start, int End, string Value)
{
    /// <summary>Whether it is this keyword.</summary>
    public bool Is(string word) => Kind is SqlTokenKind.Word or SqlTokenKind.Mark && Value.Equals(word, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether it names this, with or without quotes.</summary>
    public bool Names(string name) =>
        Kind is SqlTokenKind.Word or SqlTokenKind.QuotedName && Value.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>Takes SQL text apart. What is never closed runs to the end.</summary>
    public static List<SqlToken> Read(string sql)
    {
        var tokens = new List<SqlToken>();
        for (var i = 0; i < sql.Length; )
        {
            var end = EndOfSpace(sql, i);
            if (end > i)
            {
                i = end;
                continue;
            }

            var token = At(sql, i);
            tokens.Add(token);
            i = token.End;
        }

        return tokens;
    }

    private static SqlToken At(string sql, int start)
    {
        var first = sql[start];
        if (first is '\'' or '"' or '`' or '[')
        {
            var close = first == '[' ? ']' : first;
            var end = EndOfQuoted(sql, start + 1, close, first != '[');
            var inner = sql[(start + 1)..Math.Max(start + 1, end - 1)];
            var value = first == '[' ? inner : inner.Replace(new string(close, 2), close.ToString(), StringComparison.Ordinal);
            return new(first == '\'' ? SqlTokenKind.Text : SqlTokenKind.QuotedName, start, end, value);
        }

        if (char.IsAsciiDigit(first) || (first == '.' && start + 1 < sql.Length && char.IsAsciiDigit(sql[start + 1])))
        {
            var end = start + 1;
            while (end < sql.Length && (IsWordPart(sql[end]) || sql[end] == '.' || (sql[end] is '+' or '-' && IsExponent(sql, start, end))))
            {
                end++;
            }

            return new(SqlTokenKind.Number, start, end, sql[start..end]);
        }

        if (IsWordPart(first))
        {
            var end = start + 1;
            while (end < sql.Length && IsWordPart(sql[end]))
            {
                end++;
            }

            return new(SqlTokenKind.Word, start, end, sql[start..end]);
        }

        return new(SqlTokenKind.Mark, start, start + 1, sql[start..(start + 1)]);
    }

    private static bool IsExponent(string sql, int start, int sign) =>
        sql[sign - 1] is 'e' or 'E' && !sql.AsSpan(start).StartsWith("0x", StringComparison.OrdinalIgnoreCase);

    private static int EndOfQuoted(string sql, int from, char close, bool doubles)
    {
        for (var i = from; i < sql.Length; i++)
        {
            if (sql[i] != close)
            {
                continue;
            }

            if (!doubles || i + 1 >= sql.Length || sql[i + 1] != close)
            {
                return i + 1;
            }

            i++;
        }

        return sql.Length;
    }

    private static int EndOfSpace(string sql, int i)
    {
        if (char.IsWhiteSpace(sql[i]))
        {
            return i + 1;
        }

        if (sql.AsSpan(i).StartsWith("--"))
        {
            var end = sql.IndexOf('\n', i);
            return end < 0 ? sql.Length : end + 1;
        }

        if (sql.AsSpan(i).StartsWith("/*"))
        {
            var end = sql.IndexOf("*/", i + 2, StringComparison.Ordinal);
            return end < 0 ? sql.Length : end + 2;
        }

        return i;
    }

    private static bool IsWordPart(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '$' || c > 127;
}
