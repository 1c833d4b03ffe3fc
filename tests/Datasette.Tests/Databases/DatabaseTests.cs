using Datasette.Databases;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Databases;

public sealed class DatabaseTests : IDisposable
{
    private static readonly DatabaseOptions Patient = new() { TimeLimit = TimeSpan.FromSeconds(10) };
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Execute_AllTypes_AreExact()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        var result = await database.ExecuteAsync(
            "select 9223372036854775807, -9223372036854775808, 0.1, 'a' || char(0) || 'b', x'00ff', null, cast(x'61ff62' as text), '', x''",
            ct: Ct
        );
        Assert.Equal(
            [long.MaxValue, long.MinValue, 0.1, "a\0b", new byte[] { 0, 255 }, null, "a\uFFFDb", "", Array.Empty<byte>()],
            result.Rows[0]
        );
        Assert.False(result.Truncated);
    }

    [Fact]
    public async Task Execute_DialectIsThatOfStockSqlite()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        Assert.Equal("abc", (await database.ExecuteAsync("select \"abc\"", ct: Ct)).Scalar);
        Assert.Equal(0L, (await database.ExecuteAsync("pragma foreign_keys", ct: Ct)).Scalar);
        Assert.Equal("\"a\" \"b\"", (await database.ExecuteAsync("select escape_fts('a b')", ct: Ct)).Scalar);
    }

    [Fact]
    public async Task Execute_MoreRowsThanWanted_SaysSo()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        const string Sql = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 10) select x from c";
        var cut = await database.ExecuteAsync(Sql, maxRows: 9, ct: Ct);
        Assert.True(cut.Truncated);
        Assert.Equal(9, cut.Rows.Count);
        Assert.False((await database.ExecuteAsync(Sql, maxRows: 10, ct: Ct)).Truncated);
    }

    [Theory]
    [InlineData("select nope", "no such column: nope")]
    [InlineData("select 1; select 2", "You can only execute one statement at a time.")]
    [InlineData("-- nothing", "No SQL statement was given")]
    [InlineData("select :x", "You did not supply a value for binding parameter :x.")]
    public async Task Execute_WrongSql_FailsInPlainWords(string sql, string message)
    {
        await using var database = Database.PrivateMemory("m", Patient);
        var failure = await Assert.ThrowsAsync<SqliteException>(() => database.ExecuteAsync(sql, ct: Ct));
        Assert.Equal(message, SqlErrors.Message(failure));
    }

    [Fact]
    public async Task Execute_ParametersByName_AndTextAfterTheStatement()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        var values = new Dictionary<string, object?>
        {
            ["a"] = "x",
            ["b"] = 2L,
            ["unused"] = null,
        };
        Assert.Equal(["x", 2L, "x"], (await database.ExecuteAsync("select :a, :b, :a; -- end ;", values, ct: Ct)).Rows[0]);
    }

    [Fact]
    public async Task Message_OfACommand_LosesItsAdornment()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        var failure = await Assert.ThrowsAsync<SqliteException>(() =>
            database.ReadAsync(
                c =>
                {
                    using var command = c.CreateCommand();
                    command.CommandText = "select * from \"it's\"";
                    return command.ExecuteScalar();
                },
                ct: Ct
            )
        );
        Assert.Equal("no such table: it's", SqlErrors.Message(failure));
    }

    [Fact]
    public async Task Execute_Endless_IsStoppedAtItsLimit()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        const string Endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";
        var failure = await Assert.ThrowsAsync<QueryInterruptedException>(() =>
            database.ExecuteAsync(Endless, timeLimit: TimeSpan.FromMilliseconds(30), ct: Ct)
        );
        Assert.Equal(Endless, failure.Sql);
        Assert.StartsWith("SQL query took too long", failure.Message, StringComparison.Ordinal);
        // The reader is fit for the next question.
        Assert.Equal(1L, (await database.ExecuteAsync("select 1", ct: Ct)).Scalar);
    }

    [Fact]
    public async Task Execute_Cancelled_StopsInTheMiddle()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        using var stop = new CancellationTokenSource();
        var task = database.ExecuteAsync(
            "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c",
            timeLimit: Timeout.InfiniteTimeSpan,
            ct: stop.Token
        );
        stop.CancelAfter(30);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
    }

    [Theory]
    [InlineData("create table x (a)")]
    [InlineData("insert into t values (1)")]
    [InlineData("pragma user_version = 5")]
    public async Task Read_Writing_IsRefused(string sql)
    {
        foreach (
            var database in (Database[])
                [await FileDatabaseAsync(), Database.PrivateMemory("m", Patient), Database.SharedMemory("s", Patient)]
        )
        {
            await using (database)
            {
                await Assert.ThrowsAsync<SqliteException>(() => database.ExecuteAsync(sql + " ", ct: Ct));
            }
        }
    }

    [Fact]
    [Trait("Rule", "H268")]
    public async Task Write_CommitsInOrder_RollsBackOnFailure_AndTellsOfChanges()
    {
        await using var database = await FileDatabaseAsync();
        var commits = 0;
        database.Committed += _ => commits++;
        var writes = Enumerable
            .Range(1, 50)
            .Select(i => database.WriteAsync(c => SqlStatement.Execute(c, $"insert into t values ({i})"), Ct));
        Assert.All(await Task.WhenAll(writes), changes => Assert.Equal(1, changes));
        // Those that waited together were stored together.
        Assert.InRange(commits, 1, 50);
        commits = 50;
        var order = await database.ExecuteAsync("select a from t order by rowid", ct: Ct);
        Assert.Equal(Enumerable.Range(1, 50).Select(i => (object?)(long)i), order.Rows.Select(r => r[0]));

        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            database.WriteAsync<int>(
                c =>
                {
                    SqlStatement.Execute(c, "delete from t");
                    throw new InvalidOperationException("no");
                },
                Ct
            )
        );
        Assert.Equal(50L, (await database.ExecuteAsync("select count(*) from t", ct: Ct)).Scalar);
        Assert.Equal(50, commits);

        await database.WriteAsync(c => SqlStatement.Execute(c, "update t set a = 1 where a = -1"), Ct);
        Assert.Equal(50, commits);
        await database.WriteAsync(c => SqlStatement.Execute(c, "create table more (x)"), Ct);
        await database.WriteAsync(c => SqlStatement.Query(c, "pragma user_version = 7").Count, Ct);
        Assert.Equal(52, commits);
    }

    [Fact]
    public async Task Write_CancelledBeforeItsTurn_DoesNotRun()
    {
        await using var database = await FileDatabaseAsync();
        using var stop = new CancellationTokenSource();
        using var go = new ManualResetEventSlim();
        var first = database.WriteAsync(
            _ =>
            {
                go.Wait(TimeSpan.FromSeconds(10));
                return 1;
            },
            Ct
        );
        var second = database.WriteAsync(c => SqlStatement.Execute(c, "insert into t values (1)"), stop.Token);
        await stop.CancelAsync();
        go.Set();
        Assert.Equal(1, await first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.Equal(0L, (await database.ExecuteAsync("select count(*) from t", ct: Ct)).Scalar);
    }

    [Fact]
    public async Task Write_WithoutTransaction_MayVacuum()
    {
        await using var database = await FileDatabaseAsync();
        await database.WriteAsync(c => SqlStatement.Execute(c, "vacuum"), false, Ct);
        await Assert.ThrowsAsync<SqliteException>(() => database.WriteAsync(c => SqlStatement.Execute(c, "vacuum"), Ct));
    }

    [Fact]
    public async Task Immutable_IsReadHashedAndNeverWritten()
    {
        await using (await FileDatabaseAsync()) { }

        await using var database = Database.File("t", _folder.Combine("t.db"), Patient with { IsMutable = false });
        Assert.Equal(0L, (await database.ExecuteAsync("select count(*) from t", ct: Ct)).Scalar);
        Assert.Equal(64, database.Hash!.Length);
        Assert.Equal(database.Hash[..6], database.Color);
        var failure = await Assert.ThrowsAsync<DatasetteException>(() => database.WriteAsync(_ => 0, Ct));
        Assert.Equal((403, "Database is immutable"), (failure.Status, failure.Message));
    }

    [Fact]
    public void Color_OfAMemoryDatabase_ComesFromItsName()
    {
        Assert.Equal("a6c7b9", Database.PrivateMemory("_memory", Patient).Color);
    }

    [Fact]
    public async Task SharedMemory_IsSeenByReadersAndWriter_WhileBothWork()
    {
        await using var database = Database.SharedMemory("s", Patient);
        await database.WriteAsync(c => SqlStatement.Execute(c, "create table t (a)"), Ct);
        var reads = Enumerable.Range(0, 200).Select(_ => database.ExecuteAsync("select count(*) from t", ct: Ct));
        var writes = Enumerable
            .Range(0, 200)
            .Select(i => database.WriteAsync(c => SqlStatement.Execute(c, $"insert into t values ({i})"), Ct));
        await Task.WhenAll(writes.Cast<Task>().Concat(reads));
        Assert.Equal(200L, (await database.ExecuteAsync("select count(*) from t", ct: Ct)).Scalar);
    }

    [Fact]
    public async Task Stream_GivesNamesThenEveryRow()
    {
        await using var database = Database.PrivateMemory("m", Patient);
        var rows = new List<object?[]>();
        const string Sql = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 1000) select x as n, 'v' as v from c";
        await foreach (var row in database.StreamAsync(Sql, ct: Ct))
        {
            rows.Add(row);
        }

        Assert.Equal(["n", "v"], rows[0]);
        Assert.Equal(1001, rows.Count);
        Assert.Equal(1000L, rows[^1][0]);
    }

    [Fact]
    public async Task Count_StopsAtItsLimit()
    {
        await using var database = await FileDatabaseAsync();
        await database.WriteAsync(
            c =>
                SqlStatement.Execute(
                    c,
                    "with recursive s(x) as (select 1 union all select x + 1 from s where x < 50) insert into t select x from s"
                ),
            Ct
        );
        Assert.Equal(11, await database.CountAsync("from t", null, 11, TimeSpan.FromSeconds(5), Ct));
        Assert.Equal(50, await database.CountAsync("from t", null, null, TimeSpan.FromSeconds(5), Ct));
        const string Slow = "from t a, t b, t c, t d, t e, t f";
        Assert.Null(await database.CountAsync(Slow, null, null, TimeSpan.FromMilliseconds(20), Ct));
    }

    [Fact]
    public async Task SetAutoCheckpoint_Zero_KeepsTheWalAfterTheLastClose()
    {
        var path = _folder.Combine("t.db");
        await using (var database = await FileDatabaseAsync())
        {
            database.SetAutoCheckpoint(0);
            await database.WriteAsync(c => SqlStatement.Execute(c, "insert into t values (1)"), Ct);
            Assert.Equal("0", await database.WriteAsync(c => SqlStatement.Scalar(c, "pragma wal_autocheckpoint")!.ToString(), Ct));
            Assert.True(await database.WriteAsync(NativeSqlite.IsPersistentWal, Ct));
        }

        Assert.True(File.Exists(path + "-wal"));
        await using (var database = Database.File("t", path, Patient))
        {
            await database.WriteAsync(c => SqlStatement.Execute(c, "insert into t values (2)"), Ct);
            Assert.False(await database.WriteAsync(NativeSqlite.IsPersistentWal, Ct));
        }

        Assert.False(File.Exists(path + "-wal"));
    }

    [Fact]
    public async Task PrepareConnection_RegistersFunctions_OnReadersAndWriter()
    {
        var options = Patient with { PrepareConnection = (c, name) => c.CreateFunction("db_name", () => name) };
        await using var database = Database.SharedMemory("shared", options);
        Assert.Equal("shared", (await database.ExecuteAsync("select db_name()", ct: Ct)).Scalar);
        Assert.Equal("shared", await database.WriteAsync(c => SqlStatement.Scalar(c, "select db_name()"), Ct));
    }

    [Fact]
    public async Task Text_OfAUtf16Database_IsRead()
    {
        using (var connection = TestDatabase.Open(_folder.Combine("u.db")))
        {
            connection.Execute("pragma encoding = 'UTF-16le'; create table t (a text); insert into t values ('é𝐜x')");
        }

        await using var database = Database.File("u", _folder.Combine("u.db"), Patient);
        Assert.Equal("é𝐜x", (await database.ExecuteAsync("select a from t", ct: Ct)).Scalar);
    }

    private async Task<Database> FileDatabaseAsync()
    {
        var path = _folder.Combine("t.db");
        using (var connection = TestDatabase.Open(path))
        {
            connection.Execute("pragma journal_mode = wal; create table if not exists t (a)");
        }

        var database = Database.File("t", path, Patient);
        await database.SchemaAsync(Ct);
        return database;
    }
}
