using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Tests.S3;
using Microsoft.Extensions.Logging;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>The end of an engine: a last sync within its time, and the truth about what arrived (replication-engine §13, §21 L).</summary>
public sealed class ShutdownScenarioTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task L1_UploadFailsAFewTimes_IsTriedAgain_AndEverythingArrives()
    {
        await using var world = new World(timeout: TimeSpan.FromSeconds(60));
        var failures = 3;
        world.Fault = call => call.Operation == "PUT" && failures-- > 0 ? StoreFault.Unavailable() : null;
        Assert.True(await world.Store.StopAsync(Token));
        Assert.True(failures < 0);
        world.Fault = null;
        await world.RequireEverythingAsync();
    }

    [Fact]
    public async Task L2_UploadFailsForEver_IsGivenUpInTime_AndSaid()
    {
        await using var world = new World(timeout: TimeSpan.FromMilliseconds(200));
        var tries = 0;
        world.Fault = call =>
        {
            if (call.Operation == "PUT")
                Interlocked.Increment(ref tries);
            return StoreFault.Unavailable();
        };
        Assert.False(await world.Store.StopAsync(Token).WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(ReplicationState.Stopped, world.Store.Databases[0].State);
        world.RequireLetGo();
    }

    [Fact]
    public async Task L3_CallerCancels_TheRetriesEnd_AndTheDatabaseIsLetGo()
    {
        await using var world = new World(timeout: TimeSpan.FromHours(1));
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(Token);
        world.Fault = _ =>
        {
            impatient.Cancel();
            return StoreFault.Unavailable();
        };
        Assert.False(await world.Store.StopAsync(impatient.Token).WaitAsync(TimeSpan.FromSeconds(30), Token));
        world.RequireLetGo();
    }

    [Fact]
    public async Task L3_CancelledBefore_StillLetsGo()
    {
        await using var world = new World(timeout: TimeSpan.FromHours(1));
        Assert.False(await world.Store.StopAsync(new CancellationToken(canceled: true)).WaitAsync(TimeSpan.FromSeconds(30), Token));
        world.RequireLetGo();
    }

    [Fact]
    public async Task L4_NoTimeGiven_IsOneTry()
    {
        await using var world = new World(timeout: TimeSpan.Zero);
        var lists = 0;
        world.Fault = call =>
        {
            if (call is { Operation: "LIST" })
                lists++;
            return StoreFault.Unavailable();
        };
        Assert.False(await world.Store.StopAsync(Token));
        // One to ask where the replica is before the first copy, one to upload.
        Assert.InRange(lists, 1, 2);
        world.RequireLetGo();
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task L6_ServerIsOverloadedForAWhile_EverythingIsThereAtTheEnd(int status)
    {
        using var server = new TinyS3();
        using var folder = new TempFolder();
        var path = folder.Combine("app.db");
        using var app = TestDatabase.Open(path);
        app.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES('before')");
        var options = new DatabaseOptions { Path = path, Replicas = [server.Options("backup")] };
        await using var store = new LitestreamStore(
            new LitestreamOptions
            {
                Databases = [options],
                ShutdownSyncTimeout = TimeSpan.FromMinutes(1),
                ShutdownSyncInterval = Short,
            },
            new ObjectStoreFactory(Litestream.S3.S3ObjectStore.Backend)
        );
        await store.StartAsync(Token);
        await store.SyncAsync(path, upload: true, Token);
        server.Refuse(requests: 12, status);
        app.Execute("INSERT INTO t VALUES('the last')");
        Assert.True(await store.StopAsync(Token));
        Assert.Equal(0, server.Refusals);
        await using var client = new ObjectStoreFactory(Litestream.S3.S3ObjectStore.Backend).Open(server.Options("backup"));
        Assert.Equal(CanonicalDump.Of(app), await World.RestoreAsync(client, folder));
    }

    [Fact]
    public async Task L7_StopThatIsCutShort_LogsNoError()
    {
        var log = new LogList();
        await using var world = new World(timeout: TimeSpan.FromHours(1), log);
        await world.Store.SyncAsync(world.Path, upload: true, Token);
        Assert.False(await world.Store.StopAsync(new CancellationToken(canceled: true)));
        Assert.DoesNotContain(log.Lines, l => l.Level >= LogLevel.Warning);
        Assert.NotEmpty(log.Lines);
    }

    [Fact]
    public async Task L9_RemovedAndAddedAgain_GoesOnWhereItWas()
    {
        await using var world = new World(timeout: TimeSpan.FromSeconds(30));
        await world.Store.SyncAsync(world.Path, upload: true, Token);
        for (var i = 0; i < 3; i++)
        {
            world.App.Execute("INSERT INTO t VALUES('again')");
            Assert.True(await world.Store.RemoveDatabaseAsync(world.Path, Token));
            Assert.Empty(world.Store.Databases);
            world.App.Execute("INSERT INTO t VALUES('meanwhile')");
            await world.Store.AddDatabaseAsync(world.Options, Token);
            await world.Store.SyncAsync(world.Path, upload: true, Token);
            Assert.Null(world.Store.Databases[0].LastFullReason);
        }
        await world.RequireEverythingAsync();
    }

    [Fact]
    public async Task L10_ReplicaCanNeverWork_NothingIsOpenedHalfway()
    {
        using var folder = new TempFolder();
        var path = folder.Combine("app.db");
        using (var app = TestDatabase.Open(path))
            app.Execute("CREATE TABLE t(v)");
        File.WriteAllText(folder.Combine("file"), "not a folder");
        DatabaseOptions[] databases =
        [
            new() { Path = path, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(folder.Combine("file")) }] },
        ];
        await using var store = new LitestreamStore(new LitestreamOptions { Databases = databases }, new ObjectStoreFactory());
        var e = await Assert.ThrowsAsync<LitestreamException>(() => store.StartAsync(Token));
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        Assert.Empty(store.Databases);
        Assert.Equal(["app.db", "file"], folder.Contents().Order(StringComparer.Ordinal));
    }

    /// <summary>An application, an engine that runs by the real clock, and a store in memory.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly TempFolder _folder = new();
        private readonly MemoryObjectStore _bucket = new();

        internal World(TimeSpan timeout, ILoggerFactory? loggers = null)
        {
            Path = _folder.Combine("app.db");
            App = TestDatabase.Open(Path);
            App.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES('first')");
            Options = new DatabaseOptions
            {
                Path = Path,
                Replicas = [new ReplicaOptions { Name = "one", Url = ReplicaUrl.Parse("mem://one/") }],
            };
            Store = new LitestreamStore(
                new LitestreamOptions { ShutdownSyncTimeout = timeout, ShutdownSyncInterval = Short },
                Stores(),
                loggers: loggers
            );
            Store.AddDatabaseAsync(Options, Token).GetAwaiter().GetResult();
        }

        internal string Path { get; }

        internal DatabaseOptions Options { get; }

        internal Microsoft.Data.Sqlite.SqliteConnection App { get; }

        internal LitestreamStore Store { get; }

        internal Func<StoreCall, StoreFault?>? Fault { get; set; }

        private ObjectStoreFactory Stores() =>
            new(
                new ObjectStoreBackend(
                    ["mem"],
                    ReplicaLayout.Folders,
                    [],
                    _ =>
                    {
                        var door = _bucket.Share();
                        door.Fault = call => Fault?.Invoke(call);
                        return door;
                    }
                )
            );

        internal async Task RequireEverythingAsync()
        {
            await using var client = new ReplicaClient(_bucket.Share(), ReplicaLayout.Folders);
            Assert.Equal(CanonicalDump.Of(App), await RestoreAsync(client, _folder));
        }

        internal static async Task<string> RestoreAsync(ReplicaClient client, TempFolder folder)
        {
            var output = folder.Combine($"restored-{Guid.NewGuid():n}.db");
            var restorer = new Litestream.Restore.DatabaseRestorer(
                Litestream.IO.DurableFiles.System,
                TimeProvider.System,
                Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance
            );
            await restorer.RestoreAsync(client, new Litestream.Restore.RestoreOptions { OutputPath = output }, Token);
            return CanonicalDump.Of(output);
        }

        /// <summary>Neither the engine's lock nor a read mark is held any more.</summary>
        internal void RequireLetGo()
        {
            using (EngineFolder.Lock(Litestream.IO.DurableFiles.System, Options))
                Assert.Equal("0|0|0", App.Row("PRAGMA wal_checkpoint(TRUNCATE)"));
        }

        public async ValueTask DisposeAsync()
        {
            await Store.DisposeAsync();
            App.Dispose();
            _folder.Dispose();
        }
    }

    private sealed class LogList : ILoggerFactory, ILogger
    {
        internal List<(LogLevel Level, string Text)> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) { }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Lines)
                Lines.Add((level, formatter(state, exception)));
        }

        public void Dispose() { }
    }
}
