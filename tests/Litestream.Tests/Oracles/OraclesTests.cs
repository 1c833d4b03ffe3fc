using Litestream.Ltx;
using Microsoft.Data.Sqlite;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Oracles;

/// <summary>The judges are judged first: a genuine Litestream must agree with our reading of a database, and must disagree when it differs.</summary>
public sealed class OraclesTests : IDisposable
{
    private static readonly DateTimeOffset s_start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Dump_OfEveryKindOfValueAndTable_IsTheSameFromGenuineLitestream()
    {
        Litestream05.RequireIt();
        var database = _folder.Combine("source.db");
        Execute(
            database,
            """
            PRAGMA user_version = 7;
            CREATE TABLE plain(id INTEGER PRIMARY KEY, v);
            INSERT INTO plain(v) VALUES (NULL), (42), (-9223372036854775808), (0.1), (-0.0), (9e999), (1e-320), ('tab	and
            line'), ('it''s "quoted" | § ' || char(0x1F600)), (x'00ff7c0a'), (''), (x'');
            CREATE TABLE "odd ""name'| " ("a b" TEXT, "rowid" TEXT, [c] REAL, g AS (c * 2) STORED, h AS ("a b" || 'x'));
            INSERT INTO "odd ""name'| " VALUES ('x', 'y', 3), ('z', NULL, 0.30000000000000004);
            CREATE TABLE pairs(b TEXT, a INTEGER, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
            INSERT INTO pairs VALUES ('two', 2, x'02'), ('one', 1, 1.0), ('eleven', 1, NULL);
            CREATE VIRTUAL TABLE notes USING fts5(body);
            INSERT INTO notes VALUES ('the quick brown fox'), ('jumps');
            CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO counted DEFAULT VALUES; DELETE FROM counted;
            CREATE VIEW numbers AS SELECT v FROM plain WHERE typeof(v) = 'integer';
            CREATE INDEX by_v ON plain(v); ANALYZE;
            """
        );
        await WriteSnapshotAsync(database, 1, s_start);
        var mine = CanonicalDump.Of(database);

        await using var oracle = await Litestream05.OpenAsync(ReplicaUrl);

        Assert.Equal("ok", await oracle.IntegrityCheckAsync());
        Assert.Equal(mine, await oracle.DumpAsync());
        Assert.Contains("table \"notes_data\"", mine, StringComparison.Ordinal);
        Assert.Contains("t6974277320", mine, StringComparison.Ordinal);
        Execute(database, "UPDATE plain SET v = 0.10000000000000002 WHERE v = 0.1");
        Assert.NotEqual(CanonicalDump.Of(database), mine);
    }

    [Fact]
    public async Task Dump_AtTimes_IsTheNewestStateStrictlyBefore()
    {
        Litestream05.RequireIt();
        var database = _folder.Combine("source.db");
        var states = new List<string>();
        Execute(database, "CREATE TABLE t(v)");
        for (var txid = 1; txid <= 3; txid++)
        {
            Execute(database, $"INSERT INTO t VALUES ({txid})");
            states.Add(CanonicalDump.Of(database));
            await WriteSnapshotAsync(database, txid, s_start.AddSeconds(txid));
        }

        var dumps = await Litestream05.DumpAsync(
            ReplicaUrl,
            [s_start.AddSeconds(2), s_start.AddSeconds(2.001), null, s_start.AddSeconds(2.999), null]
        );

        Assert.Equal([states[0], states[1], states[2], states[1], states[2]], dumps);
    }

    [Fact]
    public async Task Query_WithAnError_ThrowsAndTheProcessStaysUsable()
    {
        Litestream05.RequireIt();
        var database = _folder.Combine("source.db");
        Execute(database, "CREATE TABLE t(v)");
        await WriteSnapshotAsync(database, 1, s_start);
        await using var oracle = await Litestream05.OpenAsync(ReplicaUrl);

        await Assert.ThrowsAsync<OracleException>(() => oracle.QueryAsync("SELECT * FROM missing;"));
        await Assert.ThrowsAsync<OracleException>(() => oracle.SetTimeAsync(s_start.AddDays(-1)));

        Assert.Equal(1UL, await oracle.TxidAsync());
    }

    [Fact]
    public async Task Litestream03_ReplicatesAndRestores()
    {
        var database = _folder.Combine("old.db");
        var replica = _folder.Combine("old-replica");
        Execute(database, "PRAGMA journal_mode = wal; CREATE TABLE t(v); INSERT INTO t VALUES ('before')");
        await using (var program = await Litestream03.ReplicateAsync(database, $"file://{replica}"))
        {
            await program.WaitForLineAsync(new("snapshot written"), cancellationToken: TestContext.Current.CancellationToken);
            // Stopped while it still settles, 0.3.13 now and then ends with 1; what counts is what it wrote.
            await program.StopAsync();
        }

        var output = _folder.Combine("restored.db");
        var restore = await Litestream03.RestoreAsync($"file://{replica}", output);

        Assert.True(restore.ExitCode == 0, restore.Output);
        Assert.Equal(CanonicalDump.Of(database), CanonicalDump.Of(output));
    }

    private string ReplicaUrl => "file://" + _folder.Combine("replica");

    private static void Execute(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    // The whole database as one file of level 0: the first as a snapshot, later ones as a transaction that wrote every page.
    private async Task WriteSnapshotAsync(string database, int txid, DateTimeOffset time)
    {
        var cancel = TestContext.Current.CancellationToken;
        var bytes = await File.ReadAllBytesAsync(database, cancel);
        var pageSize = (bytes[16] << 8) | bytes[17];
        var header = new LtxHeader
        {
            PageSize = pageSize,
            Commit = (uint)(bytes.Length / pageSize),
            MinTxid = new Txid((ulong)txid),
            MaxTxid = new Txid((ulong)txid),
            Timestamp = time,
            NoChecksum = true,
        };
        var path = Path.Combine(_folder.CreateFolder("replica", "ltx", "0"), LtxFileInfo.FormatFileName(header.MinTxid, header.MaxTxid));
        await using (var file = File.Create(path))
        await using (var encoder = new LtxEncoder(file, header))
        {
            for (var page = 1u; page <= header.Commit; page++)
                await encoder.WritePageAsync(page, bytes.AsMemory((int)(page - 1) * pageSize, pageSize), cancel);
            await encoder.FinishAsync(cancel);
        }

        File.SetLastWriteTimeUtc(path, time.UtcDateTime);
    }
}
