namespace Litestream.Cli.Configuration;

/// <summary>Paths as people write them.</summary>
internal static class ConfigPaths
{
    /// <summary>Without <c>sqlite://</c> in front, with <c>~</c> as the home folder, absolute and clean.</summary>
    public static string Absolute(string path, string? baseDirectory = null)
    {
        foreach (var prefix in new[] { "sqlite://", "sqlite3://" })
            if (path.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                path = path[prefix.Length..];
        if (path == "~" || path.StartsWith("~/", StringComparison.Ordinal) || path.StartsWith("~\\", StringComparison.Ordinal))
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (home.Length == 0)
                throw ConfigError.Text($"cannot find the home folder for {path}", "a full path, or set HOME");
            path = home + path[1..];
        }
        return Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, Path.GetFullPath(baseDirectory ?? ".")));
    }

    /// <summary>Where a database's local files lie: beside it, unless configured.</summary>
    public static string MetaPath(string database, string? configured) =>
        configured ?? Path.Combine(Path.GetDirectoryName(database) ?? "/", $".{Path.GetFileName(database)}-litestream");
}
