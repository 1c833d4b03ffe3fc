using System.Text;
using Litestream.IO;
using Litestream.Replicas;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Xunit;

namespace Litestream.Tests.Replicas;

public sealed class FileObjectStoreTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Found by the simulation: a snapshot whose folder could not be synced, a restart that listed it, the next file, a power cut.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Put_BehindAFileWhoseFolderCouldNotBeSynced_DoesNotOutliveIt(bool newStore)
    {
        var disk = new SimulatedDisk();
        await using var first = new FileObjectStore(disk, "/replica");
        await first.PutAsync("ltx/0/a", new MemoryStream([1]), PutOptions.None, Cancel);
        disk.Fault = step => step is { Name: "sync folder", Path: "/replica/ltx/9" } ? SimulatedDisk.Failure(step) : null;
        disk.CreateDirectory("/replica/ltx/9");
        await Assert.ThrowsAsync<LitestreamException>(() => first.PutAsync("ltx/9/b", new MemoryStream([2]), PutOptions.None, Cancel));
        disk.Fault = null;
        await using var second = newStore ? new FileObjectStore(disk, "/replica") : null;
        var store = second ?? first;
        Assert.Equal(["ltx/0/a", "ltx/9/b"], await store.ListAsync("", null, Cancel).Select(o => o.Key).ToListAsync(Cancel));
        await store.PutAsync("ltx/0/c", new MemoryStream([3]), PutOptions.None, Cancel);
        disk.Restart();
        Assert.Equal(["/replica/ltx/0/a", "/replica/ltx/0/c", "/replica/ltx/9/b"], disk.Files);
    }

    [Fact]
    public async Task Open_UrlAndPath_AreFolders()
    {
        using var folder = new TempFolder();
        foreach (var text in (string[])[$"file://{folder.Path}/a%20b", folder.Combine("a b")])
        {
            await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(text) });
            Assert.Equal("file", client.Store.Kind);
            Assert.Equal(folder.Combine("a b"), client.Store.Location);
            Assert.Same(ReplicaLayout.Folders, client.Layout);
        }
    }

    [Fact]
    public async Task Open_OnlyTheEscapedFolderOfLitestreamExists_GoesOnThere()
    {
        using var folder = new TempFolder();
        folder.CreateFolder("other%20db");
        foreach (var name in (string[])["other db", "other%20db"])
        {
            await using var store = FileObjectStore.Backend.Open(
                new ReplicaOptions { Url = ReplicaUrl.Parse($"file://{folder.Path}/{name}") }
            );
            Assert.Equal(folder.Combine("other%20db"), store.Location);
        }
        folder.CreateFolder("other db");
        await using var plain = FileObjectStore.Backend.Open(
            new ReplicaOptions { Url = ReplicaUrl.Parse($"file://{folder.Path}/other%20db") }
        );
        Assert.Equal(folder.Combine("other db"), plain.Location);
    }

    [Fact]
    public void Open_PathIsAFile_IsAConfigurationError()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.Combine("file"), "x");
        var e = Assert.Throws<LitestreamException>(() =>
            FileObjectStore.Backend.Open(new ReplicaOptions { Url = ReplicaUrl.Parse(folder.Combine("file")) })
        );
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        Assert.Contains(folder.Combine("file"), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WithASetting_IsAConfigurationError()
    {
        var options = new ReplicaOptions
        {
            Url = ReplicaUrl.Parse("/x"),
            Settings = new Dictionary<string, string> { ["bucket"] = "b" },
        };
        Assert.Equal(
            LitestreamError.InvalidConfiguration,
            Assert.Throws<LitestreamException>(() => FileObjectStore.Backend.Open(options)).Error
        );
    }

    [Fact]
    public void Factory_UnknownScheme_NamesTheKnownOnes()
    {
        var e = Assert.Throws<LitestreamException>(() =>
            new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse("ftp://host/x") })
        );
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        Assert.Contains("file", e.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("a/")]
    [InlineData("a\0b")]
    public async Task Keys_ThatWouldLeaveTheFolder_AreRefused(string key)
    {
        using var folder = new TempFolder();
        await using var store = new FileObjectStore(DurableFiles.System, folder.CreateFolder("root"));
        await Assert.ThrowsAsync<ArgumentException>(() => store.PutAsync(key, new MemoryStream([1]), PutOptions.None, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() => store.OpenAsync(key, 0, null, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() => store.DeleteAsync([key], Cancel));
        Assert.Equal(["root/"], folder.Contents());
    }

    [Fact]
    public async Task Put_EveryStepFails_LeavesNoTemporaryFileAndNoHalfObject()
    {
        var failed = 0;
        for (var step = 0; ; step++)
        {
            var disk = new SimulatedDisk();
            await using var store = new FileObjectStore(disk, "/replica");
            await store.PutAsync("a/k", new MemoryStream("old"u8.ToArray()), PutOptions.None, Cancel);
            var first = disk.Steps.Count;
            disk.Fault = s => s.Number == first + step ? SimulatedDisk.Failure(s, LitestreamError.DiskFull) : null;
            try
            {
                await store.PutAsync("a/k", new MemoryStream("new"u8.ToArray()), PutOptions.None, Cancel);
                break;
            }
            catch (LitestreamException e)
            {
                failed++;
                Assert.Equal(LitestreamError.DiskFull, e.Error);
                disk.Fault = null;
                Assert.Equal(["/replica/a/k"], disk.Files);
                Assert.Contains(Encoding.ASCII.GetString(disk.Read("/replica/a/k")), (string[])["old", "new"]);
            }
        }
        // create, write, set time, sync, rename, sync folder
        Assert.Equal(6, failed);
    }

    [Fact]
    public async Task Put_PowerCutAtEveryStep_LeavesTheOldOrTheNewObjectWhole()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            for (var step = 0; ; step++)
            {
                var disk = new SimulatedDisk();
                await using var store = new FileObjectStore(disk, "/replica");
                await store.PutAsync("a/k", new MemoryStream("old"u8.ToArray()), PutOptions.None, Cancel);
                disk.CrashAtStep = disk.Steps.Count + step;
                var done = false;
                try
                {
                    await store.PutAsync("a/k", new MemoryStream("new"u8.ToArray()), PutOptions.None, Cancel);
                    done = true;
                }
                catch (SimulatedCrashException)
                {
                    // The power went, as asked for above; what is left is judged below.
                }
                disk.Restart(seed == 0 ? null : new Random(seed));
                var found = Encoding.ASCII.GetString(disk.Read("/replica/a/k"));
                Assert.Contains(found, done ? ["new"] : (string[])["old", "new"]);
                if (done)
                    break;
            }
        }
    }

    [Fact]
    public async Task Put_LeftoversOfADeadWriter_AreRemovedWhenOld()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 10, 0, 0, 0, TimeSpan.Zero));
        var disk = new SimulatedDisk(time);
        disk.Write("/replica/a/.k.0123.tmp", [1]);
        time.Advance(TimeSpan.FromHours(30));
        disk.Write("/replica/a/.k.4567.tmp", [1]);
        disk.Write("/replica/a/foreign.tmp", [1]);
        await using var store = new FileObjectStore(disk, "/replica", time);
        Assert.Equal(["a/foreign.tmp"], await store.ListAsync("", null, Cancel).Select(o => o.Key).ToListAsync(Cancel));
        await store.PutAsync("a/k", new MemoryStream([1]), PutOptions.None, Cancel);
        Assert.Equal(["/replica/a/.k.4567.tmp", "/replica/a/foreign.tmp", "/replica/a/k"], disk.Files);
    }

    [Fact]
    public async Task ConditionalPut_LockIsHeldForLong_SaysUnavailable()
    {
        var time = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromSeconds(1) };
        var disk = new SimulatedDisk(time);
        disk.CreateDirectory("/replica");
        using var held = disk.TryLock("/replica/.litestream-store.lock", "other");
        await using var store = new FileObjectStore(disk, "/replica", time);
        var put = store.PutAsync("k", new MemoryStream([1]), new PutOptions { IfAbsent = true }, Cancel);
        while (!put.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        var e = await Assert.ThrowsAsync<LitestreamException>(() => put);
        Assert.Equal(LitestreamError.Unavailable, e.Error);
        Assert.True(e.IsTransient);
    }
}
