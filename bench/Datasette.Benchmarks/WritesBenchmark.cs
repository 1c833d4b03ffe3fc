using System.Diagnostics;
using System.Globalization;
using System.Text;
using Litestream.Benchmarks;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;

namespace Datasette.Benchmarks;

/// <summary>Durable writes through the API beside a bare loop of the same inserts, bulk inserts, and reads beside writes. Sides take turns; medians.</summary>
internal static class WritesBenchmark
{
    private const int Clients = 16;
    private const int Readers = 4;
    private const int RowsOfABulk = 100;
    private const string Secret = "a secret of the benchmark";

    public static async Task<int> RunAsync(HostOptions options)
    {
        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, $"datasette-bench-{Guid.NewGuid():N}")).FullName;
        try
        {
            Console.WriteLine(Machine.Describe());
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{options.Rounds} rounds of {options.Seconds} s in turns, medians; load before: {LoadAverage()}; this disk: {Fsyncs(folder):N0} fdatasync of 4 KiB a second"
                )
            );
            var rounds = new List<Round>();
            for (var i = 0; i < options.Rounds; i++)
            {
                rounds.Add(await RoundAsync(options, folder, i));
            }

            Print(rounds);
            Console.WriteLine($"load after: {LoadAverage()}");
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed record Round(double Bare, Load Single, Load Alone, Load Bulk, Load Reads, Load ReadsBesideWrites, double PeakMb);

    private static async Task<Round> RoundAsync(HostOptions options, string folder, int number)
    {
        var bare = Path.Combine(folder, $"bare-{number}.db");
        var served = Path.Combine(folder, $"data-{number}.db");
        Make(bare);
        Make(served);
        // Another side begins each round.
        var first = number % 2 == 0 ? await BareAsync(bare, options.Seconds) : 0;
        var port = HostBenchmark.FreePort();
        await using var host = ChildProcess.Start(options.Program, "serve", "-p", $"{port}", served, "--root", "--secret", Secret);
        var peak = host.WatchPeakMemory();
        await host.WaitForLineAsync("listening");
        var token = await TokenAsync(options);
        var path = $"/data-{number}/rows/-/insert";
        var one = Enumerable
            .Range(0, Clients)
            .Select(_ =>
                WriteClient.Request(
                    "POST",
                    path,
                    token,
                    $$"""{"rows": [{"name": "{{BareInserts.Name}}", "amount": 12345, "note": "{{BareInserts.Note}}"}]}"""
                )
            )
            .ToArray();
        var row = $$"""{"name": "{{BareInserts.Name}}", "amount": 12345, "note": "{{BareInserts.Note}}"}""";
        var many = WriteClient.Request("POST", path, token, $"{{\"rows\": [{string.Join(',', Enumerable.Repeat(row, RowsOfABulk))}]}}");
        var read = WriteClient.Request("GET", $"/data-{number}/items.json?_size=20", token);
        WriteClient.Run(port, Clients, 1, (client, _) => one[client], 201); // the first requests open connections and fill caches
        var single = WriteClient.Run(port, Clients, options.Seconds, (client, _) => one[client], 201);
        var alone = WriteClient.Run(port, 1, Math.Min(2, options.Seconds), (_, _) => one[0], 201);
        var bulk = WriteClient.Run(port, Clients, options.Seconds, (_, _) => many, 201);
        WriteClient.Run(port, Readers, 1, (_, _) => read, 200);
        var reads = WriteClient.Run(port, Readers, options.Seconds, (_, _) => read, 200);
        var writing = Task.Factory.StartNew(
            () => WriteClient.Run(port, 1, options.Seconds, (_, _) => one[0], 201, perSecond: 200),
            TaskCreationOptions.LongRunning
        );
        var beside = WriteClient.Run(port, Readers, options.Seconds, (_, _) => read, 200);
        var written = await writing;
        if (written.PerSecond < 190)
        {
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"(only {written.PerSecond:N0} writes a second beside the reads)")
            );
        }

        await host.TerminateAsync();
        return new(number % 2 == 0 ? first : await BareAsync(bare, options.Seconds), single, alone, bulk, reads, beside, await peak);
    }

    private static void Print(List<Round> rounds)
    {
        double M(Func<Round, double> value) => Statistics.Median(rounds.Select(value));
        var bare = M(r => r.Bare);
        var single = M(r => r.Single.PerSecond);
        var rows = M(r => r.Bulk.PerSecond * RowsOfABulk);
        var (alone, beside) = (M(r => r.Reads.PerSecond), M(r => r.ReadsBesideWrites.PerSecond));
        string Line(FormattableString text) => FormattableString.Invariant(text);
        Console.WriteLine();
        Console.WriteLine("| durable writes (synchronous=FULL) | a second | p50 | p99 | goal |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        Console.WriteLine(Line($"| bare loop, one process, one transaction a row | {bare:N0} | | | |"));
        Console.WriteLine(
            Line(
                $"| rows through the API, one a request, {Clients} clients | {single:N0} ({single / bare:N2} x bare) | {M(r => r.Single.Middle):N2} ms | {M(r => r.Single.Slow):N2} ms | 0.50 x, 6,000 |"
            )
        );
        Console.WriteLine(
            Line(
                $"| the same, 1 client | {M(r => r.Alone.PerSecond):N0} | {M(r => r.Alone.Middle):N2} ms | {M(r => r.Alone.Slow):N2} ms | |"
            )
        );
        Console.WriteLine(
            Line(
                $"| rows through the API, {RowsOfABulk} a request, {Clients} clients | {rows:N0} | {M(r => r.Bulk.Middle):N2} ms | {M(r => r.Bulk.Slow):N2} ms | 100,000 |"
            )
        );
        Console.WriteLine(
            Line($"| reads of 20 rows, {Readers} clients | {alone:N0} | {M(r => r.Reads.Middle):N2} ms | {M(r => r.Reads.Slow):N2} ms | |")
        );
        Console.WriteLine(
            Line(
                $"| the same beside 200 writes a second | {beside:N0} ({100 * (beside / alone - 1):N1} %) | {M(r => r.ReadsBesideWrites.Middle):N2} ms | {M(r => r.ReadsBesideWrites.Slow):N2} ms | -10 % |"
            )
        );
        Console.WriteLine();
        Console.WriteLine(Line($"Most memory of the host: {rounds.Max(r => r.PeakMb):N0} MB."));
    }

    private static async Task<double> BareAsync(string database, double seconds)
    {
        await using var child = ChildProcess.StartSelf(BareInserts.Verb, database, seconds.ToString("R", CultureInfo.InvariantCulture));
        await child.WaitForSuccessAsync();
        return double.Parse(child.LastLine, CultureInfo.InvariantCulture);
    }

    private static async Task<string> TokenAsync(HostOptions options)
    {
        await using var child = ChildProcess.Start(options.Program, "create-token", "root", "--secret", Secret);
        await child.WaitForSuccessAsync();
        return child.LastLine;
    }

    private static void Make(string path)
    {
        HostDatabases.MakeSmall(path);
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "create table rows (id integer primary key, name text, amount integer, note text)";
        command.ExecuteNonQuery();
    }

    /// <summary>What the disk can do: a page behind the other, each made durable.</summary>
    private static double Fsyncs(string folder)
    {
        using SafeFileHandle file = File.OpenHandle(Path.Combine(folder, "fsync"), FileMode.Create, FileAccess.Write);
        var page = new byte[4096];
        RandomAccess.Write(file, new byte[8 << 20], 0);
        RandomAccess.FlushToDisk(file);
        var start = Stopwatch.GetTimestamp();
        var count = 0;
        for (; Stopwatch.GetElapsedTime(start).TotalSeconds < 1; count++)
        {
            RandomAccess.Write(file, page, count % 2048 * 4096L);
            RandomAccess.FlushToDisk(file);
        }

        return count / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static string LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
