using System.Text;

namespace Datasette.Responses;

/// <summary>A query string as pairs in the order they came; blank values are kept. Immutable.</summary>
internal sealed class QueryArgs
{
    public static readonly QueryArgs Empty = new("", []);
    private readonly List<KeyValuePair<string, string>> pairs;

    private QueryArgs(string raw, List<KeyValuePair<string, string>> pairs)
    {
        Raw = raw;
        this.pairs = pairs;
    }

    /// <summary>The text it was parsed from, without the question mark.</summary>
    public string Raw { get; }

    public IReadOnlyList<KeyValuePair<string, string>> Pairs => pairs;

    public static QueryArgs Parse(string query)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (var part in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            pairs.Add(equals < 0 ? new(Unescape(part), "") : new(Unescape(part[..equals]), Unescape(part[(equals + 1)..])));
        }
        return new(query, pairs);
    }

    /// <summary>The first value of a key; null when it is not there.</summary>
    public string? this[string key]
    {
        get
        {
            foreach (var pair in pairs)
            {
                if (pair.Key == key)
                {
                    return pair.Value;
                }
            }
            return null;
        }
    }

    public IEnumerable<string> All(string key) => pairs.Where(pair => pair.Key == key).Select(pair => pair.Value);

    public bool Has(string key) => this[key] is not null;

    /// <summary>Present and not empty: how arguments such as <c>_nocount</c> are switched on.</summary>
    public bool Flag(string key) => !string.IsNullOrEmpty(this[key]);

    /// <summary>All pairs with a value, those of <paramref name="keys"/> left out; as upstream, pairs without a value do not survive a link.</summary>
    public QueryArgs Without(params IReadOnlyCollection<string> keys) =>
        FromPairs(pairs.Where(pair => pair.Value.Length > 0 && !keys.Contains(pair.Key)));

    public QueryArgs WithoutPair(string key, string value) =>
        FromPairs(pairs.Where(pair => pair.Value.Length > 0 && !(pair.Key == key && pair.Value == value)));

    public QueryArgs With(string key, string value) => FromPairs(pairs.Where(pair => pair.Value.Length > 0).Append(new(key, value)));

    public QueryArgs Replace(string key, string value) => FromPairs(Without(key).pairs.Append(new(key, value)));

    /// <summary>As <see cref="Replace"/>, but filters for the empty text stay: without them the next page would be one of other rows.</summary>
    public QueryArgs ReplaceInPage(string key, string value) =>
        FromPairs(
            pairs
                .Where(pair => pair.Key != key && (pair.Value.Length > 0 || !Tables.TableFilters.IsSpecial(pair.Key)))
                .Append(new(key, value))
        );

    /// <summary>The path with this query string, if there is one.</summary>
    public string ToPath(string path) => pairs.Count == 0 ? path : path + "?" + Raw;

    public static QueryArgs FromPairs(IEnumerable<KeyValuePair<string, string>> source)
    {
        var list = source.ToList();
        return new(string.Join('&', list.Select(pair => Escape(pair.Key) + "=" + Escape(pair.Value))), list);
    }

    /// <summary>Form encoding: letters, digits and <c>-._~</c> stay, a space is a plus sign.</summary>
    public static string Escape(string text) => Uri.EscapeDataString(text).Replace("%20", "+", StringComparison.Ordinal);

    private static string Unescape(string text)
    {
        if (text.AsSpan().IndexOfAny('%', '+') < 0)
        {
            return text;
        }
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '+')
            {
                bytes.Add((byte)' ');
            }
            else if (text[i] == '%' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                bytes.Add(Convert.ToByte(text.Substring(i + 1, 2), 16));
                i += 2;
            }
            else
            {
                var length = char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(text.Substring(i, length)));
                i += length - 1;
            }
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }
}
