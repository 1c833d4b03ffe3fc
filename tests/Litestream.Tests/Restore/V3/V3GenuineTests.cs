using System.Security.Cryptography;
using Litestream.IO;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.Restore.V3;
using Litestream.S3;
using Litestream.Tests.Replication;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Testing.Servers;
using Xunit;

namespace Litestream.Tests.Restore.V3;

/// <summary>The genuine 0.3.13 at work on a folder, on S3, and before our engine on the same path.</summary>
[Trait("Speed", "slow")]
public sealed class V3GenuineTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Scenario", "I21")]
    public async Task Restore_OfABackupOnS3_EqualsTheSource()
    {
        foreach (var program in RadosGateway.Programs)
            Require.Program(program, RadosGateway.Packages);
        var server = await RadosGateway.GetAsync();
        var bucket = await server.CreateBucketAsync();
        var source = _folder.Combine("app.db");
        using var app = Create(source);
        await using (var program = await ReplicateAsync(source, S3Replica(server, bucket)))
        {
            await program.WaitForLineAsync(new("snapshot written"), cancellationToken: Cancel);
            Write(app, 20);
            await UntilAsync(() => WalSegmentsAsync(server.Options(bucket, "old/backup")), count => count >= 2);
            await program.StopAsync();
        }
        await using var client = new ObjectStoreFactory(S3ObjectStore.Backend).Open(server.Options(bucket, "old/backup"));
        Assert.Equal(CanonicalDump.Of(app), await RestoreAsync(client, RestoreTarget.Latest));
        var backup = await V3Backup.ListAsync(client.Store, Cancel);
        var generation = Assert.Single(backup.Generations);
        Assert.NotEqual(
            "",
            await RestoreAsync(client, new RestoreTarget { Generation = generation.Name, Index = generation.Segments[^1].Index })
        );
        await client.Store.DeleteAsync([generation.Segments[0].Key], Cancel);
        var failure = await Assert.ThrowsAsync<LitestreamException>(() => RestoreAsync(client, RestoreTarget.Latest));
        Assert.Equal(LitestreamError.Gap, failure.Error);
    }

    [Fact]
    [Trait("Scenario", "I21")]
    public async Task I22_OurEngineOnThePathOf0313_OldAndNewPointsAreRestorable()
    {
        await using var circle = new Circle();
        string old;
        await using (var program = await Litestream03.ReplicateAsync(circle.Path, $"file://{circle.Replica}"))
        {
            await program.WaitForLineAsync(new("snapshot written"), cancellationToken: Cancel);
            circle.Write(5);
            old = CanonicalDump.Of(circle.App);
            var replica = new ReplicaOptions { Url = ReplicaUrl.Parse(circle.Replica) };
            await UntilAsync(() => WalSegmentsAsync(replica), count => count >= 2);
            await program.StopAsync();
        }
        var files = Hashes(Path.Combine(circle.Replica, "generations"));
        // The engine's clock is the test's own, and must be after the old program's.
        circle.Time.SetUtcNow(DateTimeOffset.UtcNow.AddSeconds(1));
        await circle.StartAsync();
        await circle.SyncAsync();
        var states = new List<(DateTimeOffset Time, string Dump)>();
        for (var i = 0; i < 4; i++)
        {
            circle.Time.Advance(TimeSpan.FromSeconds(5));
            circle.Write(3);
            await circle.SyncAsync();
            states.Add((circle.Time.GetUtcNow().AddMilliseconds(1), CanonicalDump.Of(circle.App)));
        }
        Assert.Equal(files, Hashes(Path.Combine(circle.Replica, "generations")));
        await using var client = new ObjectStoreFactory().Open(circle.Options.Replicas[0]);
        var newest = (await V3Backup.ListAsync(client.Store, Cancel)).Generations.Max(g => g.Newest);
        Assert.Equal(states[^1].Dump, await circle.RestoreAsync());
        foreach (var (time, dump) in states)
            Assert.Equal(dump, await circle.RestoreAsync(new RestoreTarget(Timestamp: time)));
        Assert.Equal(old, await circle.RestoreAsync(new RestoreTarget(Timestamp: newest)));
        var generation = Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(circle.Replica, "generations"))));
        Assert.Equal(old, await circle.RestoreAsync(new RestoreTarget { Generation = generation }));
    }

    [Fact]
    public async Task I21_19_DatabaseOverOneGiB_KeepsItsLockPage()
    {
        var source = _folder.Combine("large.db");
        using var app = Create(source, "PRAGMA page_size=65536");
        // Zeros: a gigabyte of file, little to compress.
        app.Execute("PRAGMA synchronous=off; PRAGMA wal_autocheckpoint=100");
        for (var i = 0; i < 21; i++)
            app.Execute("INSERT INTO t(v) VALUES(zeroblob(52428800))");
        app.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        await using (var program = await Litestream03.ReplicateAsync(source, $"file://{_folder.Combine("replica")}"))
        {
            await program.WaitForLineAsync(new("snapshot written"), TimeSpan.FromSeconds(120), cancellationToken: Cancel);
            app.Execute("INSERT INTO t(v) VALUES('behind the lock page')");
            var replica = new ReplicaOptions { Url = ReplicaUrl.Parse(_folder.Combine("replica")) };
            await UntilAsync(() => WalSegmentsAsync(replica), count => count >= 2);
            await program.StopAsync();
        }
        var output = _folder.Combine("restored.db");
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(_folder.Combine("replica")) });
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        var options = new RestoreOptions { OutputPath = output, IntegrityCheck = IntegrityCheckMode.Quick };
        var result = await restorer.RestoreAsync(client, options, Cancel);
        Assert.True(result.SizeBytes > (1L << 30) + 65536, $"{result.SizeBytes} bytes");
        using var restored = TestDatabase.Open(output);
        Assert.Equal("23", restored.Scalar("SELECT count(*) FROM t"));
        Assert.Equal("behind the lock page", restored.Scalar("SELECT v FROM t ORDER BY id DESC LIMIT 1"));
    }

    private static SqliteConnection Create(string path, string settings = "")
    {
        var app = TestDatabase.Open(path);
        app.Execute($"{settings}; PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES('first')");
        return app;
    }

    private static void Write(SqliteConnection app, int rows)
    {
        for (var i = 0; i < rows; i++)
            app.Execute("INSERT INTO t(v) VALUES(randomblob(3000))");
    }

    private static string S3Replica(RadosGateway server, string bucket) =>
        $"""
            type: s3
                    bucket: {bucket}
                    path: old/backup
                    endpoint: {server.Endpoint}
                    region: us-east-1
                    force-path-style: true
                    access-key-id: {server.AccessKeyId}
                    secret-access-key: {server.SecretAccessKey}
            """;

    private async Task<TestProcess> ReplicateAsync(string source, string replica)
    {
        var config = _folder.Combine("litestream.yml");
        await File.WriteAllTextAsync(config, $"dbs:\n  - path: {source}\n    replicas:\n      - {replica.Trim()}\n", Cancel);
        var program = TestProcess.Start(Litestream03.Program(), ["replicate", "-config", config]);
        await program.WaitForLineAsync(new("replicating to"), cancellationToken: Cancel);
        return program;
    }

    private static async Task<int> WalSegmentsAsync(ReplicaOptions replica)
    {
        await using var client = new ObjectStoreFactory(S3ObjectStore.Backend).Open(replica);
        return (await V3Backup.ListAsync(client.Store, Cancel)).Generations.Sum(g => g.Segments.Count);
    }

    // The genuine program syncs once a second; that something has arrived is seen in the replica only.
    private static async Task UntilAsync(Func<Task<int>> ask, Func<int, bool> wanted)
    {
        for (var i = 0; i < 300; i++)
        {
            if (wanted(await ask()))
                return;
            await Task.Delay(100, Cancel);
        }
        Assert.Fail("the genuine program did not upload in 30 s");
    }

    private async Task<string> RestoreAsync(ReplicaClient client, RestoreTarget target)
    {
        var output = _folder.Combine($"restored-{Guid.NewGuid():n}.db");
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        var options = new RestoreOptions
        {
            OutputPath = output,
            Target = target,
            IntegrityCheck = IntegrityCheckMode.Full,
        };
        await restorer.RestoreAsync(client, options, Cancel);
        return CanonicalDump.Of(output);
    }

    private static List<string> Hashes(string folder) =>
        [
            .. Directory
                .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(file => $"{Path.GetRelativePath(folder, file)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))}"),
        ];
}
