using System.Diagnostics;

namespace Litestream.Benchmarks;

/// <summary>Our litestream as it is delivered: compiled ahead of time. <c>./build.sh bench</c> puts it where it is looked for.</summary>
internal static class NativeProgram
{
    public static string Path
    {
        get
        {
            var path = System.IO.Path.GetFullPath(System.IO.Path.Combine("artifacts", "bench", "litestream"));
            return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: start this by ./build.sh bench");
        }
    }
}

/// <summary>How one run of a program went.</summary>
/// <param name="Seconds">From its start to its end, or to the line that was waited for.</param>
/// <param name="PeakMb">Largest resident memory, in millions of bytes.</param>
internal sealed record ProgramRun(double Seconds, double PeakMb)
{
    /// <summary>Runs a program to its end.</summary>
    public static async Task<ProgramRun> ToEndAsync(string program, params string[] arguments)
    {
        var started = Stopwatch.GetTimestamp();
        await using var child = ChildProcess.Start(program, arguments);
        var peak = child.WatchPeakMemory();
        await child.WaitForSuccessAsync();
        return new ProgramRun(Stopwatch.GetElapsedTime(started).TotalSeconds, await peak);
    }

    /// <summary>Runs a program until it prints a line, then ends it.</summary>
    public static async Task<ProgramRun> ToLineAsync(string line, string program, params string[] arguments)
    {
        var started = Stopwatch.GetTimestamp();
        await using var child = ChildProcess.Start(program, arguments);
        var peak = child.WatchPeakMemory();
        await child.WaitForLineAsync(line);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        await child.TerminateAsync();
        return new ProgramRun(seconds, await peak);
    }

    /// <summary>The anchor: what the machine needs for the bare copy that survives a power cut.</summary>
    public static Task<ProgramRun> CopyAsync(string from, string to) =>
        ToEndAsync("/bin/sh", "-c", "cp \"$0\" \"$1\" && sync \"$1\"", from, to);
}
