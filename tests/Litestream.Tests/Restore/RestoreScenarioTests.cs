using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Tests.Cli;
using Litestream.Tests.Ltx;
using Litestream.Tests.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Restore;

/// <summary>Rows of the catalogue that go through more than one class.</summary>
public class RestoreScenarioTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task I9_ListingFails_IsAnErrorNotAnEmptyReplica()
    {
        await using var replica = await SampleReplica.CreateAsync(3);
        replica.Store.Fault = call => call.Key == "ltx/4/" ? StoreFault.Unavailable() : null;
        foreach (
            var ask in new Func<Task>[]
            {
                () => RestorePlanner.PlanAsync(replica.Client, RestoreTarget.Latest, Cancel),
                () => RestorePlanner.ListPointsAsync(replica.Client, TimestampAccuracy.Exact, Cancel),
            }
        )
            Assert.Equal(LitestreamError.Unavailable, (await Assert.ThrowsAsync<LitestreamException>(ask)).Error);
    }

    [Fact]
    [Trait("Scenario", "I14")]
    public async Task I14_ListingFailsTwice_IsAskedAgain()
    {
        await using var replica = await SampleReplica.CreateAsync(3);
        var failures = 0;
        replica.Store.Fault = call =>
            call.Operation == "LIST" && Interlocked.Increment(ref failures) <= 2 ? StoreFault.Unavailable() : null;
        using var folder = new TempFolder();
        await AdvanceAsync(time => replica.RestoreAsync(folder.Combine("out.db"), time: time));
        Assert.Equal(replica.State(3), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
    }

    [Fact]
    public async Task I10_ThousandsOfFilesAndAMoment_TimesAreAskedSideBySide()
    {
        await using var replica = await SampleReplica.CreateAsync(2000);
        await using var store = new HeadGate(replica.Store, 50);
        await using var client = new ReplicaClient(store, ReplicaLayout.Folders);
        var plan = await RestorePlanner.PlanAsync(client, new RestoreTarget(Timestamp: SampleReplica.TimeOf(1500)), Cancel);
        Assert.Equal(new Txid(1499), plan.Txid);
        Assert.Equal((2000, 50), (replica.Store.Count("HEAD"), store.Most));
    }

    [Theory]
    [InlineData("no backup")]
    [InlineData("backup")]
    [InlineData("exists")]
    [InlineData("missing parent")]
    public async Task I23_RestoreIfMissing(string what)
    {
        await using var circle = await Circle.RunningAsync(3);
        var wanted = CanonicalDump.Of(circle.App);
        var path = circle.Folder.Combine(what == "missing parent" ? "deep/er" : "new", "app.db");
        if (what == "exists")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var database = TestDatabase.Open(path);
            database.Execute("CREATE TABLE mine(a)");
        }
        var replica = what == "no backup" ? circle.Folder.Combine("empty") : circle.Replica;
        await using var store = Store(path, replica);
        await store.AddConfiguredAsync(Cancel);
        Assert.Equal(what != "no backup", File.Exists(path));
        if (what != "no backup")
            Assert.Equal(what == "exists", CanonicalDump.Of(path) != wanted);
        await store.AbandonAsync();
    }

    [Theory]
    [InlineData("-wal")]
    [InlineData("-journal")]
    public async Task I24_RemainsBesideAMissingDatabase_FailTheStart(string sidecar)
    {
        await using var circle = await Circle.RunningAsync(2);
        var path = circle.Folder.Combine("app2.db");
        await File.WriteAllTextAsync(path + sidecar, "stale", Cancel);
        await using var store = Store(path, circle.Replica);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => store.AddConfiguredAsync(Cancel));
        Assert.Equal(LitestreamError.OutputExists, exception.Error);
        Assert.False(File.Exists(path));
        Assert.Equal("stale", await File.ReadAllTextAsync(path + sidecar, Cancel));
        await store.AbandonAsync();
    }

    [Fact]
    [Trait("Scenario", "I23")]
    public async Task I23_OneReplicaCannotBeAsked_IsNotNoBackup()
    {
        await using var circle = await Circle.RunningAsync(2);
        var path = circle.Folder.Combine("app2.db");
        // A file where a folder should be: whether there was a backup cannot be known.
        await File.WriteAllTextAsync(circle.Folder.Combine("broken"), "x", Cancel);
        await using var store = Store(path, circle.Folder.Combine("empty"), circle.Folder.Combine("broken"));
        await Assert.ThrowsAsync<LitestreamException>(() => store.AddConfiguredAsync(Cancel));
        Assert.False(File.Exists(path));
        await store.AbandonAsync();
    }

    [Fact]
    public async Task I27_RestoreWriteReplicateAgain_ChainStaysValid()
    {
        await using var circle = await Circle.RunningAsync(4);
        await circle.StopAsync();
        circle.App.Dispose();
        foreach (var file in Directory.GetFiles(circle.Folder.Path, "app.db*"))
            File.Delete(file);
        Directory.Delete(EngineFolder.Of(circle.Options), recursive: true);
        circle.Options = circle.Options with { RestoreIfMissing = true };
        await circle.StartAsync();
        using (var app = circle.Connect())
        {
            app.Execute("INSERT INTO t(v) VALUES('after')");
            await circle.SyncAsync();
            Assert.Equal(CanonicalDump.Of(app), await circle.RestoreAsync());
            Assert.True(circle.Txid > 4);
            Assert.Equal("first", await RestoredAsync(circle, new RestoreTarget(new Txid(2)), "SELECT v FROM t WHERE id = 1"));
            Assert.Equal("0", await RestoredAsync(circle, new RestoreTarget(new Txid(4)), "SELECT count(*) FROM t WHERE v = 'after'"));
        }
    }

    [Fact]
    [Trait("Scenario", "I12")]
    public async Task Restore_DamagedNewestFile_NamesWhatCanBeRestoredWithoutIt()
    {
        await using var replica = await SampleReplica.CreateAsync(5);
        var bytes = replica.Store.Read(SampleReplica.Key(0, 5, 5));
        bytes[^3] ^= 1;
        replica.Store.Write(SampleReplica.Key(0, 5, 5), bytes);
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal(LitestreamError.Corrupt, exception.Error);
        Assert.Contains("without that file can be restored: 0000000000000004", exception.Hint, StringComparison.Ordinal);
        Assert.Empty(folder.Contents());
    }

    [Fact]
    public async Task I29_HeapOfAQuarterOfTheData_IsEnough()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.Combine("replica/ltx/0"));
        var random = new Random(1);
        var page = new byte[4096];
        // A snapshot of 48 MB and increments that change half of it each: 200 MB in all.
        for (ulong txid = 1; txid <= 8; txid++)
        {
            await using var file = File.Create(folder.Combine("replica/ltx/0", LtxFileInfo.FormatFileName(new Txid(txid), new Txid(txid))));
            var header = new LtxHeader
            {
                PageSize = 4096,
                Commit = 12_000,
                MinTxid = new Txid(txid),
                MaxTxid = new Txid(txid),
                NoChecksum = true,
            };
            await using var encoder = new LtxEncoder(file, header);
            for (uint number = 1; number <= 12_000; number += txid == 1 ? 1u : 2u)
            {
                random.NextBytes(page);
                await encoder.WritePageAsync(number, page, Cancel);
            }
            await encoder.FinishAsync(Cancel);
        }
        await using var restore = await TestProcess.RunAsync(
            Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door"),
            ["restore", "-o", folder.Combine("out.db"), $"file://{folder.Combine("replica")}"],
            new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = "0x3000000" },
            timeout: TimeSpan.FromMinutes(2),
            cancellationToken: Cancel
        );
        Assert.True(restore.ExitCode == 0, restore.Output);
        Assert.Equal(12_000 * 4096L, new FileInfo(folder.Combine("out.db")).Length);
    }

    [Fact]
    public async Task Points_OfTheCommandLine_AsTableAndJson()
    {
        await using var circle = await Circle.RunningAsync(3);
        var table = await CliRun.Of("points", $"file://{circle.Replica}");
        Assert.Equal(0, table.Exit);
        var lines = table.Out.TrimEnd().Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.Equal(["txid", "created", "size"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("0000000000000004  2026-01-02T03:04:05", lines[3], StringComparison.Ordinal);
        var json = await CliRun.Of("points", "-json", $"file://{circle.Replica}");
        using var document = System.Text.Json.JsonDocument.Parse(json.Out);
        Assert.Equal(
            ["0000000000000002", "0000000000000003", "0000000000000004"],
            document.RootElement.EnumerateArray().Select(p => p.GetProperty("txid").GetString())
        );
        Assert.All(document.RootElement.EnumerateArray(), p => Assert.True(p.GetProperty("size").GetInt64() > 100));
        var none = await CliRun.Of("points", "-json", $"file://{circle.Folder.Combine("nothing")}");
        Assert.Equal((0, "[]\n"), (none.Exit, none.Out));
    }

    [Fact]
    public async Task Restore_OverAnEmptyFileOrByForce_KeepsItsMode()
    {
        if (OperatingSystem.IsWindows())
            return; // no modes
        await using var circle = await Circle.RunningAsync(2);
        var output = circle.Folder.Combine("out.db");
        await File.WriteAllBytesAsync(output, [], Cancel);
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        File.SetUnixFileMode(output, mode);
        Assert.Equal(0, (await CliRun.Of("restore", "-o", output, $"file://{circle.Replica}")).Exit);
        Assert.Equal(mode, File.GetUnixFileMode(output));
        Assert.Equal(0, (await CliRun.Of("restore", "-force", "-o", output, $"file://{circle.Replica}")).Exit);
        Assert.Equal(mode, File.GetUnixFileMode(output));
    }

    private static async Task<string?> RestoredAsync(Circle circle, RestoreTarget target, string sql)
    {
        var output = circle.Folder.Combine($"{Guid.NewGuid():n}.db");
        await using var client = circle.Stores.Open(circle.Options.Replicas[0]);
        await new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance).RestoreAsync(
            client,
            new RestoreOptions { OutputPath = output, Target = target },
            Cancel
        );
        using var database = TestDatabase.Open(output);
        return database.Scalar(sql);
    }

    private static LitestreamStore Store(string path, params string[] replicas) =>
        new(
            new LitestreamOptions
            {
                Databases =
                [
                    new DatabaseOptions
                    {
                        Path = path,
                        RestoreIfMissing = true,
                        Replicas = [.. replicas.Select(r => new ReplicaOptions { Url = ReplicaUrl.Parse(r) })],
                    },
                ],
                ShutdownSyncTimeout = TimeSpan.Zero,
            },
            new ObjectStoreFactory()
        );

    private static async Task AdvanceAsync(Func<FakeTimeProvider, Task> work)
    {
        var time = new FakeTimeProvider();
        var running = work(time);
        while (!running.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(running, Task.Delay(1, Cancel));
        }
        await running;
    }

    /// <summary>A store whose first answers to HEAD come only when so many are asked for at once.</summary>
    private sealed class HeadGate(MemoryObjectStore inner, int together) : ObjectStore
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _now;

        public int Most { get; private set; }

        public override StoreCapabilities Capabilities => inner.Capabilities;

        public override string Kind => "gate";

        public override string Location => "gate://";

        protected internal override IAsyncEnumerable<StoredObject> ListCoreAsync(
            string prefix,
            string? after,
            CancellationToken cancellationToken
        ) => inner.ListAsync(prefix, after, cancellationToken);

        protected internal override Task<Stream> OpenCoreAsync(
            string key,
            long offset,
            long? length,
            CancellationToken cancellationToken
        ) => inner.OpenAsync(key, offset, length, cancellationToken);

        protected internal override Task<StoredObject> PutCoreAsync(
            string key,
            Stream content,
            PutOptions options,
            CancellationToken cancellationToken
        ) => inner.PutAsync(key, content, options, cancellationToken);

        protected internal override async Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken)
        {
            lock (_all)
            {
                Most = Math.Max(Most, ++_now);
                if (_now == together)
                    _all.TrySetResult();
            }
            await _all.Task.WaitAsync(TimeSpan.FromSeconds(60), cancellationToken);
            lock (_all)
                _now--;
            return await inner.HeadAsync(key, cancellationToken);
        }

        protected internal override Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
            inner.DeleteAsync(keys, cancellationToken);
    }
}
