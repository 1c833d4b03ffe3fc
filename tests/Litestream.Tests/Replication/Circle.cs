using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Sqlite;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>One database, an application's connection, the engine stepped by hand, folder replicas, and restores.</summary>
internal sealed class Circle : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private LitestreamStore? _store;

    internal Circle(Func<DatabaseOptions, DatabaseOptions>? change = null, bool createDatabase = true)
    {
        Path = _folder.Combine("app.db");
        Replica = _folder.Combine("replica");
        Options = new DatabaseOptions { Path = Path, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(Replica) }] };
        Options = change?.Invoke(Options) ?? Options;
        if (createDatabase)
            CreateDatabase();
    }

    /// <summary>An engine with so many transactions on its replica.</summary>
    internal static async Task<Circle> RunningAsync(int transactions)
    {
        var circle = new Circle();
        circle.Write(10, 1000);
        await circle.StartAsync();
        await circle.SyncAsync();
        for (var i = 1; i < transactions; i++)
        {
            circle.Write();
            await circle.SyncAsync();
        }
        Assert.Equal((ulong)transactions + 1, circle.Txid); // a new run leaves one out
        return circle;
    }

    internal static CancellationToken Token => TestContext.Current.CancellationToken;

    internal FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    internal TempFolder Folder => _folder;

    internal string Path { get; }

    internal string Replica { get; }

    internal string LocalFolder => System.IO.Path.Combine(EngineFolder.Of(Options), "ltx", "0");

    internal DatabaseOptions Options { get; set; }

    internal ObjectStoreFactory Stores { get; set; } = new();

    internal DurableFiles Disk { get; set; } = DurableFiles.System;

    internal SqliteConnection App { get; private set; } = null!;

    internal LitestreamStore Store => _store!;

    internal DatabaseStatus Status => Store.Databases[0];

    internal ulong Txid => Status.Txid.Value;

    internal void CreateDatabase(string settings = "")
    {
        App = Connect();
        App.Execute(
            $"{settings}; PRAGMA journal_mode=wal; PRAGMA synchronous=off; CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES('first')"
        );
    }

    /// <summary>Opens the application's connection anew, after the file was replaced.</summary>
    internal void Reconnect() => App = Connect();

    internal SqliteConnection Connect()
    {
        var connection = TestDatabase.Open(Path);
        connection.DefaultTimeout = 2;
        return connection;
    }

    internal void Write(int rows = 1, int bytes = 100)
    {
        for (var i = 0; i < rows; i++)
            App.Execute($"INSERT INTO t(v) VALUES(randomblob({bytes}))");
    }

    internal async Task StartAsync()
    {
        _store = new LitestreamStore(
            new LitestreamOptions { Databases = [Options], ShutdownSyncTimeout = TimeSpan.Zero },
            Stores,
            Time,
            null,
            Disk,
            new SilentCommitWatcher()
        );
        await _store.AddConfiguredAsync(Token);
    }

    /// <summary>Copies and uploads everything.</summary>
    internal async Task SyncAsync()
    {
        Time.Advance(TimeSpan.FromMilliseconds(10));
        await Store.SyncAsync(Path, upload: true, Token);
    }

    /// <summary>Lets time pass and does what is due; checkpoints come only here.</summary>
    internal async Task StepAsync(double seconds = 2)
    {
        Time.Advance(TimeSpan.FromSeconds(seconds));
        await Store.Scheduler.StepDueAsync(Token);
    }

    internal async Task<bool> StopAsync()
    {
        var complete = await Store.StopAsync(Token);
        await Store.DisposeAsync();
        _store = null;
        return complete;
    }

    /// <summary>As kill -9: nothing is copied any more.</summary>
    internal async Task KillAsync()
    {
        await Store.AbandonAsync();
        await Store.DisposeAsync();
        _store = null;
    }

    internal async Task<string> RestoreAsync(RestoreTarget? target = null, string? replica = null)
    {
        var options = new ReplicaOptions { Url = ReplicaUrl.Parse(replica ?? Replica) };
        await using var client = Stores.Open(options);
        return await RestoreAsync(client, target);
    }

    internal async Task<string> RestoreAsync(ReplicaClient client, RestoreTarget? target = null)
    {
        var output = _folder.Combine($"restored-{Guid.NewGuid():n}.db");
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(
            client,
            new RestoreOptions
            {
                OutputPath = output,
                Target = target ?? RestoreTarget.Latest,
                IntegrityCheck = IntegrityCheckMode.Full,
            },
            Token
        );
        return CanonicalDump.Of(output);
    }

    /// <summary>Copies, uploads, restores and compares.</summary>
    internal async Task RequireRestorableAsync()
    {
        await SyncAsync();
        Assert.Equal(CanonicalDump.Of(App), await RestoreAsync());
    }

    /// <summary>The files of a level on the replica.</summary>
    internal async Task<List<LtxFileInfo>> RemoteAsync(int level = 0)
    {
        await using var client = Stores.Open(Options.Replicas[0]);
        var files = new List<LtxFileInfo>();
        await foreach (var file in client.ListAsync(level, Litestream.Ltx.Txid.None, TimestampAccuracy.Listing, Token))
            files.Add(file);
        return files;
    }

    /// <summary>Pages in a level-0 file of the replica.</summary>
    internal async Task<List<uint>> PagesAsync(LtxFileInfo file)
    {
        await using var client = Stores.Open(Options.Replicas[0]);
        await using var stream = await client.OpenAsync(file, 0, null, Token);
        await using var decoder = await LtxDecoder.OpenAsync(stream, file.SizeBytes, Token);
        var page = new byte[decoder.Header.PageSize];
        var pages = new List<uint>();
        while (await decoder.ReadPageAsync(page, Token) is var number and not 0)
            pages.Add(number);
        await decoder.FinishAsync(Token);
        return pages;
    }

    internal IReadOnlyList<string> LocalFiles() =>
        Directory.Exists(LocalFolder) ? [.. Directory.GetFiles(LocalFolder).Order(StringComparer.Ordinal)] : [];

    /// <summary>Runs SQL in another process, with Debian's own library.</summary>
    internal Task<string> ShellAsync(string sql) => ShellAsync(Path, sql);

    internal static async Task<string> ShellAsync(string path, string sql)
    {
        await using var shell = await TestProcess.RunAsync(
            Require.Program("sqlite3"),
            ["-cmd", ".timeout 5000", path, sql],
            cancellationToken: Token
        );
        Assert.True(shell.ExitCode == 0, shell.Output);
        return shell.StandardOutput.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
            await KillAsync();
        App?.Dispose();
        _folder.Dispose();
    }
}
