using Litestream.Restore;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Litestream.Tests.Restore;

public class RestoreRealDatabaseTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Scenario", "I18")]
    public async Task Restore_RealDatabase_PassesTheFullCheckAndDamageDoesNot()
    {
        using var folder = new TempFolder();
        var source = folder.Combine("source.db");
        using (var connection = new SqliteConnection($"Data Source={source};Pooling=False"))
        {
            connection.Open();
            Execute(connection, "PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t(v);");
            Execute(
                connection,
                "WITH c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<3000) INSERT INTO t(v) SELECT hex(randomblob(30)) FROM c"
            );
            Execute(connection, "PRAGMA wal_checkpoint(truncate)");
        }
        // No connection of this process has it open any more.
        var bytes = await File.ReadAllBytesAsync(source, Cancel);
        var pages = bytes.Chunk(4096).Select((p, i) => (Number: (uint)i + 1, Page: p)).ToDictionary(p => p.Number, p => p.Page);
        await using var replica = await SampleReplica.CreateAsync(0);
        await replica.AddAsync(9, 1, 7, pages, (uint)pages.Count, pageSize: 4096);
        var good = folder.Combine("good.db");
        await replica.RestoreAsync(good, check: IntegrityCheckMode.Full);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(good, Cancel));
        Assert.Equal(LogicalDump.HashOfFile(source), LogicalDump.HashOfFile(good));

        // Damage that only SQLite can see: a page of the index becomes one of the table.
        pages[5] = pages[6];
        await replica.AddAsync(0, 8, 8, new Dictionary<uint, byte[]> { [5] = pages[6] }, (uint)pages.Count, pageSize: 4096);
        await replica.RestoreAsync(folder.Combine("unchecked.db"));
        foreach (var mode in new[] { IntegrityCheckMode.Quick, IntegrityCheckMode.Full })
        {
            var exception = await Assert.ThrowsAsync<LitestreamException>(() =>
                replica.RestoreAsync(folder.Combine("bad.db"), check: mode)
            );
            Assert.Equal(LitestreamError.IntegrityCheckFailed, exception.Error);
        }
        Assert.Equal(["good.db", "source.db", "unchecked.db"], folder.Contents());
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
