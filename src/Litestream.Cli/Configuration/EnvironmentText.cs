using System.Text;

namespace Litestream.Cli.Configuration;

/// <summary>Replaces <c>$NAME</c>, <c>${NAME}</c> and <c>${NAME:-default}</c> by the environment; <c>$$</c> is a dollar sign.</summary>
internal static class EnvironmentText
{
    /// <summary>The text with every name replaced; names that are not set become empty. Any other use of <c>$</c> stays as it is.</summary>
    public static string Expand(string text, Func<string, string?> environment)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; )
        {
            var used = text[i] == '$' ? Take(text.AsSpan(i + 1), environment, result) : 0;
            if (used == 0)
                result.Append(text[i]);
            i += 1 + used;
        }
        return result.ToString();
    }

    // Appends the value and returns the characters used after the dollar; 0 when this dollar means nothing.
    private static int Take(ReadOnlySpan<char> rest, Func<string, string?> environment, StringBuilder result)
    {
        if (rest is ['$', ..])
        {
            result.Append('$');
            return 1;
        }
        if (rest is ['{', ..] && rest.IndexOf('}') is > 0 and var end)
        {
            var inside = rest[1..end];
            var name = NameLength(inside);
            if (name == 0 || (name < inside.Length && !inside[name..].StartsWith(":-")))
                return 0;
            var value = environment(inside[..name].ToString());
            result.Append(string.IsNullOrEmpty(value) && name < inside.Length ? inside[(name + 2)..].ToString() : value);
            return end + 1;
        }
        var length = NameLength(rest);
        if (length > 0)
            result.Append(environment(rest[..length].ToString()));
        return length;
    }

    private static int NameLength(ReadOnlySpan<char> text)
    {
        var length = 0;
        while (
            length < text.Length
            && (text[length] == '_' || char.IsAsciiLetter(text[length]) || (length > 0 && char.IsAsciiDigit(text[length])))
        )
            length++;
        return length;
    }
}
