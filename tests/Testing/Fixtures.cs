namespace Testing;

/// <summary>Files and recordings made by the original programs. They are not part of the repository.</summary>
public static class Fixtures
{
    private static string? Root
    {
        get
        {
            var named = Environment.GetEnvironmentVariable("LITESTREAM_FIXTURES");
            if (!string.IsNullOrEmpty(named))
                return named;
            var beside = Path.Combine(Repository.Root, "..", "shared", "fixtures");
            return Directory.Exists(beside) ? Path.GetFullPath(beside) : null;
        }
    }

    /// <summary>True when the fixtures are there. For data sources of theories, which cannot skip; tests use <see cref="PathOf"/>.</summary>
    public static bool Available => Root is { } root && Directory.Exists(root);

    /// <summary>A file or folder of the fixtures; skips the test when it is not there.</summary>
    public static string PathOf(params string[] parts)
    {
        var wanted = string.Join('/', parts);
        var root = Root;
        if (root is null)
            Require.Unavailable(
                $"fixtures ({wanted})",
                "put them at shared/fixtures beside the repository, or name their folder in LITESTREAM_FIXTURES"
            );
        var path = Path.Combine([root, .. parts]);
        if (!File.Exists(path) && !Directory.Exists(path))
            Require.Unavailable($"fixture {wanted}", "it is not in the fixtures folder; name another one in LITESTREAM_FIXTURES");
        return path;
    }

    /// <summary>The folders directly inside a folder of the fixtures, sorted; empty when the fixtures are not there.</summary>
    public static IReadOnlyList<string> Cases(params string[] parts)
    {
        if (Root is not { } root)
            return [];
        var folder = Path.Combine([root, .. parts]);
        return Directory.Exists(folder)
            ? [.. Directory.GetDirectories(folder).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)]
            : [];
    }
}
