using System.Diagnostics.CodeAnalysis;
using Xunit;

namespace Testing;

/// <summary>What a test needs besides .NET. Missing things skip the test at home and fail it on CI.</summary>
public static class Require
{
    /// <summary>True where nothing may be missing: <c>LITESTREAM_TEST_STRICT=1</c>.</summary>
    public static bool Strict => Environment.GetEnvironmentVariable("LITESTREAM_TEST_STRICT") == "1";

    /// <summary>The path of a program on the PATH (or in the usual system folders).</summary>
    /// <param name="name">The program, for example <c>sqlite3</c>.</param>
    /// <param name="debianPackage">The package of Debian that brings it; default: its name.</param>
    public static string Program(string name, string? debianPackage = null)
    {
        if (FindProgram(name) is { } path)
            return path;
        Unavailable(name, $"apt-get install -y {debianPackage ?? name}");
        return null;
    }

    /// <summary>The path of a program, or null.</summary>
    public static string? FindProgram(string name)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders
            .Concat(["/usr/bin", "/usr/sbin", "/usr/local/bin"])
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
    }

    /// <summary>A file of a package of npm that holds a genuine original program.</summary>
    /// <param name="package">The package, for example <c>litestream-vfs-linux-amd64</c>.</param>
    /// <param name="file">The file in it.</param>
    public static string Oracle(string package, string file)
    {
        foreach (var folder in OracleFolders())
        {
            var path = Path.Combine(folder, package, file);
            if (File.Exists(path))
                return path;
        }

        Unavailable($"{package}/{file}", "./build.sh tools");
        return null;
    }

    /// <summary>Skips, or fails where nothing may be missing, unless <paramref name="available"/>.</summary>
    public static void That([DoesNotReturnIf(false)] bool available, string what, string howToGet)
    {
        if (!available)
            Unavailable(what, howToGet);
    }

    /// <summary>Ends the test: skipped at home, failed on CI.</summary>
    /// <param name="what">The missing thing.</param>
    /// <param name="howToGet">The command that brings it, or the thing to do.</param>
    [DoesNotReturn]
    public static void Unavailable(string what, string howToGet)
    {
        var message = $"{what} is not here; to get it: {howToGet}";
        if (Strict)
            Assert.Fail(message);
        Assert.Skip(message);
    }

    private static IEnumerable<string> OracleFolders()
    {
        var named = Environment.GetEnvironmentVariable("LITESTREAM_ORACLES");
        if (!string.IsNullOrEmpty(named))
            return [named, Path.Combine(named, "node_modules")];
        return [Repository.PathOf(".tools", "node_modules")];
    }
}
