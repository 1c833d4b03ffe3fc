using System.Text.RegularExpressions;

namespace Datasette.Litestream.Configuration;

/// <summary>
/// Replaces <c>$NAME</c>, <c>${NAME}</c> and <c>${NAME:-default}</c> in one pass, so that text which comes in by a variable is never expanded
/// again. <c>$$</c> is a dollar sign; any other use of <c>$</c> stays as it is.
/// A name known to <paramref name="known"/> is found by its start, as plain textual replacement finds it: <c>$DB_NAMEx</c> is the name and an x.
/// </summary>
/// <param name="known">The plugin's own variables, first to be tried.</param>
/// <param name="environment">The environment.</param>
internal sealed partial class VariableText(IReadOnlyList<KeyValuePair<string, string>> known, Func<string, string?> environment)
{
    /// <summary>Replaces all variables.</summary>
    /// <param name="text">The text.</param>
    /// <param name="unset">Told each name that is set nowhere; such a variable becomes empty.</param>
    public string Expand(string text, Action<string> unset) =>
        text.Contains('$', StringComparison.Ordinal) ? Variable().Replace(text, match => One(match, unset)) : text;

    private string One(Match match, Action<string> unset)
    {
        if (match.Value == "$$")
            return "$";
        var bare = match.Groups["bare"].Value;
        if (bare.Length > 0)
        {
            foreach (var (name, value) in known)
            {
                if (bare.StartsWith(name, StringComparison.Ordinal))
                    return value + bare[name.Length..];
            }
            return FromEnvironment(bare, unset);
        }
        var braced = match.Groups["braced"].Value;
        foreach (var (name, value) in known)
        {
            if (braced == name)
                return value;
        }
        var fallback = match.Groups["default"];
        return fallback.Success && string.IsNullOrEmpty(environment(braced)) ? fallback.Value : FromEnvironment(braced, unset);
    }

    private string FromEnvironment(string name, Action<string> unset)
    {
        if (environment(name) is { } value)
            return value;
        unset(name);
        return "";
    }

    [GeneratedRegex(@"\$(?:\$|(?<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?<braced>[A-Za-z_][A-Za-z0-9_]*)(?::-(?<default>[^}]*))?\})")]
    private static partial Regex Variable();
}
