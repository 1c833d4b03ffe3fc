using Litestream.IO;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>A thousand databases in one engine. Alone, since it counts the threads of the process.</summary>
[Collection(nameof(ThousandDatabasesTests))]
[CollectionDefinition(nameof(ThousandDatabasesTests), DisableParallelization = true)]
public sealed class ThousandDatabasesTests : IDisposable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly TempFolder _folder = new();

    [Fact]
    [Trait("Scenario", "M15")]
    public async Task M14_M15_ThousandDatabasesAddedWhileRunning_AllAreCopied_WithAFewThreadsAndHandlesEach()
    {
        const int Count = 1000;
        using (var first = TestDatabase.Open(Path(0)))
            first.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES('first')");
        for (var i = 1; i < Count; i++)
            File.Copy(Path(0), Path(i)); // nobody has them open
        await using var store = new LitestreamStore(new LitestreamOptions(), new ObjectStoreFactory());
        await store.StartAsync(Token);
        var threads = Threads();
        for (var i = 0; i < Count; i++)
            await store.AddDatabaseAsync(Options(i), Token);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(TimeSpan.FromMinutes(4));
        while (store.Databases.Any(d => d.Replicas[0].State != ReplicationState.Current))
            await Task.Delay(100, patience.Token);
        Assert.All(store.Databases, d => Assert.Null(d.Cause));
        Assert.All(store.Databases, d => Assert.Equal(d.Txid, d.Replicas[0].Txid));
        Assert.True(Threads() - threads < 40, $"{threads} threads before, {Threads()} with {Count} databases");
        // Four connections with database and WAL each, and the lock of the folder: shared memory needs one more.
        Assert.InRange(Handles() / (double)Count, 1, 15);
        foreach (var number in new[] { 0, 500, Count - 1 })
        {
            using (var app = TestDatabase.Open(Path(number)))
                app.Execute("INSERT INTO t VALUES('one of a thousand')");
            await store.SyncAsync(Path(number), upload: true, Token);
            Assert.Equal(CanonicalDump.Of(Path(number)), await RestoreAsync(number));
        }
    }

    private static int Threads() => System.Diagnostics.Process.GetCurrentProcess().Threads.Count;

    /// <summary>Open files of this test.</summary>
    private int Handles() =>
        Directory.Exists("/proc/self/fd")
            ? Directory.GetFiles("/proc/self/fd").Count(file => TargetOf(file)?.StartsWith(_folder.Path, StringComparison.Ordinal) == true)
            : 1000;

    private static string? TargetOf(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (IOException)
        {
            return null; // closed since it was listed
        }
    }

    private string Path(int number) => _folder.Combine($"{number}.db");

    private DatabaseOptions Options(int number) =>
        new() { Path = Path(number), Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(_folder.Combine($"r{number}")) }] };

    private async Task<string> RestoreAsync(int number)
    {
        await using var client = new ObjectStoreFactory().Open(Options(number).Replicas[0]);
        var restored = _folder.Combine($"restored-{number}.db");
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = restored }, Token);
        return CanonicalDump.Of(restored);
    }

    public void Dispose() => _folder.Dispose();
}
