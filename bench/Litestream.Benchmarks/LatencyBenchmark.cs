using System.Diagnostics;
using System.Globalization;
using SQLitePCL;

namespace Litestream.Benchmarks;

/// <summary>How long a commit of another process takes until it could be restored: until its file has its name in the replica's folder.</summary>
internal static class LatencyBenchmark
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(3);

    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        using var folder = options.NewFolder();
        var (database, replica) = (folder.Combine("app.db"), folder.Combine("replica"));
        SampleDatabase.Make(database, 1_000_000);
        Directory.CreateDirectory(replica);
        await using var engine = ChildProcess.Start(NativeProgram.Path, "replicate", database, "file://" + replica);
        var latencies = await MeasureAsync(database, replica, (int)options.Seconds);
        await engine.TerminateAsync();

        Console.WriteLine(Machine.Describe());
        Console.WriteLine();
        Console.WriteLine("| one commit a second, to a folder | commits | p50 | p99 | most |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| commit → restorable | {latencies.Count} | {Statistics.Percentile(latencies, 50):N1} ms | {Statistics.Percentile(latencies, 99):N1} ms | {latencies.Max():N1} ms |"
            )
        );
        return 0;
    }

    private static async Task<List<double>> MeasureAsync(string database, string replica, int commits)
    {
        Batteries_V2.Init();
        raw.sqlite3_open(database, out var db);
        using var closing = db;
        // Files land by a rename; level 0 is where commits come first.
        var landed = new SemaphoreSlim(0);
        var at = 0L;
        using var watcher = new FileSystemWatcher(replica)
        {
            IncludeSubdirectories = true,
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName,
        };
        watcher.Renamed += (_, e) =>
        {
            if (!e.FullPath.EndsWith(".ltx", StringComparison.Ordinal) || Path.GetFileName(Path.GetDirectoryName(e.FullPath)) != "0")
                return;
            Volatile.Write(ref at, Stopwatch.GetTimestamp());
            landed.Release();
        };
        watcher.EnableRaisingEvents = true;

        // The first snapshot, and what follows it at once, is the work of another benchmark.
        while (!Directory.EnumerateFiles(replica, "*.ltx", SearchOption.AllDirectories).Any())
            await Task.Delay(100);
        await Task.Delay(s_settle);
        var latencies = new List<double>();
        while (latencies.Count < commits)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            while (landed.CurrentCount > 0)
                await landed.WaitAsync();
            if (raw.sqlite3_exec(db, "INSERT INTO events (at, level, message) VALUES ('2026-11-23', 'INFO', 'one more')") != raw.SQLITE_OK)
                throw new InvalidOperationException(raw.sqlite3_errmsg(db).utf8_to_string());
            var committed = Stopwatch.GetTimestamp();
            if (!await landed.WaitAsync(s_patience))
                throw new InvalidOperationException("a commit did not arrive within ten seconds");
            latencies.Add(Math.Max(0, Stopwatch.GetElapsedTime(committed, Volatile.Read(ref at)).TotalMilliseconds));
        }

        return latencies;
    }
}
