using System.Globalization;

namespace Datasette.Liquid;

/// <summary>The kinds of words in a tag.</summary>
internal enum TokenKind
{
    End,
    Name,
    Number,
    Text,
    Symbol,
}

/// <summary>One word of a tag.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Text">The name, the symbol, or what is in quotes.</param>
/// <param name="Number">The number.</param>
internal readonly record struct Token(TokenKind Kind, string Text, decimal Number = 0)
{
    public override string ToString() =>
        Kind switch
        {
            TokenKind.End => "the end of the tag",
            TokenKind.Text => $"\"{Text}\"",
            _ => $"'{Text}'",
        };
}

/// <summary>Splits what stands in a tag into words.</summary>
internal static class LiquidTokens
{
    private static readonly string[] Symbols = ["==", "!=", "<>", "<=", ">=", "..", "<", ">", "|", ":", ",", ".", "[", "]", "(", ")", "="];

    public static List<Token> Split(string tag, int line)
    {
        var tokens = new List<Token>();
        var at = 0;
        while (at < tag.Length)
        {
            var c = tag[at];
            if (char.IsWhiteSpace(c))
            {
                at++;
            }
            else if (c is '"' or '\'')
            {
                var end = tag.IndexOf(c, at + 1);
                if (end < 0)
                {
                    throw new LiquidException($"a text that begins with {c} does not end", line);
                }
                tokens.Add(new(TokenKind.Text, tag[(at + 1)..end]));
                at = end + 1;
            }
            else if (char.IsLetter(c) || c == '_')
            {
                var end = at + 1;
                while (end < tag.Length && (char.IsLetterOrDigit(tag[end]) || tag[end] == '_'))
                {
                    end++;
                }
                tokens.Add(new(TokenKind.Name, tag[at..end]));
                at = end;
            }
            else if (char.IsAsciiDigit(c) || c == '-' && at + 1 < tag.Length && char.IsAsciiDigit(tag[at + 1]))
            {
                at = Number(tag, at, line, tokens);
            }
            else
            {
                var symbol =
                    Symbols.FirstOrDefault(s => string.CompareOrdinal(tag, at, s, 0, s.Length) == 0)
                    ?? throw new LiquidException($"'{c}' has no meaning here", line);
                tokens.Add(new(TokenKind.Symbol, symbol));
                at += symbol.Length;
            }
        }
        return tokens;
    }

    private static int Number(string tag, int at, int line, List<Token> tokens)
    {
        var end = at + 1;
        // Two dots are a range, not a fraction.
        while (
            end < tag.Length && (char.IsAsciiDigit(tag[end]) || tag[end] == '.' && end + 1 < tag.Length && char.IsAsciiDigit(tag[end + 1]))
        )
        {
            end++;
        }
        var text = tag[at..end];
        if (
            !decimal.TryParse(
                text,
                NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out var number
            )
        )
        {
            throw new LiquidException($"{text} is no number", line);
        }
        tokens.Add(new(TokenKind.Number, text, number));
        return end;
    }
}
