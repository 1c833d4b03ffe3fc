using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.S3;
using Litestream.Tests.Ltx;
using Litestream.Tests.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Testing.Servers;
using Xunit;

namespace Litestream.Tests.S3;

/// <summary>Restores from a real S3 server.</summary>
public sealed class S3RestoreTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "I29")]
    public async Task LargeSnapshot_ComesInRangesOverSeveralConnections()
    {
        var server = await ServerAsync();
        await using var client = new ObjectStoreFactory(S3ObjectStore.Backend).Open(server.Options(await server.CreateBucketAsync(), "p"));
        var random = new Random(9);
        var pages = Enumerable.Range(1, 5000).ToDictionary(n => (uint)n, _ => LtxSamples.RandomPage(random, 4096));
        var header = new LtxHeader
        {
            PageSize = 4096,
            Commit = 5000,
            MinTxid = new Txid(1),
            MaxTxid = new Txid(6),
            NoChecksum = true,
        };
        using var content = new MemoryStream(await LtxSamples.EncodeAsync(header, pages));
        await client.WriteAsync(9, header.MinTxid, header.MaxTxid, content, Cancel);
        using var folder = new TempFolder();
        await new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance).RestoreAsync(
            client,
            new RestoreOptions { OutputPath = folder.Combine("out.db") },
            Cancel
        );
        Assert.Equal(pages.OrderBy(p => p.Key).SelectMany(p => p.Value), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
    }

    [Fact]
    [Trait("Scenario", "K1")]
    public async Task Follow_ReplicaInABucket_DatabaseFollows()
    {
        var server = await ServerAsync();
        var options = server.Options(await server.CreateBucketAsync(), "app");
        var stores = new ObjectStoreFactory(S3ObjectStore.Backend);
        await using var circle = new Circle(o => o with { Replicas = [options] }) { Stores = stores };
        await circle.StartAsync();
        await circle.SyncAsync();
        await using var client = stores.Open(options);
        await using var follower = new DatabaseFollower(
            client,
            new FollowOptions { OutputPath = circle.Folder.Combine("out.db") },
            DurableFiles.System,
            TimeProvider.System,
            NullLogger.Instance
        );
        await follower.StartAsync(Cancel);
        for (var i = 0; i < 3; i++)
        {
            circle.Write(10, 1000);
            await circle.SyncAsync();
            await follower.StepAsync(Cancel);
            Assert.Equal((FollowState.Current, circle.Txid), (follower.Status.State, follower.Status.Txid.Value));
            Assert.Equal(CanonicalDump.Of(circle.App), CanonicalDump.Of(circle.Folder.Combine("out.db")));
        }
    }

    private static Task<RadosGateway> ServerAsync()
    {
        Require.That(RadosGateway.IsInstalled, "radosgw", $"apt-get install -y {RadosGateway.Packages}");
        return RadosGateway.GetAsync();
    }
}
