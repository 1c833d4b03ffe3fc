using System.Text;
using Litestream.IO;
using Testing;
using Xunit;

namespace Litestream.Tests.IO;

public sealed class AtomicFileTests
{
    private const string Target = "/data/file.ltx";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Write_LandsWithTimeAndAccess_AndIsDurable()
    {
        var disk = Disk();
        disk.Write("/data/app.db", [1]);
        var time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var result = await AtomicFile.WriteAsync(
            disk,
            Target,
            (s, ct) => WriteTextAsync(s, "new", ct),
            Cancel,
            accessLike: "/data/app.db",
            lastWriteTime: time
        );
        Assert.Equal(3, result);
        disk.Crash();
        Assert.Equal("new", Text(disk));
        Assert.Equal(time, disk.Stat(Target)!.Value.LastWriteTime);
        Assert.Equal("/data/app.db", disk.AccessOf(Target));
        Assert.Equal(["/data/app.db", Target], disk.Files);
    }

    [Fact]
    public async Task Write_AccessIsSetBeforeTheFirstByte()
    {
        var disk = Disk();
        disk.Write("/data/app.db", [1]);
        await AtomicFile.WriteAsync(disk, Target, (s, ct) => WriteTextAsync(s, "secret", ct), Cancel, accessLike: "/data/app.db");
        Assert.Equal(
            ["create", "copy access", "write", "sync", "rename", "sync folder"],
            disk.Steps.Select(s => s.Name).SkipWhile(n => n != "create")
        );
    }

    [Fact]
    [Trait("Scenario", "D2")]
    [Trait("Scenario", "D6")]
    [Trait("Scenario", "D8")]
    public async Task Write_EveryStepFails_RemovesTheTemporaryFile()
    {
        var failures = 0;
        for (var step = 0; ; step++)
        {
            var disk = Disk();
            disk.Write(Target, "old"u8.ToArray());
            var first = disk.Steps.Count;
            disk.Fault = s => s.Number == first + step ? SimulatedDisk.Failure(s) : null;
            try
            {
                await AtomicFile.WriteAsync(disk, Target, (s, ct) => WriteTextAsync(s, "new", ct), Cancel);
                break;
            }
            catch (LitestreamException)
            {
                failures++;
                Assert.Equal([Target], disk.Files);
                Assert.Equal(step < 4 ? "old" : "new", Text(disk));
            }
        }
        Assert.Equal(5, failures);
    }

    [Fact]
    public async Task Write_DiskIsFull_KeepsTheOldFile()
    {
        var disk = Disk();
        disk.Write(Target, "old"u8.ToArray());
        disk.CapacityBytes = 10;
        var e = await Assert.ThrowsAsync<LitestreamException>(() =>
            AtomicFile.WriteAsync(disk, Target, (s, ct) => WriteTextAsync(s, "longer than fits", ct), Cancel)
        );
        Assert.Equal(LitestreamError.DiskFull, e.Error);
        Assert.Equal([Target], disk.Files);
        Assert.Equal("old", Text(disk));
    }

    [Fact]
    public async Task Write_ContentFails_TellsThatFailure_EvenWhenTheRemovalFails()
    {
        var disk = Disk();
        var failure = new InvalidOperationException("content");
        disk.Fault = s => s.Name == "delete" ? SimulatedDisk.Failure(s) : null;
        var thrown = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            AtomicFile.WriteAsync<int>(disk, Target, (_, _) => throw failure, Cancel)
        );
        Assert.Same(failure, thrown);
    }

    [Fact]
    [Trait("Scenario", "D7")]
    public async Task Write_PowerCutAtEveryStep_LeavesTheOldOrTheNewFileWhole()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            for (var step = 0; ; step++)
            {
                var disk = Disk();
                disk.Write(Target, "old"u8.ToArray());
                disk.CrashAtStep = disk.Steps.Count + step;
                var done = false;
                try
                {
                    await AtomicFile.WriteAsync(disk, Target, (s, ct) => WriteTextAsync(s, "new", ct), Cancel);
                    done = true;
                }
                catch (SimulatedCrashException)
                {
                    // The power went, as asked for above; what is left is judged below.
                }
                disk.Restart(seed == 0 ? null : new Random(seed));
                Assert.Contains(Text(disk), done ? ["new"] : (string[])["old", "new"]);
                if (done)
                    break;
            }
        }
    }

    [Fact]
    public async Task Write_WithoutSync_WouldLoseBytes_OnTheSimulatedDisk()
    {
        // Proves that the simulated disk can tell a careful writer from a careless one.
        var disk = Disk();
        await using (var stream = disk.Create("/data/careless"))
            await WriteTextAsync(stream, "bytes", Cancel);
        disk.FlushDirectory("/data");
        disk.Crash();
        Assert.Empty(disk.Read("/data/careless"));
        await using (var stream = disk.Create("/data/nameless"))
        {
            await WriteTextAsync(stream, "bytes", Cancel);
            disk.Flush(stream);
        }
        disk.Crash();
        Assert.False(disk.FileExists("/data/nameless"));
    }

    private static SimulatedDisk Disk()
    {
        var disk = new SimulatedDisk();
        disk.CreateDirectory("/data");
        return disk;
    }

    private static string Text(SimulatedDisk disk) => Encoding.UTF8.GetString(disk.Read(Target));

    private static async Task<int> WriteTextAsync(Stream stream, string text, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes(text), cancellationToken);
        return text.Length;
    }
}
