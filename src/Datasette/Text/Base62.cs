using System.Text;

namespace Datasette.Text;

/// <summary>Whole numbers in base 62 with the digit order <c>A-Z 0-9 a-z</c>, as expiry times inside cookies are written.</summary>
public static class Base62
{
    private const string Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz";

    /// <summary>Writes a number; negative numbers get a leading <c>-</c>, zero is <c>A</c>.</summary>
    public static string Encode(long value)
    {
        if (value == 0)
        {
            return "A";
        }

        var rest = (UInt128)(value < 0 ? -(Int128)value : value);
        var result = new StringBuilder(12);
        while (rest > 0)
        {
            result.Insert(0, Digits[(int)(rest % 62)]);
            rest /= 62;
        }

        if (value < 0)
        {
            result.Insert(0, '-');
        }

        return result.ToString();
    }

    /// <summary>Reads a number. False when a character is no digit, the text is empty or the number does not fit.</summary>
    public static bool TryDecode(string text, out long value)
    {
        value = 0;
        var negative = text.StartsWith('-');
        var start = negative ? 1 : 0;
        if (text.Length == start || text.Length > start + 11)
        {
            return false;
        }

        Int128 sum = 0;
        for (var i = start; i < text.Length; i++)
        {
            var digit = Digits.IndexOf(text[i]);
            if (digit < 0)
            {
                return false;
            }

            sum = (sum * 62) + digit;
        }

        sum = negative ? -sum : sum;
        if (sum < long.MinValue || sum > long.MaxValue)
        {
            return false;
        }

        value = (long)sum;
        return true;
    }
}
