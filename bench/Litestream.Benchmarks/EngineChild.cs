using Litestream.Replicas;
using Litestream.Replication;

namespace Litestream.Benchmarks;

/// <summary>Our engine in a process of its own, with its default settings, until its standard input ends.</summary>
internal static class EngineChild
{
    public const string Verb = "engine-child";
    public const string Ready = "ready";

    public static async Task<int> RunAsync(string database, string replica)
    {
        SQLitePCL.Batteries_V2.Init();
        var options = new LitestreamOptions
        {
            Databases = [new DatabaseOptions { Path = database, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(replica) }] }],
        };
        await using var store = new LitestreamStore(options, new ObjectStoreFactory());
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
