namespace Litestream.Benchmarks;

/// <summary>Where the genuine litestream 0.3.13 is.</summary>
internal static class GenuineLitestream
{
    /// <summary>The program of the npm package, from <c>LITESTREAM_ORACLES</c> or <c>.tools</c> of the repository; null when it is not there.</summary>
    public static string? Find()
    {
        const string Program = "@flydotio/litestream-linux-x64/litestream";
        var named = Environment.GetEnvironmentVariable("LITESTREAM_ORACLES");
        string[] folders = string.IsNullOrEmpty(named)
            ? [Path.Combine(".tools", "node_modules")]
            : [named, Path.Combine(named, "node_modules")];
        return folders.Select(f => Path.GetFullPath(Path.Combine(f, Program))).FirstOrDefault(File.Exists);
    }
}
