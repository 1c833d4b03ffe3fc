using System.Security.Cryptography;
using System.Text;

namespace Datasette.Text;

/// <summary>Names inside URLs and inside CSS classes.</summary>
/// <remarks>
/// Tilde encoding keeps <c>A-Z a-z 0-9 _ -</c>, writes a space as <c>+</c> and every other UTF-8 byte as <c>~XX</c>. Unlike percent
/// encoding it survives proxies that decode paths. All members are pure and safe on any thread.
/// </remarks>
public static class TildeEncoding
{
    private const string Hex = "0123456789ABCDEF";

    /// <summary>Encodes a name for a path segment or a page token.</summary>
    /// <param name="name">Any text. Lone surrogates are encoded as U+FFFD.</param>
    public static string Encode(string name)
    {
        if (!NeedsEncoding(name))
        {
            return name;
        }

        var result = new StringBuilder(name.Length + 12);
        foreach (var b in Encoding.UTF8.GetBytes(name))
        {
            if (IsPlain((char)b))
            {
                result.Append((char)b);
            }
            else if (b == ' ')
            {
                result.Append('+');
            }
            else
            {
                result.Append('~').Append(Hex[b >> 4]).Append(Hex[b & 15]);
            }
        }

        return result.ToString();
    }

    /// <summary>Decodes a path segment or token component. Never fails: what is no escape stays as it is.</summary>
    /// <param name="text">Encoded text; <c>%XX</c> sequences are left alone, invalid UTF-8 becomes U+FFFD.</param>
    public static string Decode(string text)
    {
        if (text.AsSpan().IndexOfAny('~', '+') < 0)
        {
            return text;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        var length = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            var b = bytes[i];
            if (b == '+')
            {
                b = (byte)' ';
            }
            else if (
                b == '~'
                && i + 2 < bytes.Length
                && char.IsAsciiHexDigit((char)bytes[i + 1])
                && char.IsAsciiHexDigit((char)bytes[i + 2])
            )
            {
                b = (byte)((HexValue(bytes[i + 1]) << 4) | HexValue(bytes[i + 2]));
                i += 2;
            }

            bytes[length++] = b;
        }

        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    /// <summary>The CSS class that stands for a database, table, column or query name on a page.</summary>
    /// <param name="name">Any text. Names that are no plain class get a suffix from their MD5 so that two names never share a class.</param>
    public static string CssClass(string name)
    {
        if (IsCssClass(name))
        {
            return name;
        }

        var words = new StringBuilder(name.Length);
        foreach (var word in name.TrimStart('_').TrimStart('-').Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (words.Length > 0)
            {
                words.Append('-');
            }

            words.Append(word);
        }

        var result = new StringBuilder(words.Length + 7);
        foreach (var c in words.ToString())
        {
            if (IsPlain(c))
            {
                result.Append(c);
            }
        }

        // Upstream joins with a dash only when something is left of the name.
        if (result.Length > 0)
        {
            result.Append('-');
        }

        return result.Append(Md5Prefix(name)).ToString();
    }

    /// <summary>First six hexadecimal digits of the MD5 of a text: colours and class suffixes.</summary>
    internal static string Md5Prefix(string text)
    {
        return Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(text)))[..6];
    }

    private static bool NeedsEncoding(string name)
    {
        foreach (var c in name)
        {
            if (!IsPlain(c))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsPlain(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';

    private static bool IsCssClass(string name)
    {
        return name.Length > 0 && char.IsAsciiLetter(name[0]) && !NeedsEncoding(name);
    }

    private static int HexValue(byte b) => b <= '9' ? b - '0' : (b | 0x20) - 'a' + 10;
}
