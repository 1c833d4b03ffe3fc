using System.Text.RegularExpressions;
using Datasette.Responses;

namespace Datasette.Views;

/// <summary>The filter form sends columns, operators and values apart; this puts them together into the address that is kept.</summary>
internal static partial class FormRedirect
{
    /// <summary>Where to go instead; null when the address is as it should be.</summary>
    public static string? Of(ViewContext v)
    {
        var pairs = v.Args.Pairs;
        var suffixes = pairs
            .Select(pair => FilterColumn().Match(pair.Key))
            .Where(match => match.Success)
            .Select(match => match.Groups[1].Value)
            .Distinct()
            .ToList();
        var descending = v.Args["_sort_by_desc"];
        if (suffixes.Count == 0 && descending is null)
        {
            return null;
        }
        var kept = pairs.Where(pair => !FilterPart().IsMatch(pair.Key) && pair.Key != "_sort_by_desc" && pair.Value.Length > 0);
        if (descending == "on" && v.Args["_sort"] is { Length: > 0 })
        {
            kept = kept.Select(pair => pair.Key == "_sort" ? new KeyValuePair<string, string>("_sort_desc", pair.Value) : pair);
        }
        var filters = suffixes.SelectMany(suffix => Filter(v.Args, suffix));
        var args = QueryArgs.FromPairs(kept.Concat(filters));
        return v.App.UrlPath(args.ToPath(v.Path));
    }

    private static IEnumerable<KeyValuePair<string, string>> Filter(QueryArgs args, string suffix)
    {
        var column = args["_filter_column" + suffix];
        var op = args["_filter_op" + suffix] ?? "exact";
        var value = args["_filter_value" + suffix] ?? "";
        if (string.IsNullOrEmpty(column))
        {
            yield break;
        }
        // An operator without a value carries one of its own: isnull__1.
        if (op.IndexOf("__", StringComparison.Ordinal) is var at and >= 0)
        {
            (op, value) = (op[..at], op[(at + 2)..]);
        }
        yield return new($"{column}__{op}", value);
    }

    [GeneratedRegex(@"^_filter_column(_\d+|)$")]
    private static partial Regex FilterColumn();

    [GeneratedRegex(@"^_filter_(column|op|value)(_\d+|)$")]
    private static partial Regex FilterPart();
}
