using System.Text;

namespace Litestream.Cli.Commands;

/// <summary>Splits a command line as a shell does: blanks, single and double quotes, backslashes; nothing is expanded.</summary>
internal static class ShellWords
{
    /// <exception cref="CliException">A quote is not closed.</exception>
    public static IReadOnlyList<string> Split(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var inWord = false;
        var quote = '\0';
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (quote == '\'' ? c == '\'' : quote == '"' && c == '"')
                quote = '\0';
            else if (c == '\\' && quote != '\'' && i + 1 < line.Length && (quote == '\0' || line[i + 1] is '"' or '\\' or '$' or '`'))
                (inWord, _) = (true, word.Append(line[++i]));
            else if (quote == '\0' && c is '\'' or '"' && quote == '\0')
                (inWord, quote) = (true, c);
            else if (quote == '\0' && char.IsWhiteSpace(c))
                inWord = End(words, word, inWord);
            else
                (inWord, _) = (true, word.Append(c));
        }
        if (quote != '\0')
            throw new CliException($"-exec: a quote {quote} is not closed: {line}");
        End(words, word, inWord);
        return words;
    }

    private static bool End(List<string> words, StringBuilder word, bool inWord)
    {
        if (inWord)
            words.Add(word.ToString());
        word.Clear();
        return false;
    }
}
