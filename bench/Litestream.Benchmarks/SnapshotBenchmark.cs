using System.Globalization;

namespace Litestream.Benchmarks;

/// <summary>The first snapshot of a large database to a folder, beside a bare copy and the genuine litestream 0.3.13.</summary>
internal static class SnapshotBenchmark
{
    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        var sides = new Dictionary<string, List<SnapshotRun>> { ["cp and fsync"] = [], ["ours"] = [] };
        var genuine = GenuineLitestream.Find();
        if (genuine is not null)
            sides["0.3.13"] = [];
        using var folder = options.NewFolder();
        var database = folder.Combine("app.db");
        SampleDatabase.Make(database, options.SizeMb * 1_000_000L);
        var size = new FileInfo(database).Length;
        for (var round = 0; round < options.Rounds; round++)
        {
            // Another side begins each round.
            for (var i = 0; i < sides.Count; i++)
            {
                var side = sides.Keys.ElementAt((i + round) % sides.Count);
                sides[side].Add(await OneRunAsync(side, folder, database, genuine));
            }
        }

        Console.WriteLine(Machine.Describe());
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{options.Rounds} rounds, medians; a database of {size / 1e6:N0} MB in {options.Folder}"
            )
        );
        Console.WriteLine();
        Console.WriteLine("| first snapshot | seconds | beside cp | beside 0.3.13 | most memory | replica | local |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|");
        var copy = Median(sides["cp and fsync"]);
        foreach (var (side, runs) in sides)
        {
            var seconds = Median(runs);
            var besideGenuine = genuine is null
                ? ""
                : string.Create(CultureInfo.InvariantCulture, $"{seconds / Median(sides["0.3.13"]):N2} ×");
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {side} | {seconds:N2} | {seconds / copy:N2} × | {besideGenuine} | {runs.Max(r => r.Program.PeakMb):N0} MB | {runs[0].ReplicaBytes / 1e6:N0} MB | {runs.Max(r => r.LocalBytes) / 1e6:N1} MB |"
                )
            );
        }

        return 0;
    }

    private static double Median(List<SnapshotRun> runs) => Statistics.Median(runs.Select(r => r.Program.Seconds));

    private static async Task<SnapshotRun> OneRunAsync(string side, WorkFolder folder, string database, string? genuine)
    {
        var url = "file://" + folder.Combine("replica");
        var run = side switch
        {
            "ours" => await ProgramRun.ToEndAsync(NativeProgram.Path, "replicate", "-once", database, url),
            "0.3.13" => await ProgramRun.ToLineAsync("snapshot written", genuine!, "replicate", database, url),
            _ => await ProgramRun.CopyAsync(database, folder.Combine("copy.db")),
        };
        var result = new SnapshotRun(run, folder.SizeOf("replica"), folder.SizeOf(".app.db-litestream"));
        File.Delete(folder.Combine("copy.db"));
        foreach (var made in (string[])["replica", ".app.db-litestream"])
        {
            if (Directory.Exists(folder.Combine(made)))
                Directory.Delete(folder.Combine(made), recursive: true);
        }

        return result;
    }

    private sealed record SnapshotRun(ProgramRun Program, long ReplicaBytes, long LocalBytes);
}
