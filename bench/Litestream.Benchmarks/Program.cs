using Litestream.Benchmarks;

switch (args)
{
    case ["micro", .. var rest]:
        return MicroBenchmarks.Run(rest);
    case ["writer", .. var rest]:
        return await WriterBenchmark.RunAsync(WriterBenchmarkOptions.Parse(rest));
    case [WriterChild.Verb, var database, var work, var seconds]:
        return WriterChild.Run(database, TimeSpan.FromMicroseconds(Number(work)), TimeSpan.FromSeconds(Number(seconds)));
    case [EngineChild.Verb, var database, var replica, .. var log]:
        return await EngineChild.RunAsync(database, replica, log.FirstOrDefault());
    default:
        Console.WriteLine(
            """
            ./build.sh bench micro [--filter '*Ltx*']   checksum, LTX pages, WAL scan (BenchmarkDotNet)
            ./build.sh bench writer [options]           what replication costs a writing application, beside litestream 0.3.13
                --rounds N    rounds, interleaved; default 5
                --seconds N   of writing in each run; default 4
                --log FILE    the engine's own log of all runs, with every checkpoint cycle
                --dir DIR     where databases and replicas are made; default: the system's temporary folder
            """
        );
        return args.Length == 0 ? 0 : 2;
}

static double Number(string text) => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
