using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Tests.Replication;
using Testing;

namespace Litestream.Tests.Compaction;

/// <summary>An engine with one replica in memory.</summary>
internal sealed class KeeperWorld : IAsyncDisposable
{
    internal KeeperWorld(Func<ReplicaOptions, ReplicaOptions>? change = null, Func<DatabaseOptions, DatabaseOptions>? options = null)
    {
        var replica = new ReplicaOptions { Url = ReplicaUrl.Parse("mem://one/") };
        Circle = new Circle(o => (options?.Invoke(o) ?? o) with { Replicas = [change?.Invoke(replica) ?? replica] });
        var bucket = new MemoryObjectStore(Circle.Time);
        Store = bucket;
        Circle.Stores = new(new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], _ => Store = bucket.Share()));
    }

    internal Circle Circle { get; }

    /// <summary>As the engine has it open.</summary>
    internal MemoryObjectStore Store { get; private set; }

    internal async Task<List<LtxFileInfo>[]> LevelsAsync()
    {
        await using var client = new ReplicaClient(Store.Share(), ReplicaLayout.Folders);
        var levels = new List<LtxFileInfo>[10];
        for (var level = 0; level < levels.Length; level++)
        {
            levels[level] = [];
            await foreach (var file in client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, Circle.Token))
                levels[level].Add(file);
        }
        return levels;
    }

    internal async Task<List<Txid>> PointsAsync()
    {
        await using var client = new ReplicaClient(Store.Share(), ReplicaLayout.Folders);
        return [.. (await RestorePlanner.ListPointsAsync(client, TimestampAccuracy.Listing, Circle.Token)).Select(p => p.Txid)];
    }

    internal async Task<string> RestoreAsync(Txid? txid)
    {
        await using var client = new ReplicaClient(Store.Share(), ReplicaLayout.Folders);
        return await Circle.RestoreAsync(client, new RestoreTarget(txid));
    }

    public async ValueTask DisposeAsync() => await Circle.DisposeAsync();
}
