using System.Text;
using System.Text.RegularExpressions;

namespace Litestream.Replicas;

/// <summary>Where a replica is: a URL, or the path of a folder. Immutable.</summary>
/// <remarks>
/// Only the common grammar is read here. What stands between <c>//</c> and the next <c>/</c> is given as <see cref="Bucket"/> for buckets
/// and as <see cref="Host"/> for servers; a backend may find more in it (S3 knows whole host names and access point ARNs there).
/// </remarks>
public sealed partial class ReplicaUrl : IEquatable<ReplicaUrl>
{
    private static readonly string[] BucketSchemes = ["s3", "gs", "gcs", "abs", "oss"];
    private static readonly string[] ServerSchemes = ["sftp", "nats", "webdav", "webdavs"];
    private static readonly string[] SecretWords = ["secret", "password", "passwd", "token", "key", "sas", "sig", "cred", "seed", "jwt"];

    private ReplicaUrl(string scheme, string path, string original)
    {
        Scheme = scheme;
        Path = path;
        Original = original;
    }

    /// <summary>The kind of store, lower case: <c>file</c>, <c>s3</c>, ...</summary>
    public string Scheme { get; }

    /// <summary>Server, with its port if one is given; null for buckets and folders.</summary>
    public string? Host { get; private init; }

    /// <summary>Bucket or container (for S3 also a host or ARN that contains it); null for servers and folders.</summary>
    public string? Bucket { get; private init; }

    /// <summary>
    /// For folders the absolute path. Else the common start of all keys: without <c>.</c>, <c>..</c>, double, leading or trailing slashes; may be
    /// empty. Percent escapes are decoded.
    /// </summary>
    public string Path { get; }

    /// <summary>Parameters after <c>?</c>, decoded; of a repeated one the first. Never null.</summary>
    public IReadOnlyDictionary<string, string> Query { get; private init; } = new Dictionary<string, string>();

    /// <summary>User before <c>@</c>, decoded (for Azure: the account); null when none.</summary>
    public string? User { get; private init; }

    /// <summary>Password before <c>@</c>, decoded; null when none. Never shown by <see cref="ToString"/>.</summary>
    public string? Password { get; private init; }

    /// <summary>The text as it was given. May hold secrets: never for people.</summary>
    public string Original { get; }

    /// <summary>True when the text was the path of a folder, not a URL.</summary>
    public bool IsPlainPath { get; private init; }

    /// <summary>True when the text is a URL and not a path: it starts with a word and <c>://</c>.</summary>
    public static bool IsUrl(string text) => UrlStart().IsMatch(text);

    /// <summary>Reads a URL, or else the path of a folder.</summary>
    /// <param name="text">URL or path.</param>
    /// <param name="baseDirectory">What a relative path is relative to; null for the current folder.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: the text is neither.</exception>
    public static ReplicaUrl Parse(string text, string? baseDirectory = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (string.IsNullOrWhiteSpace(text))
            throw Invalid("a replica needs a URL or a path", "for example s3://bucket/path, or the path of a folder");
        if (text.Contains('\0', StringComparison.Ordinal))
            throw Invalid("a replica's URL or path contains a zero byte");
        if (!IsUrl(text))
        {
            var path = System.IO.Path.GetFullPath(text, System.IO.Path.GetFullPath(baseDirectory ?? "."));
            return new ReplicaUrl("file", TrimEnd(path), text) { IsPlainPath = true };
        }
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var scheme = text[..colon].ToLowerInvariant();
        var rest = text[(colon + 3)..];
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var query = question < 0 ? new Dictionary<string, string>() : ParseQuery(rest[(question + 1)..]);
        if (question >= 0)
            rest = rest[..question];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var authority = slash < 0 ? rest : rest[..slash];
        var tail = slash < 0 ? "" : rest[slash..];
        return scheme == "file" ? ParseFile(authority, tail, query, text) : ParseRemote(scheme, authority, tail, query, text);
    }

    /// <summary>Makes the URL of a bucket from the separate settings of a configuration file.</summary>
    /// <param name="scheme">Kind of store.</param>
    /// <param name="bucket">Bucket, container or host form, as it would stand in a URL.</param>
    /// <param name="path">Path in it, not escaped; null or empty for none.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: no bucket.</exception>
    public static ReplicaUrl ForBucket(string scheme, string bucket, string? path)
    {
        ArgumentException.ThrowIfNullOrEmpty(scheme);
        ArgumentNullException.ThrowIfNull(bucket);
        if (bucket.Length == 0)
            throw Invalid($"{scheme}: bucket required");
        var clean = Clean(path ?? "");
        return new ReplicaUrl(
            scheme,
            clean,
            $"{scheme}://{bucket}/{Uri.EscapeDataString(clean).Replace("%2F", "/", StringComparison.Ordinal)}"
        )
        {
            Bucket = bucket,
        };
    }

