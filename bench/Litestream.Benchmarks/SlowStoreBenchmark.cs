using System.Globalization;

namespace Litestream.Benchmarks;

/// <summary>The restore from a store that is far away: 80 ms to each first byte, 10 MB/s a connection. All connections beside a single one.</summary>
internal static class SlowStoreBenchmark
{
    public static async Task<int> RunAsync(BenchmarkOptions options)
    {
        // The store asks nobody who he is, but the client wants to be somebody. Children inherit it.
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "bench");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "bench");
        using var folder = options.NewFolder();
        var database = folder.Combine("app.db");
        SampleDatabase.Make(database, options.SizeMb * 1_000_000L);
        await ProgramRun.ToEndAsync(NativeProgram.Path, "replicate", "-once", database, "file://" + folder.Combine("replica"));
        var runs = new Dictionary<string, List<ProgramRun>> { ["one connection"] = [], ["ours, as it comes"] = [] };
        await using var server = ChildProcess.StartSelf(SlowStoreServer.Verb, folder.Combine("replica"));
        await server.WaitForLineAsync(SlowStoreServer.Ready);
        var port = server.LastLine[SlowStoreServer.Ready.Length..];
        for (var round = 0; round < options.Rounds; round++)
        {
            runs["ours, as it comes"].Add(await RestoreAsync(folder, port, []));
            // What one connection takes is the server's speed, not ours: once is enough.
            if (round == 0)
                runs["one connection"].Add(await RestoreAsync(folder, port, ["-parallelism", "1"]));
        }

        var size = new FileInfo(database).Length;
        Console.WriteLine(Machine.Describe());
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{options.Rounds} rounds, medians (one connection: once); a database of {size / 1e6:N0} MB, {folder.SizeOf("replica") / 1e6:N0} MB in the store"
            )
        );
        Console.WriteLine();
        Console.WriteLine("| restore from a store with 80 ms and 10 MB/s a connection | seconds | times as fast | most memory |");
        Console.WriteLine("|---|---:|---:|---:|");
        var single = runs["one connection"][0].Seconds;
        foreach (var (side, list) in runs)
        {
            var seconds = Statistics.Median(list.Select(r => r.Seconds));
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {side} | {seconds:N1} | {single / seconds:N1} × | {list.Max(r => r.PeakMb):N0} MB |"
                )
            );
        }

        return 0;
    }

    private static async Task<ProgramRun> RestoreAsync(WorkFolder folder, string port, string[] more)
    {
        var output = folder.Combine("restored.db");
        var run = await ProgramRun.ToEndAsync(
            NativeProgram.Path,
            ["restore", "-o", output, .. more, $"s3://bucket/?endpoint=http://127.0.0.1:{port}&forcePathStyle=true&region=us-east-1"]
        );
        if (new FileInfo(output).Length != new FileInfo(folder.Combine("app.db")).Length)
            throw new InvalidOperationException("the restored file has another length");
        File.Delete(output);
        return run;
    }
}
