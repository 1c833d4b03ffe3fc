using System.Runtime.InteropServices;

namespace Litestream.Benchmarks;

/// <summary>What a table of results must name beside its numbers.</summary>
internal static class Machine
{
    public static string Describe()
    {
        SQLitePCL.Batteries_V2.Init();
        var sqlite = SQLitePCL.raw.sqlite3_libversion().utf8_to_string();
        return $"{Processor()}, {Environment.ProcessorCount} cores, {Kernel()}, SQLite {sqlite}, {RuntimeInformation.FrameworkDescription}, {Configuration}";
    }

    private static string Configuration =>
#if DEBUG
        "Debug (these numbers mean nothing)";
#else
        "Release";
#endif

    private static string Processor()
    {
        const string Info = "/proc/cpuinfo";
        var line = File.Exists(Info)
            ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string Kernel()
    {
        const string Release = "/proc/sys/kernel/osrelease";
        return File.Exists(Release) ? $"Linux {File.ReadAllText(Release).Trim()}" : RuntimeInformation.OSDescription;
    }
}
