using Litestream.IO;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Many databases in one engine, added and removed while it runs: replication-engine §21 M, as far as it is about the store.</summary>
public sealed class SeveralDatabasesTests : IDisposable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly TempFolder _folder = new();

    [Fact]
    public async Task M5_AppsWriteWhileTheirDatabasesAreAddedAndRemoved_NothingIsLost()
    {
        await using var store = new LitestreamStore(new LitestreamOptions(), new ObjectStoreFactory());
        await store.StartAsync(Token);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var apps = Enumerable.Range(0, 4).Select(i => Task.Run(() => WriteAsync(Path(i), stop.Token), Token)).ToList();
        var random = new Random(5);
        var replicated = new HashSet<int>();
        for (var i = 0; i < 40; i++)
        {
            var number = random.Next(4);
            if (replicated.Remove(number))
                Assert.True(await store.RemoveDatabaseAsync(Path(number), Token));
            else if (replicated.Add(number))
                await store.AddDatabaseAsync(Options(number), Token);
            await Task.Delay(random.Next(30), Token);
        }
        await stop.CancelAsync();
        await Task.WhenAll(apps);
        for (var i = 0; i < 4; i++)
        {
            if (replicated.Add(i))
                await store.AddDatabaseAsync(Options(i), Token);
            await store.SyncAsync(Path(i), upload: true, Token);
            Assert.Equal(CanonicalDump.Of(Path(i)), await RestoreAsync(i));
        }
    }

    [Fact]
    public async Task M6_StartWithDatabasesThatWereThereBefore_GoesOn_WithoutCopyingAnyWhole()
    {
        var apps = Enumerable.Range(0, 5).Select(i => Create(i)).ToList();
        var before = new List<ulong>();
        await using (var first = await StartAsync(5))
            for (var i = 0; i < 5; i++)
            {
                await first.SyncAsync(Path(i), upload: true, Token);
                before.Add(first.Databases[i].Txid.Value);
            }
        foreach (var app in apps)
            app.Execute("INSERT INTO t VALUES('while nobody looked')");
        await using var second = await StartAsync(5);
        for (var i = 0; i < 5; i++)
        {
            await second.SyncAsync(Path(i), upload: true, Token);
            Assert.Equal(CanonicalDump.Of(apps[i]), await RestoreAsync(i));
            Assert.Equal((before[i] + 1, 0), (second.Databases[i].Txid.Value, second.Databases[i].FullFiles));
        }
        apps.ForEach(a => a.Dispose());
    }

    [Fact]
    public async Task M8_SameNameInTwoFolders_HaveFoldersAndReplicasOfTheirOwn()
    {
        var one = Named("a/app.db");
        var two = Named("b/app.db");
        await using var store = new LitestreamStore(new LitestreamOptions { Databases = [one, two] }, new ObjectStoreFactory());
        foreach (var database in new[] { one, two })
        {
            using var app = TestDatabase.Open(database.Path);
            app.Execute($"PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES('{database.Path}')");
        }
        await store.StartAsync(Token);
        foreach (var database in new[] { one, two })
        {
            await store.SyncAsync(database.Path, upload: true, Token);
            Assert.Equal(CanonicalDump.Of(database.Path), await RestoreAsync(database));
        }
        var same = two with { Path = _folder.Combine("c.db"), MetaPath = EngineFolder.Of(one), Replicas = [] };
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => store.AddDatabaseAsync(same, Token));
        Assert.Equal(LitestreamError.InvalidConfiguration, failure.Error);
        same = two with { Path = _folder.Combine("c.db"), Replicas = one.Replicas };
        failure = await Assert.ThrowsAsync<LitestreamException>(() => store.AddDatabaseAsync(same, Token));
        Assert.Contains("same destination", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task M10_AddedTwice_IsAnError_RemovedTwice_IsNot()
    {
        using var app = Create(0);
        await using var store = await StartAsync(1);
        await store.SyncAsync(Path(0), upload: true, Token);
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => store.AddDatabaseAsync(Options(0), Token));
        Assert.Equal(LitestreamError.InvalidConfiguration, failure.Error);
        app.Execute("INSERT INTO t VALUES('last')");
        Assert.True(await store.RemoveDatabaseAsync(Path(0), Token));
        Assert.True(await store.RemoveDatabaseAsync(Path(0), Token));
        Assert.Equal(CanonicalDump.Of(app), await RestoreAsync(0));
        Assert.Empty(store.Databases);
        failure = await Assert.ThrowsAsync<LitestreamException>(() => store.SyncAsync(Path(0), upload: true, Token));
        Assert.Equal(LitestreamError.NotFound, failure.Error);
        await store.AddDatabaseAsync(Options(0), Token);
        app.Execute("INSERT INTO t VALUES('again')");
        await store.SyncAsync(Path(0), upload: true, Token);
        Assert.Equal(CanonicalDump.Of(app), await RestoreAsync(0));
    }

    private string Path(int number) => _folder.Combine($"{number}.db");

    private DatabaseOptions Options(int number) =>
        new() { Path = Path(number), Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(_folder.Combine($"r{number}")) }] };

    private DatabaseOptions Named(string name)
    {
        var path = _folder.Combine(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        return new DatabaseOptions { Path = path, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(path + "-replica") }] };
    }

    private async Task<LitestreamStore> StartAsync(int count)
    {
        var options = new LitestreamOptions { Databases = [.. Enumerable.Range(0, count).Select(Options)] };
        var store = new LitestreamStore(options, new ObjectStoreFactory());
        await store.StartAsync(Token);
        return store;
    }

    private Microsoft.Data.Sqlite.SqliteConnection Create(int number)
    {
        var app = TestDatabase.Open(Path(number));
        app.Execute("PRAGMA journal_mode=wal; PRAGMA synchronous=off; CREATE TABLE IF NOT EXISTS t(v); INSERT INTO t VALUES('first')");
        return app;
    }

    private async Task WriteAsync(string path, CancellationToken cancellationToken)
    {
        using var app = TestDatabase.Open(path);
        app.Execute("PRAGMA busy_timeout=10000; PRAGMA journal_mode=wal; PRAGMA synchronous=off; CREATE TABLE IF NOT EXISTS t(v)");
        for (var i = 0; !cancellationToken.IsCancellationRequested; i++)
        {
            app.Execute("INSERT INTO t VALUES(randomblob(700))");
            if (i % 20 == 0)
                await Task.Delay(1, CancellationToken.None);
        }
    }

    private Task<string> RestoreAsync(int number) => RestoreAsync(Options(number));

    private async Task<string> RestoreAsync(DatabaseOptions database)
    {
        await using var client = new ObjectStoreFactory().Open(database.Replicas[0]);
        var restored = _folder.Combine($"{Guid.NewGuid():n}.db");
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = restored }, Token);
        return CanonicalDump.Of(restored);
    }

    public void Dispose() => _folder.Dispose();
}
