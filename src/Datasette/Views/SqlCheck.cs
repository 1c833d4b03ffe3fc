using System.Text.RegularExpressions;

namespace Datasette.Views;

/// <summary>Which SQL a visitor may send. The connection is read-only in any case; this gives the clearer message.</summary>
internal static partial class SqlCheck
{
    private const string Functions =
        "database_list|foreign_key_list|function_list|index_info|index_list|index_xinfo|page_count|max_page_count|page_size|schema_version|table_info|table_xinfo|table_list";

    /// <exception cref="DatasetteException">400: not a query, or a pragma that is not on the list.</exception>
    public static void EnsureSelect(string sql)
    {
        if (!Select().IsMatch(sql))
        {
            throw new DatasetteException(400, "Statement must be a SELECT");
        }
        if (Pragma().IsMatch(sql))
        {
            var allowed = string.Join(", ", Functions.Split('|').Select(name => $"pragma_{name}()"));
            throw new DatasetteException(400, $"Statement contained a disallowed PRAGMA. Allowed pragma functions are {allowed}");
        }
    }

    [GeneratedRegex(
        @"^(?>(\s|--[^\n]*(\n|$)|/\*.*?\*/)*)(explain\s+(query\s+plan\s+)?)?(select|with)\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant,
        1000
    )]
    private static partial Regex Select();

    [GeneratedRegex($@"pragma(?!_({Functions})\b)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Pragma();
}
