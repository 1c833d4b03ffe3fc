using Litestream.IO;
using Litestream.Ltx;
using Litestream.Restore;
using Litestream.Tests.Ltx;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

public class DatabaseRestorerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "I11")]
    [Trait("Scenario", "I20")]
    public async Task Restore_EveryTransaction_GivesItsState()
    {
        await using var replica = await SampleReplica.CreateAsync(40);
        await replica.CompactAsync(1, 3, 9, removeSources: false);
        await replica.CompactAsync(2, 12, 30, removeSources: false);
        using var folder = new TempFolder();
        for (ulong txid = 1; txid <= 40; txid++)
        {
            var output = folder.Combine($"{txid}.db");
            var result = await replica.RestoreAsync(output, new RestoreTarget(new Txid(txid)));
            Assert.Equal(replica.State(txid), await File.ReadAllBytesAsync(output, Cancel));
            Assert.Equal((output, new Txid(txid), 5L * 512), (result.OutputPath, result.Txid, result.SizeBytes));
        }
        Assert.Equal(40, folder.Contents().Count);
    }

    [Fact]
    [Trait("Scenario", "I26")]
    public async Task Restore_ParentFoldersMissing_MakesThem()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        using var folder = new TempFolder();
        var output = folder.Combine("a b", "ü", "new.db");
        await replica.RestoreAsync(output);
        Assert.Equal(replica.State(2), await File.ReadAllBytesAsync(output, Cancel));
    }

    [Fact]
    public async Task Restore_NothingToRestore_MakesNoFolder()
    {
        await using var replica = await SampleReplica.CreateAsync(0);
        using var folder = new TempFolder();
        await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("new", "new.db")));
        Assert.Empty(folder.Contents());
    }

    [Theory]
    [InlineData("out.db")]
    [InlineData("out.db-wal")]
    [InlineData("out.db-shm")]
    [InlineData("out.db-journal")]
    [Trait("Scenario", "I16")]
    [Trait("Scenario", "I24")]
    [Trait("Scenario", "sidecar-without-output")]
    public async Task Restore_OutputOrRemainsThere_IsRefusedAndUntouched(string name)
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.Combine(name), "precious", Cancel);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal(LitestreamError.OutputExists, exception.Error);
        Assert.Equal([name], folder.Contents());
        Assert.Equal("precious", await File.ReadAllTextAsync(folder.Combine(name), Cancel));
        Assert.Empty(replica.Store.Calls);
    }

    [Fact]
    public async Task Restore_OutputIsAFolder_IsRefused()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.CreateFolder("out.db")));
        Assert.Equal(LitestreamError.OutputExists, exception.Error);
    }

    [Fact]
    [Trait("Scenario", "I16")]
    public async Task Restore_OutputIsEmptyFile_ReplacesIt()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.Combine("out.db"), [], Cancel);
        await replica.RestoreAsync(folder.Combine("out.db"));
        Assert.Equal(replica.State(2), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
        Assert.Equal(["out.db"], folder.Contents());
    }

    [Fact]
    public async Task Restore_DatabaseAppearsMeanwhile_IsRefusedAndUntouched()
    {
        await using var replica = await SampleReplica.CreateAsync(3);
        using var folder = new TempFolder();
        var output = folder.Combine("out.db");
        replica.Store.Fault = call =>
        {
            if (call.Operation == "GET")
                File.WriteAllText(output, "somebody else's");
            return null;
        };
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(output));
        Assert.Equal(LitestreamError.OutputExists, exception.Error);
        Assert.Equal(["out.db"], folder.Contents());
        Assert.Equal("somebody else's", await File.ReadAllTextAsync(output, Cancel));
    }

    [Theory]
    [InlineData(0)] // nothing at all
    [InlineData(60)] // inside the header
    [InlineData(125)]
    [InlineData(-1)]
    [Trait("Scenario", "I12")]
    public async Task Restore_FileCut_NamesItAndLeavesNothing(int length)
    {
        await using var replica = await SampleReplica.CreateAsync(5);
        var key = SampleReplica.Key(0, 3, 3);
        var file = replica.Store.Read(key);
        replica.Store.Write(key, file[..(length < 0 ? file.Length + length : length)]);
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal(LitestreamError.Corrupt, exception.Error);
        Assert.Equal((0, new Txid(3), new Txid(3)), (exception.Level!.Value, exception.MinTxid!.Value, exception.MaxTxid!.Value));
        Assert.Equal(key, exception.Path);
        Assert.Contains("level 0 file 0000000000000003-0000000000000003.ltx", exception.Message, StringComparison.Ordinal);
        Assert.Empty(folder.Contents());
    }

    [Fact]
    [Trait("Scenario", "I13")]
    public async Task Restore_Cancelled_LeavesNothing()
    {
        await using var replica = await SampleReplica.CreateAsync(30);
        using var folder = new TempFolder();
        for (var at = 0; at < 40; at += 3)
        {
            using var cancel = new CancellationTokenSource();
            replica.Store.Fault = call =>
            {
                if (call.Number >= at)
                    cancel.Cancel();
                return null;
            };
            replica.Store.Calls.Clear();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                replica.RestoreAsync(folder.Combine("out.db"), cancel: cancel.Token)
            );
            Assert.Empty(folder.Contents());
        }
    }

    [Fact]
    [Trait("Scenario", "H12")]
    public async Task Restore_FileVanishesForACompaction_PlansAgain()
    {
        await using var replica = await SampleReplica.CreateAsync(8);
        var compacted = false;
        replica.Store.Fault = call =>
        {
            if (call.Operation == "GET" && !compacted)
            {
                compacted = true;
                replica.CompactAsync(1, 1, 6, removeSources: true).GetAwaiter().GetResult();
            }
            return null;
        };
        using var folder = new TempFolder();
        await replica.RestoreAsync(folder.Combine("out.db"));
        Assert.Equal(replica.State(8), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
        Assert.Equal(["out.db"], folder.Contents());
    }

    [Fact]
    public async Task Restore_FileListedButNeverThere_IsNotFound()
    {
        await using var replica = await SampleReplica.CreateAsync(8);
        replica.Store.Fault = call =>
            call.Operation == "GET" && call.Key == SampleReplica.Key(0, 5, 5)
                ? new StoreFault(new LitestreamException(LitestreamError.NotFound, "gone"))
                : null;
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal(LitestreamError.NotFound, exception.Error);
        Assert.Equal(2, replica.Store.Calls.Count(c => c.Operation == "GET" && c.Key == SampleReplica.Key(0, 5, 5)));
        Assert.Empty(folder.Contents());
    }

    [Fact]
    [Trait("Scenario", "I14")]
    [Trait("Scenario", "I15")]
    public async Task Restore_ConnectionsDrop_SucceedsAnyway()
    {
        await using var replica = await SampleReplica.CreateAsync(10);
        var seen = new Dictionary<string, int>();
        var time = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.Zero };
        replica.Store.Fault = call =>
        {
            if (call.Operation != "GET")
                return null;
            var count = seen[call.Key] = seen.GetValueOrDefault(call.Key) + 1;
            return count switch
            {
                1 => StoreFault.Unavailable(),
                2 => StoreFault.Break(7),
                3 => StoreFault.Break(90),
                _ => null,
            };
        };
        using var folder = new TempFolder();
        var restore = replica.RestoreAsync(folder.Combine("out.db"), time: time);
        while (!restore.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        await restore;
        Assert.Equal(replica.State(10), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
    }

    [Fact]
    [Trait("Scenario", "I13")]
    public async Task Restore_EveryStepOfTheDiskFails_LeavesNoOutput()
    {
        await using var replica = await SampleReplica.CreateAsync(6);
        var clean = new SimulatedDisk();
        await replica.RestoreAsync("/data/app/out.db", files: clean);
        Assert.Equal(replica.State(6), clean.Read("/data/app/out.db"));
        var steps = clean.Steps.Count;
        Assert.InRange(steps, 6, 100);
        for (var at = 0; at < steps; at++)
        {
            var disk = new SimulatedDisk
            {
                Fault = step => step.Number == at ? new LitestreamException(LitestreamError.DiskFull, "full") { IsTransient = true } : null,
            };
            var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync("/data/app/out.db", files: disk));
            Assert.Equal(LitestreamError.DiskFull, exception.Error);
            // Only the very last step, the folder's sync, comes after the name.
            if (at < steps - 1)
                Assert.Empty(disk.List("/data/app"));
        }
    }

    [Fact]
    public async Task Restore_PowerCutAtEveryStep_GivesTheWholeDatabaseOrNone()
    {
        await using var replica = await SampleReplica.CreateAsync(6);
        for (var seed = 1; seed <= 5; seed++)
        for (var at = 0; ; at++)
        {
            var disk = new SimulatedDisk { CrashAtStep = at };
            var outcome = await Record.ExceptionAsync(() => replica.RestoreAsync("/data/out.db", files: disk));
            disk.Restart(new Random(seed * 1000 + at));
            if (disk.FileExists("/data/out.db"))
                Assert.Equal(replica.State(6), disk.Read("/data/out.db"));
            if (outcome is null)
                break;
            // And it can be done again over what the cut has left.
            if (!disk.FileExists("/data/out.db"))
                await replica.RestoreAsync("/data/out.db", files: disk);
            Assert.Equal(replica.State(6), disk.Read("/data/out.db"));
        }
    }

    [Fact]
    public async Task Restore_DatabaseGrewWithoutItsPages_IsCorrupt()
    {
        await using var replica = await SampleReplica.CreateAsync(3);
        await replica.AddAsync(0, 4, 4, new Dictionary<uint, byte[]> { [8] = new byte[512] }, commit: 8);
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal(LitestreamError.Corrupt, exception.Error);
        Assert.Contains("page 6", exception.Message, StringComparison.Ordinal);
        Assert.Empty(folder.Contents());
    }

    [Fact]
    public async Task Restore_DatabaseShrankAndGrew_HasTheFinalSize()
    {
        await using var replica = await SampleReplica.CreateAsync(3);
        var six = LtxSamples.RandomPage(new Random(6), 512);
        await replica.AddAsync(0, 4, 4, new Dictionary<uint, byte[]> { [1] = new byte[512] }, commit: 2);
        using var folder = new TempFolder();
        Assert.Equal(1024, (await replica.RestoreAsync(folder.Combine("small.db"))).SizeBytes);
        Assert.Equal(1024, new FileInfo(folder.Combine("small.db")).Length);
        await replica.AddAsync(
            0,
            5,
            5,
            new Dictionary<uint, byte[]>
            {
                [3] = six,
                [4] = six,
                [5] = six,
                [6] = six,
            },
            commit: 6
        );
        await replica.RestoreAsync(folder.Combine("large.db"));
        var bytes = await File.ReadAllBytesAsync(folder.Combine("large.db"), Cancel);
        Assert.Equal([.. new byte[512], .. replica.State(3)[512..1024], .. six, .. six, .. six, .. six], bytes);
    }

    [Fact]
    public async Task Restore_PageSizeChanges_NeedsAWholeDatabase()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        var pages = Enumerable.Range(1, 3).ToDictionary(n => (uint)n, n => LtxSamples.RandomPage(new Random(n), 1024));
        await replica.AddAsync(0, 3, 3, pages.Where(p => p.Key != 2).ToDictionary(), commit: 3, pageSize: 1024);
        using var folder = new TempFolder();
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal((LitestreamError.Corrupt, new Txid(3)), (exception.Error, exception.MinTxid!.Value));
        await replica.AddAsync(0, 3, 3, pages, commit: 3, pageSize: 1024);
        await replica.RestoreAsync(folder.Combine("out.db"));
        Assert.Equal(pages.OrderBy(p => p.Key).SelectMany(p => p.Value), await File.ReadAllBytesAsync(folder.Combine("out.db"), Cancel));
    }

    [Fact]
    [Trait("Scenario", "I29")]
    public async Task Restore_HostileSizes_CostNothing()
    {
        await using var replica = await SampleReplica.CreateAsync(2);
        await replica.AddAsync(0, 3, 3, new Dictionary<uint, byte[]> { [1] = new byte[512] }, commit: uint.MaxValue);
        using var folder = new TempFolder();
        await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("warm.db")));
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() => replica.RestoreAsync(folder.Combine("out.db")));
        Assert.Equal(LitestreamError.Corrupt, exception.Error);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 16_000_000);
    }

    [Fact]
    [Trait("Scenario", "I29")]
    public async Task Restore_ManyFiles_DownloadsAheadButNotAllAtOnce()
    {
        await using var replica = await SampleReplica.CreateAsync(60);
        var applied = 0;
        var started = 0;
        var most = 0;
        replica.Store.Fault = call =>
        {
            if (call.Operation == "GET")
                most = Math.Max(most, ++started - applied);
            return null;
        };
        using var folder = new TempFolder();
        var log = new ApplyCounter(() => applied++);
        await new DatabaseRestorer(DurableFiles.System, TimeProvider.System, log).RestoreAsync(
            replica.Client,
            new RestoreOptions { OutputPath = folder.Combine("out.db"), Parallelism = 4 },
            Cancel
        );
        Assert.Equal(60, started);
        Assert.Equal(60, applied);
        Assert.InRange(most, 4, 5);
    }

    private sealed class ApplyCounter(Action count) : Microsoft.Extensions.Logging.ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => true;

        public void Log<TState>(
            Microsoft.Extensions.Logging.LogLevel logLevel,
            Microsoft.Extensions.Logging.EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (formatter(state, exception).StartsWith("applied", StringComparison.Ordinal))
                count();
        }
    }
}
