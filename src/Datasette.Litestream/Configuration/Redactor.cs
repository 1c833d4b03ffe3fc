using System.Text.RegularExpressions;

namespace Datasette.Litestream.Configuration;

/// <summary>Takes secrets out of what people see: configuration, log lines, error texts. Safe on any thread once it is no longer added to.</summary>
internal sealed partial class Redactor
{
    /// <summary>What stands where a secret stood.</summary>
    public const string Marker = "***REDACTED***";

    // Shorter values cannot be told from ordinary words in running text; in the configuration block they are hidden by their key.
    private const int ShortestInText = 4;

    private static readonly string[] SecretWords =
    [
        "secret",
        "token",
        "password",
        "passwd",
        "passphrase",
        "signature",
        "credential",
        "jwt",
        "seed",
        "nkey",
        "identities",
    ];
    private static readonly string[] PublicKeys =
    [
        "sse-kms-key-id",
        "ssekmskeyid",
        "key-path",
        "sse-customer-key-path",
        "host-key",
        "credentials-file",
        "credentials-command",
        "credentials-refresh-interval",
    ];

    private readonly SortedDictionary<string, string> _values = new(LongestFirst.Instance);

    /// <summary>True when the value of this key must not be seen at all.</summary>
    public static bool IsSecretKey(string key)
    {
        var name = key.ToLowerInvariant();
        if (IsAccessKeyId(name) || PublicKeys.Contains(name))
            return false;
        return SecretWords.Any(word => name.Contains(word, StringComparison.Ordinal))
            || name is "key" or "auth" or "sig"
            || name.EndsWith("key", StringComparison.Ordinal);
    }

    /// <summary>True when only the end of this key's value may be seen.</summary>
    public static bool IsAccessKeyId(string key) =>
        key.Replace("-", "", StringComparison.Ordinal).Equals("accesskeyid", StringComparison.OrdinalIgnoreCase);

    /// <summary>An access key's last four characters; nothing of a key that is hardly longer.</summary>
    public static string LastFour(string accessKeyId) => accessKeyId.Length < 8 ? Marker : "…" + accessKeyId[^4..];

    /// <summary>Remembers a value that must not appear anywhere. Owner: the reading of one configuration.</summary>
    public void AddSecret(string value, string replacement = Marker)
    {
        var trimmed = value.Trim();
        if (trimmed.Length >= ShortestInText)
            _values[trimmed] = replacement;
    }

    /// <summary>The same, and further secrets: credentials that came later.</summary>
    public Redactor Plus(IEnumerable<string> secrets)
    {
        var more = new Redactor();
        foreach (var (value, replacement) in _values)
            more._values[value] = replacement;
        foreach (var secret in secrets)
            more.AddSecret(secret);
        return more;
    }

    /// <summary>A value as it may be shown under its key, and remembers it when it is secret.</summary>
    public string Value(string key, string value)
    {
        if (value.Length == 0)
            return value;
        if (IsSecretKey(key))
        {
            AddSecret(value);
            return Marker;
        }
        if (IsAccessKeyId(key))
        {
            AddSecret(value, LastFour(value));
            return LastFour(value);
        }
        Learn(value);
        return UrlParts(value);
    }

    /// <summary>Any text without the secrets known here and without user-info and secret query values of URLs.</summary>
    public string Text(string text)
    {
        foreach (var (secret, replacement) in _values)
            text = text.Replace(secret, replacement, StringComparison.Ordinal);
        return UrlParts(text);
    }

    /// <summary>Remembers what is secret inside a URL, so that it is also found where it stands alone.</summary>
    private void Learn(string url)
    {
        foreach (Match match in QueryValue().Matches(url))
        {
            var (key, value) = (match.Groups[2].Value, Uri.UnescapeDataString(match.Groups[3].Value));
            if (IsSecretKey(key))
                AddSecret(value);
            else if (IsAccessKeyId(key))
                AddSecret(value, LastFour(value));
        }
        if (Password().Match(url) is { Success: true } login)
            AddSecret(Uri.UnescapeDataString(login.Groups[1].Value));
    }

    private static string UrlParts(string text)
    {
        if (text.Contains("://", StringComparison.Ordinal))
            text = UserInfo().Replace(text, "$1" + Marker + "@");
        return QueryValue()
            .Replace(
                text,
                static match =>
                {
                    var key = match.Groups[2].Value;
                    if (IsSecretKey(key))
                        return match.Groups[1].Value + key + "=" + Marker;
                    return IsAccessKeyId(key) ? match.Groups[1].Value + key + "=" + LastFour(match.Groups[3].Value) : match.Value;
                }
            );
    }

    [GeneratedRegex(@"([A-Za-z][A-Za-z0-9+.\-]*://)[^/?#\s""'<>]*@")]
    private static partial Regex UserInfo();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9+.\-]*://[^/?#@:]*:([^/?#@]+)@")]
    private static partial Regex Password();

    [GeneratedRegex(@"([?&])([^=&#\s""'<>]+)=([^&#\s""'<>]+)")]
    private static partial Regex QueryValue();

    /// <summary>A secret that contains another one must be replaced first.</summary>
    private sealed class LongestFirst : IComparer<string>
    {
        public static LongestFirst Instance { get; } = new();

        public int Compare(string? x, string? y) => x!.Length != y!.Length ? y.Length.CompareTo(x.Length) : string.CompareOrdinal(x, y);
    }
}
