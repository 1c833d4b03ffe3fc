using System.Text;
using System.Text.RegularExpressions;

namespace Datasette.Tests.Conformance;

/// <summary>URLs in one spelling, so that the order of arguments and the way they are encoded do not count.</summary>
internal static partial class CanonicalUrl
{
    public static string Of(string url)
    {
        url = LocalHost().Replace(url, "$1://localhost").Replace("/prefix/prefix/", "/prefix/", StringComparison.Ordinal);
        var hash = url.IndexOf('#', StringComparison.Ordinal);
        var fragment = hash < 0 ? "" : url[hash..];
        var rest = hash < 0 ? url : url[..hash];
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        if (question < 0)
        {
            return rest + fragment;
        }
        var pairs = rest[(question + 1)..]
            .Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(part =>
            {
                var equals = part.IndexOf('=', StringComparison.Ordinal);
                return equals < 0 ? (Decode(part), "") : (Decode(part[..equals]), Decode(part[(equals + 1)..]));
            })
            .OrderBy(pair => pair.Item1, StringComparer.Ordinal)
            .ThenBy(pair => pair.Item2, StringComparer.Ordinal)
            .Select(pair => Uri.EscapeDataString(pair.Item1) + "=" + Uri.EscapeDataString(pair.Item2));
        return rest[..question] + "?" + string.Join('&', pairs) + fragment;
    }

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

    [GeneratedRegex(@"^(https?)://(localhost|127\.0\.0\.1)(:\d+)?")]
    private static partial Regex LocalHost();
}
