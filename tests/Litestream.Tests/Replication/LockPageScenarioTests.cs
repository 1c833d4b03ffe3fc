using System.Buffers.Binary;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Databases on both sides of 1 GiB, where SQLite leaves a page out. Most of the file is a hole, which costs no disk.</summary>
[Trait("Speed", "slow")]
public class LockPageScenarioTests
{
    private const int PageSize = 65536;
    private static readonly uint LockPage = LtxChecksum.LockPage(PageSize);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task B15_DatabaseGrowsAcrossTheLockPage_IncrementAndWholeCopyLeaveItOut()
    {
        await using var circle = new Circle(createDatabase: false);
        circle.CreateDatabase($"PRAGMA page_size={PageSize}");
        circle.App.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        circle.App.Dispose();
        GrowTo(circle.Path, LockPage - 3);
        using var app = circle.Connect();
        Assert.Equal($"{LockPage - 3}", app.Scalar("PRAGMA page_count"));

        await circle.StartAsync();
        await circle.SyncAsync();
        for (var i = 0; i < 8; i++)
            app.Execute("INSERT INTO t(v) VALUES(randomblob(60000))");
        var pages = long.Parse(app.Scalar("PRAGMA page_count")!, null);
        Assert.True(pages > LockPage + 3);
        var rows = app.Scalar("SELECT group_concat(id || hex(v)) FROM t");

        // By an increment.
        await circle.SyncAsync();
        await RequireAsync(circle, pages, rows);

        // By a whole copy to a replica of its own.
        await circle.KillAsync();
        circle.Options = circle.Options with { Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(circle.Folder.Combine("whole")) }] };
        await circle.StartAsync();
        await circle.SyncAsync();
        await RequireAsync(circle, pages, rows);
    }

    /// <summary>Makes the file longer by a hole and tells SQLite; nobody has it open.</summary>
    private static void GrowTo(string path, uint pages)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.SetLength(pages * (long)PageSize);
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, pages);
        file.Position = 28;
        file.Write(bytes);
    }

    private static async Task RequireAsync(Circle circle, long pages, string? rows)
    {
        var output = circle.Folder.Combine($"restored-{Guid.NewGuid():n}.db");
        await using var client = circle.Stores.Open(circle.Options.Replicas[0]);
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = output, Target = RestoreTarget.Latest }, Token);
        Assert.Equal(pages * PageSize, new FileInfo(output).Length);
        using (var file = File.OpenRead(output))
        {
            var page = new byte[PageSize];
            file.Position = (LockPage - 1L) * PageSize;
            file.ReadExactly(page);
            Assert.True(page.AsSpan().IndexOfAnyExcept((byte)0) < 0, "the lock page is not empty");
        }
        using (var restored = TestDatabase.Open(output, readOnly: true))
            Assert.Equal(rows, restored.Scalar("SELECT group_concat(id || hex(v)) FROM t"));
        File.Delete(output);
    }
}
