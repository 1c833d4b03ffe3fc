using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Litestream.Benchmarks;

namespace Datasette.Benchmarks;

/// <summary>Pages of our host beside a bare endpoint, in the same run; then a large table, and a large CSV.</summary>
internal static class HostBenchmark
{
    private const int MostMb = 200;
    private static readonly (string Name, string Path, string Ceiling, double Goal)[] s_targets =
    [
        ("table JSON, 100 rows", "/data/items.json", "/data/items.json", 0.55),
        ("table HTML, 100 rows", "/data/items", "/data/items.json", 0.25),
        ("row JSON", "/data/items/5000.json", "/data/items/5000.json", 0.6),
    ];

    public static async Task<int> RunAsync(HostOptions options)
    {
        var wrk = await Wrk.VersionAsync();
        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, $"datasette-bench-{Guid.NewGuid():N}")).FullName;
        try
        {
            var small = Path.Combine(folder, "data.db");
            HostDatabases.MakeSmall(small);
            Console.WriteLine(Machine.Describe() + ", " + wrk);
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{options.Rounds} rounds of {options.Seconds} s in turns, medians; {Wrk.Connections} connections over the loopback; load before: {LoadAverage()}"
                )
            );
            Console.WriteLine();
            await PagesAsync(options, small);
            if (options.Rows > 0)
            {
                await LargeBenchmark.RunAsync(options, Path.Combine(folder, "large.db"));
            }

            Console.WriteLine();
            Console.WriteLine($"load after: {LoadAverage()}");
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task PagesAsync(HostOptions options, string database)
    {
        var (ceilingPort, port) = (FreePort(), FreePort());
        await using var ceiling = ChildProcess.StartSelf(CeilingServer.Verb, database, $"{ceilingPort}");
        await ceiling.WaitForLineAsync("listening");
        await using var ours = await StartAsync(options, port, database);
        var theirs = s_targets.Select(t => t.Ceiling).Distinct().ToDictionary(path => path, _ => new List<Load>());
        var loads = s_targets.ToDictionary(t => t.Path, _ => new List<Load>());
        // The ceiling is compiled while it runs: its first, slow code is not what is compared.
        foreach (var path in theirs.Keys)
        {
            await Wrk.RunAsync($"http://127.0.0.1:{ceilingPort}{path}", Math.Max(4, options.Seconds));
        }

        for (var round = 0; round < options.Rounds; round++)
        {
            foreach (var (_, path, bare, _) in s_targets)
            {
                await Wrk.RunAsync($"http://127.0.0.1:{port}{path}", 1);
                loads[path].Add(await Wrk.RunAsync($"http://127.0.0.1:{port}{path}", options.Seconds));
                if (theirs[bare].Count <= round)
                {
                    theirs[bare].Add(await Wrk.RunAsync($"http://127.0.0.1:{ceilingPort}{bare}", options.Seconds));
                }
            }
        }

        Console.WriteLine("| page | ceiling, per second | ours, per second | ours / ceiling | goal | p50 | p99 | p99 / p50 (goal 4) |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var (name, path, bare, goal) in s_targets)
        {
            var (top, own) = (Median(theirs[bare], l => l.PerSecond), Median(loads[path], l => l.PerSecond));
            var (middle, slow) = (Median(loads[path], l => l.Middle), Median(loads[path], l => l.Slow));
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {top:N0} | {own:N0} | {own / top:N2} | {goal:N2} | {middle:N2} ms | {slow:N2} ms | {slow / middle:N1} |"
                )
            );
        }

        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Resident memory of our host after the run: {ours.ResidentMb():N0} MB (goal {MostMb})."
            )
        );
        await ours.TerminateAsync();
        await ceiling.StopAsync();
    }

    /// <summary>Our host on a port, with the given files and options.</summary>
    public static async Task<ChildProcess> StartAsync(HostOptions options, int port, params string[] arguments)
    {
        var child = ChildProcess.Start(options.Program, ["serve", "-p", $"{port}", .. arguments]);
        await child.WaitForLineAsync("listening");
        return child;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static double Median(IEnumerable<Load> loads, Func<Load, double> value) => Statistics.Median(loads.Select(value));

    private static string LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
