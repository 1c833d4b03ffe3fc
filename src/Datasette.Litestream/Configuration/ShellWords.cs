using System.Text;

namespace Datasette.Litestream.Configuration;

/// <summary>Splits a command line into words as a POSIX shell does, and does nothing else that a shell does: no variables, no patterns, no pipes.</summary>
internal static class ShellWords
{
    /// <summary>The words; null when a quote is not closed or the text ends in a backslash.</summary>
    public static IReadOnlyList<string>? Split(string text)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char? quote = null;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quote == '\'' || (quote == '"' && c is not ('"' or '\\')))
            {
                if (c == quote)
                    quote = null;
                else
                    word!.Append(c);
            }
            else if (c == '\\')
            {
                if (++i == text.Length)
                    return null;
                // Between double quotes a backslash is one, except before what would mean something there.
                if (quote == '"' && text[i] is not ('"' or '\\' or '$' or '`' or '\n'))
                    word!.Append('\\');
                if (text[i] != '\n')
                    (word ??= new()).Append(text[i]);
            }
            else if (c == '"' && quote is not null)
            {
                quote = null;
            }
            else if (c is '"' or '\'')
            {
                quote = c;
                word ??= new(); // "" is a word as well
            }
            else if (c is ' ' or '\t' or '\n' or '\r')
            {
                if (word is not null)
                    words.Add(word.ToString());
                word = null;
            }
            else
            {
                (word ??= new()).Append(c);
            }
        }
        if (word is not null)
            words.Add(word.ToString());
        return quote is null ? words : null;
    }
}