    /// <summary>The URL for people: password and secret parameters are replaced by <c>***</c>.</summary>
    public override string ToString()
    {
        if (IsPlainPath)
            return Path;
        var text = new StringBuilder(Scheme).Append("://");
        if (User is not null)
            text.Append(User).Append(Password is null ? "" : ":***").Append('@');
        text.Append(Host).Append(Host is not null && Bucket is not null ? "/" : "").Append(Bucket);
        if (Path.Length > 0)
            text.Append(Path[0] == '/' ? "" : "/").Append(Path);
        var separator = '?';
        foreach (var (name, value) in Query)
        {
            text.Append(separator).Append(name).Append('=').Append(IsSecret(name) ? "***" : value);
            separator = '&';
        }
        return text.ToString();
    }

    /// <inheritdoc/>
    public bool Equals(ReplicaUrl? other) =>
        other is not null
        && other.IsPlainPath == IsPlainPath
        && other.Scheme == Scheme
        && (IsPlainPath ? other.Path == Path : other.Original == Original);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ReplicaUrl);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Scheme, Path);

    /// <summary>True when the value of a setting or parameter of this name must not be shown.</summary>
    internal static bool IsSecret(string name) => SecretWords.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>Resolves <c>.</c>, <c>..</c> and double slashes; no slash at either end.</summary>
    internal static string Clean(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/'))
        {
            if (part is "" or ".")
                continue;
            if (part != "..")
                parts.Add(part);
            else if (parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
        }
        return string.Join('/', parts);
    }

    private static ReplicaUrl ParseFile(string authority, string tail, Dictionary<string, string> query, string text)
    {
        // Litestream 0.5 takes file://a/b for /a/b without a word; a name in the place of the host is almost always a relative path.
        if (authority is not ("" or "localhost"))
            throw Invalid($"file URL names a host: {text}", "write file:///absolute/path, or give a path without file://");
        if (Clean(tail).Length == 0)
            throw Invalid($"file URL without a path: {text}", "write file:///absolute/path");
        var path = Decode(tail, "file");
        if (OperatingSystem.IsWindows() && path is ['/', _, ':', ..])
            path = path[1..];
        return new ReplicaUrl("file", TrimEnd(System.IO.Path.GetFullPath(path)), text) { Query = query };
    }

    private static ReplicaUrl ParseRemote(string scheme, string authority, string tail, Dictionary<string, string> query, string text)
    {
        string? user = null,
            password = null;
        var host = authority;
        if (authority.LastIndexOf('@') is >= 0 and var at)
        {
            host = authority[(at + 1)..];
            var login = authority[..at];
            var colon = login.IndexOf(':', StringComparison.Ordinal);
            user = Decode(colon < 0 ? login : login[..colon], scheme);
            password = colon < 0 ? null : Decode(login[(colon + 1)..], scheme);
        }
        var path = Clean(Decode(tail, scheme));
        var isBucket = BucketSchemes.Contains(scheme);
        if (isBucket && host.Length == 0)
            throw Invalid($"{scheme} URL without a bucket", $"write {scheme}://BUCKET/PATH");
        if (ServerSchemes.Contains(scheme) && host.Length == 0)
            throw Invalid($"{scheme} URL without a host", $"write {scheme}://HOST/PATH");
        if (scheme == "sftp" && string.IsNullOrEmpty(user))
            throw Invalid("sftp URL without a user", "write sftp://USER@HOST/PATH");
        if (scheme == "nats" && path.Length == 0)
            throw Invalid("nats URL without a bucket", "write nats://HOST/BUCKET");
        return new ReplicaUrl(scheme, scheme == "nats" ? "" : path, text)
        {
            Host = isBucket ? null : host,
            Bucket =
                isBucket ? Decode(host, scheme)
                : scheme == "nats" ? path
                : null,
            Query = query,
            User = string.IsNullOrEmpty(user) ? null : user,
            Password = password,
        };
    }

    private static Dictionary<string, string> ParseQuery(string text)
    {
        var query = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in text.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = Decode((equals < 0 ? pair : pair[..equals]).Replace('+', ' '), "query");
            query.TryAdd(name, equals < 0 ? "" : Decode(pair[(equals + 1)..].Replace('+', ' '), name));
        }
        return query;
    }

    private static string Decode(string text, string where)
    {
        for (var i = text.IndexOf('%', StringComparison.Ordinal); i >= 0; i = text.IndexOf('%', i + 1))
        {
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                throw Invalid($"'%' without two hex digits in the URL ({(IsSecret(where) ? "***" : where)})", "write a literal '%' as %25");
        }
        var decoded = Uri.UnescapeDataString(text);
        return decoded.Contains('\0', StringComparison.Ordinal)
            ? throw Invalid($"a zero byte (%00) in the URL ({(IsSecret(where) ? "***" : where)})")
            : decoded;
    }

    private static string TrimEnd(string path) => path.Length > 1 ? System.IO.Path.TrimEndingDirectorySeparator(path) : path;

    private static LitestreamException Invalid(string message, string? hint = null) =>
        new(LitestreamError.InvalidConfiguration, message) { Hint = hint };

    [GeneratedRegex(@"^\w+://")]
    private static partial Regex UrlStart();
}
