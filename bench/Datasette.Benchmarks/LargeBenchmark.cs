using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Litestream.Benchmarks;

namespace Datasette.Benchmarks;

/// <summary>A table of millions of rows: its first page, its limited count, and all of it as CSV.</summary>
internal static class LargeBenchmark
{
    private const int Looks = 25;

    public static async Task RunAsync(HostOptions options, string database)
    {
        HostDatabases.MakeLarge(database, options.Rows);
        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"A table of {options.Rows:N0} rows, a database of {new FileInfo(database).Length / 1e6:N0} MB; {Looks} requests one after the other."
            )
        );
        Console.WriteLine();
        using var client = new HttpClient { Timeout = TimeSpan.FromMinutes(30) };
        var port = HostBenchmark.FreePort();
        await using (var host = await HostBenchmark.StartAsync(options, port, database))
        {
            Console.WriteLine("| first page | first request | median | slowest | goal |");
            Console.WriteLine("|---|---:|---:|---:|---:|");
            await PageAsync(client, "HTML", $"http://127.0.0.1:{port}/large/big");
            await PageAsync(client, "JSON", $"http://127.0.0.1:{port}/large/big.json");
            await PageAsync(client, "JSON with its count", $"http://127.0.0.1:{port}/large/big.json?_extra=count,count_truncated");
            var answer = JsonDocument.Parse(
                await client.GetStringAsync($"http://127.0.0.1:{port}/large/big.json?_size=1&_extra=count,count_truncated")
            );
            Console.WriteLine();
            Console.WriteLine(
                $"Count as answered: {answer.RootElement.GetProperty("count")}, truncated: {answer.RootElement.GetProperty("count_truncated")}."
            );
            await host.TerminateAsync();
        }

        await CsvAsync(options, client, database);
    }

    private static async Task PageAsync(HttpClient client, string name, string url)
    {
        var times = new List<double>();
        for (var i = 0; i < Looks; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await client.GetByteArrayAsync(url);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {times[0]:N1} ms | {Statistics.Median(times.Skip(1)):N1} ms | {times.Skip(1).Max():N1} ms | 20 ms |"
            )
        );
    }

    private static async Task CsvAsync(HostOptions options, HttpClient client, string database)
    {
        var port = HostBenchmark.FreePort();
        await using var host = await HostBenchmark.StartAsync(
            options,
            port,
            database,
            "-s",
            "max_csv_mb",
            "0",
            "-s",
            "sql_time_limit_ms",
            "3600000"
        );
        var peak = host.WatchPeakMemory();
        var started = Stopwatch.GetTimestamp();
        long bytes = 0;
        await using (var stream = await client.GetStreamAsync($"http://127.0.0.1:{port}/large/big.csv?_stream=1"))
        {
            var buffer = new byte[1 << 16];
            int read;
            while ((read = await stream.ReadAsync(buffer)) > 0)
            {
                bytes += read;
            }
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        await host.TerminateAsync();
        var most = await peak;
        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"As CSV: {bytes / 1e6:N0} MB in {seconds:N1} s ({bytes / 1e6 / seconds:N0} MB/s), most resident memory {most:N0} MB (goal 150)."
            )
        );
    }
}
