using System.Globalization;

namespace Litestream.Benchmarks;

/// <summary>The restore of a large database from a folder, beside a bare copy and the genuine litestream 0.3.13.</summary>
internal static class RestoreBenchmark
{
    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        var sides = new Dictionary<string, List<ProgramRun>> { ["cp and fsync"] = [], ["ours"] = [] };
        var genuine = GenuineLitestream.Find();
        if (genuine is not null)
            sides["0.3.13"] = [];
        using var folder = options.NewFolder();
        var database = folder.Combine("app.db");
        SampleDatabase.Make(database, options.SizeMb * 1_000_000L);
        var size = new FileInfo(database).Length;
        // Each restores what it wrote itself.
        var (ours, theirs) = ("file://" + folder.Combine("ours"), "file://" + folder.Combine("theirs"));
        await ProgramRun.ToEndAsync(NativeProgram.Path, "replicate", "-once", database, ours);
        if (genuine is not null)
        {
            // It adds tables of its own to what it replicates.
            File.Copy(database, folder.Combine("theirs.db"));
            await ProgramRun.ToLineAsync("snapshot written", genuine, "replicate", folder.Combine("theirs.db"), theirs);
        }

        for (var round = 0; round < options.Rounds; round++)
        {
            for (var i = 0; i < sides.Count; i++)
            {
                var side = sides.Keys.ElementAt((i + round) % sides.Count);
                var output = folder.Combine("restored.db");
                sides[side]
                    .Add(
                        side switch
                        {
                            "ours" => await ProgramRun.ToEndAsync(NativeProgram.Path, "restore", "-o", output, ours),
                            "0.3.13" => await ProgramRun.ToEndAsync(genuine!, "restore", "-o", output, theirs),
                            _ => await ProgramRun.CopyAsync(database, output),
                        }
                    );
                if (new FileInfo(output).Length < size)
                    throw new InvalidOperationException($"{side} made a file of {new FileInfo(output).Length} bytes of {size}");
                File.Delete(output);
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
        Console.WriteLine("| restore from a folder | seconds | beside cp | beside 0.3.13 | most memory |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        foreach (var (side, runs) in sides)
        {
            var seconds = Median(runs);
            var besideGenuine = genuine is null
                ? ""
                : string.Create(CultureInfo.InvariantCulture, $"{seconds / Median(sides["0.3.13"]):N2} ×");
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {side} | {seconds:N2} | {seconds / Median(sides["cp and fsync"]):N2} × | {besideGenuine} | {runs.Max(r => r.PeakMb):N0} MB |"
                )
            );
        }

        return 0;
    }

    private static double Median(List<ProgramRun> runs) => Statistics.Median(runs.Select(r => r.Seconds));
}
