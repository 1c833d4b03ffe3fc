using System.Diagnostics;
using System.Text.RegularExpressions;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.S3;
using Litestream.Tests.Crashes;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Testing.Servers;
using Xunit;

namespace Litestream.Tests.Soak;

/// <summary>Real processes, real time, as long as wanted (replication-engine §21 Q). CI runs a slice.</summary>
[Trait("Speed", "slow")]
public sealed class SoakTests(ITestOutputHelper output)
{
    /// <summary>How long each test runs: <c>LITESTREAM_SOAK_SECONDS</c>, default 10.</summary>
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_SOAK_SECONDS"), out var seconds) ? seconds : 10
    );

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Q1_ReplicateAndRestoreInALoop_EveryRestoreIsWhole_AndNoneIsOlderThanTheOneBefore()
    {
        using var folder = new TempFolder();
        var (path, replica) = (folder.Combine("app.db"), folder.Combine("replica"));
        await using var writer = WriterChild.Start(path, Environment.TickCount);
        await writer.WaitForLineAsync(new Regex("^writing$"), Patience, cancellationToken: Token);
        await using var store = NewStore(path, replica, checkpointFrames: 100);
        await store.StartAsync(Token);
        await store.SyncAsync(path, upload: true, Token);
        var (clock, restores, last) = (Stopwatch.StartNew(), 0, 0L);
        while (clock.Elapsed < Duration)
        {
            var restored = folder.Combine($"restored-{Guid.NewGuid():n}.db");
            await RestoreAsync(replica, restored, IntegrityCheckMode.Full);
            var transactions = WriterChild.RequireWhole(restored);
            Assert.True(transactions >= last, $"{last} transactions were there before, now {transactions}");
            (restores, last) = (restores + 1, transactions);
            File.Delete(restored);
        }
        writer.CloseInput();
        await writer.WaitForExitAsync(Patience, Token);
        await RequireEqualAsync(store, folder, path, replica);
        output.WriteLine($"{restores} restores, {last} transactions");
    }

    [Fact]
    public async Task Q2_WritersVacuumsCheckpointsGrowthAndReaders_TheRestoreIsEqual()
    {
        using var folder = new TempFolder();
        var (path, replica) = (folder.Combine("app.db"), folder.Combine("replica"));
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        await using var one = WriterChild.Start(path, seed);
        await one.WaitForLineAsync(new Regex("^writing$"), Patience, cancellationToken: Token);
        await using var two = WriterChild.Start(path, seed + 1);
        await using var store = NewStore(path, replica, checkpointFrames: 200);
        await store.StartAsync(Token);
        var (clock, random, acts, compared, next) = (Stopwatch.StartNew(), new Random(seed), 0, 0, TimeSpan.Zero);
        using (var app = TestDatabase.Open(path))
        {
            app.Execute("PRAGMA busy_timeout=500; CREATE TABLE IF NOT EXISTS big(id INTEGER PRIMARY KEY, v)");
            while (clock.Elapsed < Duration)
            {
                Act(app, random);
                acts++;
                if (clock.Elapsed < next)
                    continue;
                next = clock.Elapsed + TimeSpan.FromSeconds(1);
                await store.SyncAsync(path, upload: true, Token);
                var restored = folder.Combine($"restored-{Guid.NewGuid():n}.db");
                await RestoreAsync(replica, restored, IntegrityCheckMode.Quick);
                WriterChild.RequireWhole(restored);
                File.Delete(restored);
                compared++;
            }
        }
        foreach (var writer in new[] { one, two })
        {
            writer.CloseInput();
            await writer.WaitForExitAsync(Patience, Token);
        }
        await RequireEqualAsync(store, folder, path, replica);
        output.WriteLine($"{acts} acts beside two writers, {compared} restores on the way");
    }

    [Fact]
    public async Task Q3_RealS3ServerWhoseAnswersAreSometimesLost_EveryRestoreIsWhole_AndTheLastIsEqual()
    {
        Require.That(RadosGateway.IsInstalled, "an S3 server (radosgw)", "apt-get install " + RadosGateway.Packages);
        var server = await RadosGateway.GetAsync();
        var replica = server.Options(await server.CreateBucketAsync(), "app") with { SyncInterval = TimeSpan.FromMilliseconds(50) };
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var opened = new List<UnreliableStore>();
        var unreliable = S3ObjectStore.Backend with
        {
            Open = options =>
            {
                var store = new UnreliableStore(S3ObjectStore.Backend.Open(options), seed + opened.Count);
                opened.Add(store);
                return store;
            },
        };
        using var folder = new TempFolder();
        var path = folder.Combine("app.db");
        await using var writer = WriterChild.Start(path, seed);
        await writer.WaitForLineAsync(new Regex("^writing$"), Patience, cancellationToken: Token);
        await using var store = new LitestreamStore(
            new LitestreamOptions
            {
                ShutdownSyncTimeout = Patience,
                Databases =
                [
                    new DatabaseOptions
                    {
                        Path = path,
                        MinCheckpointPageCount = 200,
                        Replicas = [replica],
                    },
                ],
            },
            new ObjectStoreFactory(unreliable)
        );
        await store.StartAsync(Token);
        var stores = new ObjectStoreFactory(S3ObjectStore.Backend);
        var (clock, restores, last) = (Stopwatch.StartNew(), 0, 0L);
        while (clock.Elapsed < Duration)
        {
            await Task.Delay(500, Token);
            await using var client = stores.Open(replica);
            if (last == 0 && !await HasAnyAsync(client))
                continue;
            var restored = folder.Combine($"restored-{Guid.NewGuid():n}.db");
            await RestoreAsync(client, restored, IntegrityCheckMode.Quick);
            var transactions = WriterChild.RequireWhole(restored);
            Assert.True(transactions >= last, $"{last} transactions were there before, now {transactions}");
            (restores, last) = (restores + 1, transactions);
            File.Delete(restored);
        }
        writer.CloseInput();
        await writer.WaitForExitAsync(Patience, Token);
        opened.ForEach(o => o.CalmDown());
        Assert.True(await store.StopAsync(Token));
        await using var calm = stores.Open(replica);
        var end = folder.Combine("last.db");
        await RestoreAsync(calm, end, IntegrityCheckMode.Full);
        Assert.Equal(CanonicalDump.Of(path), CanonicalDump.Of(end));
        output.WriteLine($"{opened.Sum(o => o.Faults)} answers lost, {restores} restores on the way, {last} transactions");
        Assert.NotEqual(0, opened.Sum(o => o.Faults));
    }

    private static void Act(SqliteConnection app, Random random)
    {
        string[] acts =
        [
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "PRAGMA wal_checkpoint(PASSIVE)",
            "DELETE FROM big WHERE id % 3 = 0",
            "UPDATE big SET v = randomblob(length(v)) WHERE id % 5 = 0",
            "INSERT INTO big(v) VALUES(randomblob(200000))",
            "INSERT INTO big(v) VALUES(randomblob(100))",
            "DELETE FROM big",
        ];
        try
        {
            app.Execute(acts[random.Next(acts.Length)]);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is 5 or 6)
        {
            // A checkpoint or VACUUM that others are in the way of.
        }
        Thread.Sleep(random.Next(30));
    }

    private static async Task RequireEqualAsync(LitestreamStore store, TempFolder folder, string path, string replica)
    {
        Assert.True(await store.StopAsync(Token));
        Assert.Equal(nameof(FullReason.FirstSync), store.Databases[0].LastFullReason);
        var restored = folder.Combine("last.db");
        await RestoreAsync(replica, restored, IntegrityCheckMode.Full);
        Assert.Equal(CanonicalDump.Of(path), CanonicalDump.Of(restored));
    }

    private static LitestreamStore NewStore(string path, string replica, int checkpointFrames) =>
        new(
            new LitestreamOptions
            {
                Databases =
                [
                    new DatabaseOptions
                    {
                        Path = path,
                        MinCheckpointPageCount = checkpointFrames,
                        Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(replica), SyncInterval = TimeSpan.FromMilliseconds(50) }],
                    },
                ],
            },
            new ObjectStoreFactory()
        );

    private static async Task RestoreAsync(string replica, string output, IntegrityCheckMode check)
    {
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(replica) });
        await RestoreAsync(client, output, check);
    }

    private static async Task<bool> HasAnyAsync(ReplicaClient client)
    {
        await foreach (var _ in client.ListAsync(LtxFileInfo.SnapshotLevel, default, TimestampAccuracy.Listing, Token))
            return true;
        return false;
    }

    private static async Task RestoreAsync(ReplicaClient client, string output, IntegrityCheckMode check)
    {
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = output, IntegrityCheck = check }, Token);
    }
}
