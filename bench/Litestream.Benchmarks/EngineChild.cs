using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Extensions.Logging;

namespace Litestream.Benchmarks;

/// <summary>Our engine in a process of its own, with its default settings, until its standard input ends.</summary>
internal static class EngineChild
{
    public const string Verb = "engine-child";
    public const string Ready = "ready";

    public static async Task<int> RunAsync(string database, string replica, string? log = null)
    {
        SQLitePCL.Batteries_V2.Init();
        var options = new LitestreamOptions
        {
            Databases = [new DatabaseOptions { Path = database, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(replica) }] }],
        };
        using var file = log is null ? null : new FileLoggerProvider(log);
        using var loggers = file is null ? null : LoggerFactory.Create(b => b.SetMinimumLevel(LogLevel.Debug).AddProvider(file));
        await using var store = new LitestreamStore(options, new ObjectStoreFactory(), null, loggers);
        await store.StartAsync(CancellationToken.None);
        await store.SyncAsync(database, upload: true, CancellationToken.None);
        Console.WriteLine(Ready);
        await Console.In.ReadToEndAsync();
        if (await store.StopAsync(CancellationToken.None))
            return 0;
        Console.Error.WriteLine($"not everything arrived: {store.Databases[0]}");
        return 1;
    }
}
