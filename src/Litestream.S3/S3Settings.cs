using System.Globalization;
using Litestream.Replicas;

namespace Litestream.S3;

/// <summary>Settings of one replica by name: the configuration's first, then the URL's query. Knows both spellings, <c>part-size</c> and <c>partSize</c>.</summary>
internal sealed class S3Settings
{
    /// <summary>Every name, as in Litestream's configuration file.</summary>
    public static readonly string[] Names =
    [
        "access-key-id",
        "secret-access-key",
        "session-token",
        "region",
        "endpoint",
        "force-path-style",
        "skip-verify",
        "sign-payload",
        "require-content-md5",
        "storage-class",
        "part-size",
        "concurrency",
        "sse-customer-algorithm",
        "sse-customer-key",
        "sse-customer-key-md5",
        "sse-customer-key-path",
        "sse-kms-key-id",
    ];

    private static readonly Dictionary<string, long> SizeUnits = new(StringComparer.OrdinalIgnoreCase)
    {
        [""] = 1,
        ["B"] = 1,
        ["K"] = 1000,
        ["KB"] = 1000,
        ["KiB"] = 1 << 10,
        ["M"] = 1000_000,
        ["MB"] = 1000_000,
        ["MiB"] = 1 << 20,
        ["G"] = 1000_000_000,
        ["GB"] = 1000_000_000,
        ["GiB"] = 1 << 30,
    };

    private readonly Dictionary<string, string> _settings;
    private readonly Dictionary<string, string> _query;

    /// <summary>Takes the settings of a replica.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: an unknown name.</exception>
    public S3Settings(ReplicaOptions options)
    {
        _settings = Collect(options.Settings, "setting");
        _query = Collect(options.Url.Query, "URL parameter");
    }

    /// <summary>The value of a setting; null when absent or empty.</summary>
    public string? Text(string name) => NullIfEmpty(_settings.GetValueOrDefault(name)) ?? NullIfEmpty(_query.GetValueOrDefault(name));

    /// <summary>True when the value is from the configuration file and not from the URL.</summary>
    public bool IsFromConfiguration(string name) => NullIfEmpty(_settings.GetValueOrDefault(name)) is not null;

    /// <summary>A switch; null when absent.</summary>
    public bool? Switch(string name) =>
        Text(name)?.ToLowerInvariant() switch
        {
            null => null,
            "true" or "1" or "t" or "yes" or "y" or "on" => true,
            "false" or "0" or "f" or "no" or "n" or "off" => false,
            var other => throw Invalid(name, $"true or false wanted (got {other})"),
        };

    /// <summary>A number; null when absent.</summary>
    public int? Number(string name, int least)
    {
        if (Text(name) is not { } text)
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least
            ? number
            : throw Invalid(name, $"a whole number of at least {least} wanted (got {text})");
    }

    /// <summary>A size in bytes, with or without a unit (<c>MB</c> is 1000 times 1000, <c>MiB</c> 1024 times 1024); null when absent.</summary>
    public long? Size(string name, long least, long most)
    {
        if (Text(name) is not { } text)
            return null;
        var digits = text.AsSpan().IndexOfAnyExcept("0123456789.");
        var number = digits < 0 ? text : text[..digits];
        var unit = digits < 0 ? "" : text[digits..].Trim();
        if (
            !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            || value > long.MaxValue / (1L << 30)
            || !SizeUnits.TryGetValue(unit, out var factor)
        )
            throw Invalid(name, $"a size such as 5242880, 16MB or 16MiB wanted (got {text})");
        var bytes = (long)(value * factor);
        return bytes >= least && bytes <= most ? bytes : throw Invalid(name, $"must be from {least} to {most} bytes (got {text})");
    }

    /// <summary>The failure for a wrong value.</summary>
    public static LitestreamException Invalid(string name, string text, string? hint = null) =>
        new(LitestreamError.InvalidConfiguration, $"{name}: {text}") { Hint = hint };

    private static Dictionary<string, string> Collect(IReadOnlyDictionary<string, string> given, string what)
    {
        var collected = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in given)
        {
            var known = Array.Find(Names, n => Plain(n) == Plain(name)) ?? throw Unknown(name, what);
            collected.TryAdd(known, value);
        }
        return collected;
    }

    private static LitestreamException Unknown(string name, string what)
    {
        var plain = Plain(name);
        var longer = plain.Length < 3 ? null : Array.Find(Names, n => Plain(n).StartsWith(plain, StringComparison.Ordinal));
        var nearest = longer ?? Names.MinBy(n => Distance(Plain(n), plain))!;
        var isNear = longer is not null || Distance(Plain(nearest), plain) <= Math.Max(2, plain.Length / 3);
        return new LitestreamException(LitestreamError.InvalidConfiguration, $"unknown {what} '{name}' of an s3 replica")
        {
            Hint = isNear ? $"did you mean '{nearest}'?" : $"known: {string.Join(", ", Names)}",
        };
    }

    private static string Plain(string name) =>
        name.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>Levenshtein's distance.</summary>
    private static int Distance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
