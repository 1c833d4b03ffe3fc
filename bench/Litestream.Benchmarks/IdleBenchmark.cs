using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Litestream.Benchmarks;

/// <summary>What databases cost that nobody writes to: processor, memory, requests. Ours and the genuine litestream 0.3.13 idle at the same time.</summary>
internal static class IdleBenchmark
{
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        using var folder = options.NewFolder();
        var template = folder.Combine("template.db");
        SampleDatabase.Make(template, 200_000);
        var genuine = GenuineLitestream.Find();
        var sides = new List<IdleSide>();
        foreach (var count in (int[])[1, options.Databases])
        {
            sides.Add(await StartAsync("ours", NativeProgram.Path, count, folder, template));
            if (genuine is not null)
                sides.Add(await StartAsync("0.3.13", genuine, count, folder, template));
        }

        await Task.Delay(s_settle);
        foreach (var side in sides)
            await side.BeginAsync();
        for (var second = 0; second < options.Seconds; second++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            foreach (var side in sides)
                _ = side.Process.CpuSeconds();
        }

        Console.WriteLine(Machine.Describe());
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{options.Seconds:N0} s after {s_settle.TotalSeconds:N0} s to settle, all at the same time"
            )
        );
        Console.WriteLine();
        Console.WriteLine("| idle | databases | of a core | resident | requests to replicas | of these LIST |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|");
        foreach (var side in sides)
        {
            Console.WriteLine(await side.EndAsync(options.Seconds));
            await side.DisposeAsync();
        }

        return 0;
    }

    private static async Task<IdleSide> StartAsync(string name, string program, int count, WorkFolder folder, string template)
    {
        var root = Directory.CreateDirectory(folder.Combine($"{name}-{count}")).FullName;
        var port = FreePort();
        var config = new System.Text.StringBuilder().Append(CultureInfo.InvariantCulture, $"addr: 127.0.0.1:{port}\ndbs:\n");
        for (var i = 0; i < count; i++)
        {
            File.Copy(template, Path.Combine(root, $"{i}.db"));
            config.Append(
                CultureInfo.InvariantCulture,
                $"  - path: {root}/{i}.db\n    replicas:\n      - url: file://{root}/replica/{i}\n"
            );
        }

        var file = Path.Combine(root, "litestream.yml");
        await File.WriteAllTextAsync(file, config.ToString());
        var side = new IdleSide(name, count, port, ChildProcess.Start(program, "replicate", "-config", file));
        var until = DateTime.UtcNow + s_patience;
        while (Enumerable.Range(0, count).Any(i => !HasFiles($"{root}/replica/{i}")))
        {
            if (DateTime.UtcNow > until || side.Process.HasExited)
                throw new InvalidOperationException($"{name} did not copy {count} databases: {side.Process.LastLine}");
            await Task.Delay(200);
        }

        return side;
    }

    private static bool HasFiles(string folder) =>
        Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Any();

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>One idling process.</summary>
internal sealed class IdleSide(string name, int databases, int port, ChildProcess process) : IAsyncDisposable
{
    private static readonly HttpClient s_http = new();
    private double _cpuSeconds;
    private (double All, double Lists)? _requests;

    public ChildProcess Process { get; } = process;

    public async Task BeginAsync()
    {
        _requests = await RequestsAsync();
        _cpuSeconds = Process.CpuSeconds();
    }

    public async Task<string> EndAsync(double seconds)
    {
        var share = (Process.CpuSeconds() - _cpuSeconds) / seconds;
        var memory = Process.ResidentMb();
        var requests = await RequestsAsync();
        var (all, lists) = (requests, _requests) is ({ } now, { } before)
            ? (Text(now.All - before.All), Text(now.Lists - before.Lists))
            : ("not told", "not told");
        return string.Create(CultureInfo.InvariantCulture, $"| {name} | {databases} | {share:P3} | {memory:N0} MB | {all} | {lists} |");
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();

    private static string Text(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>What the process itself counts; null when it counts nothing of folders.</summary>
    private async Task<(double All, double Lists)?> RequestsAsync()
    {
        var lines = (await s_http.GetStringAsync($"http://127.0.0.1:{port}/metrics"))
            .Split('\n')
            .Where(l => l.StartsWith("litestream_replica_operation_total{", StringComparison.Ordinal))
            .ToList();
        if (lines.Count == 0)
            return null;
        return (lines.Sum(Value), lines.Where(l => l.Contains("\"LIST\"", StringComparison.Ordinal)).Sum(Value));
        static double Value(string line) => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
    }
}
