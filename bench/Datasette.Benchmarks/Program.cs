using System.Globalization;
using Datasette.Benchmarks;

switch (args)
{
    case [CeilingServer.Verb, var database, var port]:
        await CeilingServer.RunAsync(database, int.Parse(port, CultureInfo.InvariantCulture));
        return 0;
    case [BareInserts.Verb, var database, var seconds]:
        return BareInserts.Run(database, double.Parse(seconds, CultureInfo.InvariantCulture));
    case ["writes", .. var rest]:
        return await WritesBenchmark.RunAsync(HostOptions.Parse(rest));
    case ["--help" or "-h"]:
        Console.WriteLine(
            """
            ./build.sh bench host [options]
                Our datasette as it is delivered beside a bare Kestrel endpoint that runs the same SQL and writes the same JSON.
            ./build.sh bench writes [options]
                Durable inserts through its API beside a bare loop of the same inserts; bulk inserts; reads beside writes.
            Options:
                --rounds N     rounds, in which the sides take turns; default 5
                --seconds N    of each run; default 5
                --rows N       host: of the large table; default 10000000 (about 1.2 GB); 0 leaves it out
                --dir DIR      where databases are made; default: the system's temporary folder
                --program P    the program to measure; default: artifacts/bench/datasette
            """
        );
        return 0;
    default:
        return await HostBenchmark.RunAsync(HostOptions.Parse(args));
}
