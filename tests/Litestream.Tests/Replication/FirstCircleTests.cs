using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Data.Sqlite;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>The main job on a folder, judged by the genuine program.</summary>
public sealed class FirstCircleTests
{
    [Fact]
    public async Task Commits_ArriveInTheReplica_AsTheGenuineProgramReadsIt()
    {
        Litestream05.RequireIt();
        using var folder = new TempFolder();
        var path = folder.Combine("app.db");
        var replica = folder.Combine("replica");
        using var app = TestDatabase.Open(path);
        app.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES('first')");
        await using (var store = NewStore(path, replica))
        {
            await store.StartAsync(TestContext.Current.CancellationToken);
            await store.SyncAsync(path, upload: true, TestContext.Current.CancellationToken);
            Assert.Equal(CanonicalDump.Of(path), await Litestream05.DumpLatestAsync("file://" + replica));

            for (var i = 0; i < 200; i++)
                app.Execute($"INSERT INTO t(v) VALUES(randomblob({i * 10}))");
            await store.SyncAsync(path, upload: true, TestContext.Current.CancellationToken);
            Assert.Equal(CanonicalDump.Of(path), await Litestream05.DumpLatestAsync("file://" + replica));

            app.Execute("DELETE FROM t WHERE id % 3 = 0; VACUUM");
            await store.SyncAsync(path, upload: true, TestContext.Current.CancellationToken);
            Assert.Equal(CanonicalDump.Of(path), await Litestream05.DumpLatestAsync("file://" + replica));
            var status = Assert.Single(store.Databases);
            Assert.Equal(ReplicationState.Current, status.State);
            Assert.Equal(nameof(FullReason.FirstSync), status.LastFullReason);
            app.Execute("INSERT INTO t(v) VALUES('last')");
            Assert.True(await store.StopAsync(TestContext.Current.CancellationToken));
        }
        Assert.Equal(CanonicalDump.Of(path), await Litestream05.DumpLatestAsync("file://" + replica));
        Assert.DoesNotContain("_litestream", app.Scalar("SELECT group_concat(name) FROM sqlite_schema"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task CommitOfAnotherConnection_IsShippedWithoutBeingAskedFor()
    {
        using var folder = new TempFolder();
        var path = folder.Combine("app.db");
        using var app = TestDatabase.Open(path);
        app.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
        await using var store = NewStore(path, folder.Combine("replica"));
        await store.StartAsync(TestContext.Current.CancellationToken);
        await WaitUntilAsync(() => store.Databases[0].Replicas[0].State == ReplicationState.Current && store.Databases[0].Txid.Value == 2);
        for (ulong i = 3; i < 7; i++)
        {
            app.Execute("INSERT INTO t(v) VALUES('x')");
            await WaitUntilAsync(() => store.Databases[0].Replicas[0].Txid.Value >= i);
        }
    }

    private static LitestreamStore NewStore(string path, string replica) =>
        new(
            new LitestreamOptions
            {
                Databases = [new DatabaseOptions { Path = path, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(replica) }] }],
            },
            new ObjectStoreFactory()
        );

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 1000; i++)
        {
            if (condition())
                return;
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
        Assert.Fail("it did not happen within five seconds");
    }
}
