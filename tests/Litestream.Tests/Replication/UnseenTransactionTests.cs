using Litestream.IO;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using SQLitePCL;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>
/// A writer that was killed between writing a commit's frames and publishing them leaves a transaction that no one has seen. The next writer may write
/// over it; when the last connection has gone, the next one that comes recovers it.
/// </summary>
public sealed class UnseenTransactionTests : IDisposable
{
    private const int NoCheckpointOnClose = 1006;

    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Database => _folder.Combine("app.db");

    private string Replica => _folder.Combine("replica");

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Scenario", "B32")]
    public async Task FramesThatNoOneHasSeen_AreNotCopied_AndComeAlongOnceTheyAreRecovered()
    {
        var unseen = LeaveWalWithoutItsLastTransaction();
        using (var app = TestDatabase.Open(Database))
        {
            Assert.Equal("1", app.Scalar("SELECT count(*) FROM t"));
            await using (var wal = new FileStream(Database + "-wal", FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
                await wal.WriteAsync(unseen, Token);
            Assert.Equal("1", app.Scalar("SELECT count(*) FROM t"));
            await ReplicateAsync();
            Assert.Equal(CanonicalDump.Of(app), await RestoredAsync());
            KeepWal(app);
        }
        using (var app = TestDatabase.Open(Database))
        {
            KeepWal(app);
            Assert.Equal("2", app.Scalar("SELECT count(*) FROM t"));
        }
        await ReplicateAsync();
        Assert.Equal(CanonicalDump.Of(Database), await RestoredAsync());
    }

    [Fact]
    public async Task FramesThatNoOneHasSeen_AreWrittenOver_AndTheReplicaFollows()
    {
        var unseen = LeaveWalWithoutItsLastTransaction();
        using var app = TestDatabase.Open(Database);
        Assert.Equal("1", app.Scalar("SELECT count(*) FROM t"));
        await using (var wal = new FileStream(Database + "-wal", FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
            await wal.WriteAsync(unseen, Token);
        await ReplicateAsync();
        app.Execute("INSERT INTO t VALUES('written over it')");
        await ReplicateAsync();
        Assert.Equal("2", app.Scalar("SELECT count(*) FROM t"));
        Assert.Equal(CanonicalDump.Of(app), await RestoredAsync());
    }

    /// <summary>A database with two transactions in its WAL, of which the second is taken away again. No connection is open then.</summary>
    /// <returns>The frames that were taken away.</returns>
    private byte[] LeaveWalWithoutItsLastTransaction()
    {
        long end;
        using (var app = TestDatabase.Open(Database))
        {
            app.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES('seen')");
            end = new FileInfo(Database + "-wal").Length;
            app.Execute("INSERT INTO t VALUES('unseen')");
            KeepWal(app);
        }
        using var wal = new FileStream(Database + "-wal", FileMode.Open, FileAccess.ReadWrite);
        var unseen = new byte[wal.Length - end];
        wal.Position = end;
        wal.ReadExactly(unseen);
        wal.SetLength(end);
        Assert.NotEmpty(unseen);
        return unseen;
    }

    /// <summary>As if the connection were killed: its end moves nothing into the file and deletes nothing.</summary>
    private static void KeepWal(SqliteConnection app) =>
        Assert.Equal(raw.SQLITE_OK, raw.sqlite3_db_config(app.Handle, NoCheckpointOnClose, 1, out _));

    private async Task ReplicateAsync()
    {
        var options = new LitestreamOptions
        {
            Databases = [new DatabaseOptions { Path = Database, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(Replica) }] }],
        };
        await using var store = new LitestreamStore(options, new ObjectStoreFactory());
        await store.StartAsync(Token);
        Assert.True(await store.StopAsync(Token));
    }

    private async Task<string> RestoredAsync()
    {
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(Replica) });
        var path = _folder.Combine($"{Guid.NewGuid():n}.db");
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = path }, Token);
        return CanonicalDump.Of(path);
    }
}
