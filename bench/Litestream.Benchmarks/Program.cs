using Litestream.Benchmarks;

switch (args)
{
    case ["micro", .. var rest]:
        return MicroBenchmarks.Run(rest);
    case ["writer", .. var rest]:
        return await WriterBenchmark.RunAsync(BenchmarkOptions.Parse(rest));
    case ["latency", .. var rest]:
        return await LatencyBenchmark.RunAsync(BenchmarkOptions.Parse(rest, seconds: 120));
    case ["idle", .. var rest]:
        return await IdleBenchmark.RunAsync(BenchmarkOptions.Parse(rest, seconds: 60));
    case ["snapshot", .. var rest]:
        return await SnapshotBenchmark.RunAsync(BenchmarkOptions.Parse(rest));
    case ["restore", .. var rest]:
        return await RestoreBenchmark.RunAsync(BenchmarkOptions.Parse(rest));
    case ["slowstore", .. var rest]:
        return await SlowStoreBenchmark.RunAsync(BenchmarkOptions.Parse(rest));
    case [WriterChild.Verb, var database, var work, var seconds]:
        return WriterChild.Run(database, TimeSpan.FromMicroseconds(Number(work)), TimeSpan.FromSeconds(Number(seconds)));
    case [EngineChild.Verb, var database, var replica, .. var log]:
        return await EngineChild.RunAsync(database, replica, log.FirstOrDefault());
    case [SlowStoreServer.Verb, var folder]:
        return await SlowStoreServer.RunAsync(folder);
    default:
        Console.WriteLine(
            """
            ./build.sh bench NAME [options]
                micro       checksum, LTX pages, WAL scan (BenchmarkDotNet; --filter '*Ltx*')
                writer      what replication costs a writing application, beside litestream 0.3.13
                latency     from a commit to the moment at which it could be restored from a folder
                idle        one database and many that nobody writes to, beside litestream 0.3.13
                snapshot    the first snapshot to a folder, beside cp and litestream 0.3.13
                restore     the restore from a folder, beside cp and litestream 0.3.13
                slowstore   the restore from a store that is far away, beside the same over one connection
                writes      durable inserts through datasette's API beside a bare loop of the same (--help lists its own options)
                host        pages of datasette beside a bare endpoint, a large table, a large CSV (--help lists its own options)
            Options:
                --rounds N     rounds, in which the sides take turns; default 5
                --seconds N    of writing in each run (default 4), of commits (latency, 120), of idling (idle, 60)
                --size MB      of the database; default 1000
                --databases N  of the idling many; default 500
                --log FILE     writer: the engine's own log of all runs, with every checkpoint cycle
                --dir DIR      where databases and replicas are made; default: the system's temporary folder
            Litestream 0.3.13 is left out when it is not here; to get it: ./build.sh tools
            """
        );
        return args.Length == 0 ? 0 : 2;
}

static double Number(string text) => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
