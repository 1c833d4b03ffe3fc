using System.Globalization;
using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Sqlite;

/// <summary>Rule 1, seen from a second process: whatever the engine is asked to do, SQLite's locks stay where they are.</summary>
public sealed class LockSafetyTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ThousandEngineCalls_LocksStayHeld()
    {
        using var folder = new TempFolder();
        using var world = new World(folder);
        await using var store = NewStore(folder, world);
        await store.StartAsync(Token);
        await store.SyncAsync(world.Path, upload: true, Token);
        await using var sampler = new LockSampler();
        var random = new Random(20261122);
        var judged = 0;
        var calls = 0;
        // The calls alone may be over before the sampler has looked often enough; then go on calling.
        for (; calls < 1000 || judged < 300; calls++)
        {
            Assert.True(calls < 200_000, $"only {judged} samples in {calls} calls");
            world.App.Execute("INSERT INTO t VALUES(randomblob(2000))");
            await CallAsync(store, world, folder, random);
            if (calls % 50 == 49)
                judged += Judge(sampler, world);
        }
        output.WriteLine($"{calls} calls, {judged} samples, {store.Databases[0].WalBytes} bytes of WAL in the end");
        Assert.NotNull(store.Databases[0].LastCheckpoint);
    }

    [Fact]
    public async Task NaiveOpenAndClose_IsCaughtByTheSameTest()
    {
        using var folder = new TempFolder();
        using var world = new World(folder);
        await using var store = NewStore(folder, world);
        await store.StartAsync(Token);
        await store.SyncAsync(world.Path, upload: true, Token);
        await using var sampler = new LockSampler();
        await WaitForSamplesAsync(sampler, world);
        await using (File.OpenRead(world.Path)) { }
        await Assert.ThrowsAnyAsync<Exception>(() => WaitForSamplesAsync(sampler, world));
    }

    private static async Task WaitForSamplesAsync(LockSampler sampler, World world)
    {
        for (var judged = 0; judged < 50; judged += Judge(sampler, world))
            await Task.Delay(5, Token);
    }

    /// <summary>Every sample must show our shared lock, a read mark, and the locks of the other connection.</summary>
    private static int Judge(LockSampler sampler, World world)
    {
        var samples = sampler.Take();
        foreach (var locks in samples)
        {
            Assert.Contains(locks, l => l.Inode == world.DatabaseInode && l.IsShared);
            Assert.Contains(locks, l => l.Inode == world.SharedMemoryInode && l.IsReadMark);
            Assert.Contains(locks, l => l.Inode == world.OtherDatabaseInode && l.IsShared);
            Assert.Contains(locks, l => l.Inode == world.OtherSharedMemoryInode && l.IsWriter);
        }
        return samples.Count;
    }

    private static async Task CallAsync(LitestreamStore store, World world, TempFolder folder, Random random)
    {
        switch (random.Next(7))
        {
            case 0:
                await store.SyncAsync(world.Path, upload: true, Token);
                break;
            case 1:
                store.NotifyCommit(world.Path);
                break;
            case 2:
                _ = store.Databases;
                break;
            case 3:
                store.Metrics.WritePrometheus(TextWriter.Null);
                break;
            case 4:
                await Assert.ThrowsAsync<LitestreamException>(() => store.AddDatabaseAsync(Options(folder, world), Token));
                break;
            case 5:
                var third = folder.Combine("third.db");
                using (var connection = TestDatabase.Open(third))
                    connection.Execute("CREATE TABLE IF NOT EXISTS t(a)");
                await store.AddDatabaseAsync(new DatabaseOptions { Path = third }, Token);
                await store.SyncAsync(third, upload: false, Token);
                await store.RemoveDatabaseAsync(third, Token);
                break;
            default:
                await store.SyncAsync(world.Path, upload: false, Token);
                break;
        }
    }

    private static DatabaseOptions Options(TempFolder folder, World world) =>
        new()
        {
            Path = world.Path,
            Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(folder.Combine("replica")) }],
            MinCheckpointPageCount = 20,
        };

    private static LitestreamStore NewStore(TempFolder folder, World world) =>
        new(new LitestreamOptions { Databases = [Options(folder, world)] }, new ObjectStoreFactory());

    /// <summary>The replicated database with an application's connection, and another database on which this process holds the writer's lock.</summary>
    private sealed class World : IDisposable
    {
        private readonly SqliteConnection _other;

        internal World(TempFolder folder)
        {
            Path = folder.Combine("app.db");
            App = TestDatabase.Open(Path);
            App.Execute("PRAGMA journal_mode=wal; PRAGMA synchronous=off; CREATE TABLE t(v)");
            var other = folder.Combine("other.db");
            _other = TestDatabase.Open(other);
            _other.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v); BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
            DatabaseInode = Inode(Path);
            SharedMemoryInode = Inode(Path + "-shm");
            OtherDatabaseInode = Inode(other);
            OtherSharedMemoryInode = Inode(other + "-shm");
        }

        internal string Path { get; }

        internal SqliteConnection App { get; }

        internal long DatabaseInode { get; }

        internal long SharedMemoryInode { get; }

        internal long OtherDatabaseInode { get; }

        internal long OtherSharedMemoryInode { get; }

        private static long Inode(string path)
        {
            // stat(1) looks without opening; opening here would be the very mistake that is tested for.
            using var stat = System.Diagnostics.Process.Start(
                new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%i", path]) { RedirectStandardOutput = true }
            )!;
            return long.Parse(stat.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture);
        }

        public void Dispose()
        {
            App.Dispose();
            _other.Dispose();
        }
    }
}
