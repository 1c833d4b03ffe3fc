using System.Globalization;

namespace Litestream.Benchmarks;

/// <summary>One run of the writer.</summary>
internal sealed record WriterRun(double TransactionsPerSecond, double WorstCommitMs, double LargestWalMb, double KeptPercent);

/// <summary>
/// What an application that writes feels of replication: alone, with our engine and with the genuine litestream 0.3.13, each in a process of
/// its own, in rounds that take turns so that a slow minute of the machine hits all three. Reports medians.
/// </summary>
internal static class WriterBenchmark
{
    private const int PacedTarget = 20_000;

    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        var genuine = GenuineLitestream.Find();
        Console.WriteLine(Machine.Describe());
        Console.WriteLine(
            $"{options.Rounds} rounds of {options.Seconds} s, databases in {options.Folder}; one 200-byte row a transaction, synchronous=NORMAL"
        );
        if (genuine is null)
            Console.WriteLine("litestream 0.3.13 is not here and left out; to get it: ./build.sh tools");

        var flatOut = await OneRunAsync("alone", TimeSpan.Zero, options with { Seconds = 1 }, genuine);
        // The paced writer does work of its own between transactions, so that alone it makes about 20,000 a second.
        var work = TimeSpan.FromSeconds(Math.Max(0, 1.0 / PacedTarget - 1 / flatOut.TransactionsPerSecond));
        await MeasureAsync($"paced, {PacedTarget:N0} tx/s", work, options, genuine);
        await MeasureAsync("flat out", TimeSpan.Zero, options, genuine);
        return 0;
    }

    private static async Task MeasureAsync(string title, TimeSpan work, BenchmarkOptions options, string? genuine)
    {
        string[] sides = genuine is null ? ["alone", "ours"] : ["alone", "ours", "0.3.13"];
        var runs = sides.ToDictionary(s => s, _ => new List<WriterRun>());
        for (var round = 0; round < options.Rounds; round++)
        {
            var alone = 0.0;
            var measured = new Dictionary<string, WriterRun>();
            // Another side begins each round.
            for (var i = 0; i < sides.Length; i++)
            {
                var side = sides[(i + round) % sides.Length];
                measured[side] = await OneRunAsync(side, work, options, genuine);
            }

            alone = measured["alone"].TransactionsPerSecond;
            foreach (var (side, run) in measured)
                runs[side].Add(run with { KeptPercent = 100 * run.TransactionsPerSecond / alone });
        }

        Console.WriteLine();
        Console.WriteLine($"| {title} | tx/s | kept | worst commit | largest WAL |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        foreach (var side in sides)
        {
            var list = runs[side];
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {side} | {Median(list, r => r.TransactionsPerSecond):N0} | {Median(list, r => r.KeptPercent):N0} % | "
                        + $"{Median(list, r => r.WorstCommitMs):N1} ms (most {list.Max(r => r.WorstCommitMs):N1}) | "
                        + $"{Median(list, r => r.LargestWalMb):N1} MB (most {list.Max(r => r.LargestWalMb):N1}) |"
                )
            );
        }
    }

    private static async Task<WriterRun> OneRunAsync(string side, TimeSpan work, BenchmarkOptions options, string? genuine)
    {
        using var folder = options.NewFolder();
        var database = folder.Combine("app.db");
        var replica = "file://" + folder.Combine("replica");
        await using (var prepare = ChildProcess.StartSelf(WriterChild.Verb, database, "0", "0"))
            await prepare.WaitForSuccessAsync();

        await using var engine = side switch
        {
            "ours" => ChildProcess.StartSelf([
                EngineChild.Verb,
                database,
                replica,
                .. options.Log is { } log ? [log] : Array.Empty<string>(),
            ]),
            "0.3.13" => ChildProcess.Start(genuine!, "replicate", database, replica),
            _ => null,
        };
        if (engine is not null)
            await engine.WaitForLineAsync(side == "ours" ? EngineChild.Ready : "snapshot written");

        await using var writer = ChildProcess.StartSelf(WriterChild.Verb, database, Text(work.TotalMicroseconds), Text(options.Seconds));
        var walBytes = 0L;
        while (!writer.HasExited)
        {
            var wal = new FileInfo(database + "-wal");
            walBytes = Math.Max(walBytes, wal.Exists ? wal.Length : 0);
            await Task.Delay(5);
        }

        await writer.WaitForSuccessAsync();
        if (engine is not null)
            await (side == "ours" ? engine.StopAsync() : engine.TerminateAsync());
        var answer = writer.LastLine.Split(' ');
        return new WriterRun(Number(answer[0]) / Number(answer[1]), Number(answer[2]), walBytes / 1e6, 100);
    }

    private static double Median(List<WriterRun> runs, Func<WriterRun, double> value) => Statistics.Median(runs.Select(value));

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
