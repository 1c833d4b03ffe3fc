using Litestream.Restore;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

public class IntegrityCheckTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("plain.db")]
    [InlineData("a b#c?d%41&e.db")]
    [InlineData("ünï-日本.db")]
    public async Task Run_SoundDatabaseInWalMode_LeavesNothingBeside(string name)
    {
        using var folder = new TempFolder();
        Make(folder.Combine(name));
        await IntegrityCheck.RunAsync(folder.Combine(name), IntegrityCheckMode.Full, Cancel);
        await IntegrityCheck.RunAsync(folder.Combine(name), IntegrityCheckMode.Quick, Cancel);
        Assert.Equal([name], folder.Contents());
    }

    [Fact]
    public async Task Run_NoDatabase_Fails()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.Combine("x.db"), new string('x', 8192), Cancel);
        var exception = await Assert.ThrowsAsync<LitestreamException>(() =>
            IntegrityCheck.RunAsync(folder.Combine("x.db"), IntegrityCheckMode.Quick, Cancel)
        );
        Assert.Equal(LitestreamError.IntegrityCheckFailed, exception.Error);
        await IntegrityCheck.RunAsync(folder.Combine("x.db"), IntegrityCheckMode.None, Cancel);
    }

    [Fact]
    public async Task Run_EmptyFile_IsSound()
    {
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.Combine("x.db"), [], Cancel);
        await IntegrityCheck.RunAsync(folder.Combine("x.db"), IntegrityCheckMode.Full, Cancel);
    }

    [Fact]
    public async Task Run_Cancelled_IsCancelled()
    {
        using var folder = new TempFolder();
        Make(folder.Combine("x.db"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            IntegrityCheck.RunAsync(folder.Combine("x.db"), IntegrityCheckMode.Full, new CancellationToken(true))
        );
    }

    private static void Make(string path)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText =
            "PRAGMA journal_mode=wal; CREATE TABLE t(v); INSERT INTO t VALUES (1), ('x'); PRAGMA wal_checkpoint(truncate);";
        command.ExecuteNonQuery();
    }
}
