using Datasette.Databases;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Databases;

/// <summary>Writes that share a transaction: each with its own answer, whatever happens to the others.</summary>
public sealed class WriteQueueTests : IDisposable
{
    private static readonly DatabaseOptions Options = new();
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Rule", "H268")]
    public async Task Group_OneFails_TheOthersAreStored_InOneCommit()
    {
        await using var database = NewDatabase();
        var commits = 0;
        database.Committed += _ => commits++;
        await using (var held = await HoldAsync(database))
        {
            var good = Enumerable.Range(1, 9).Select(i => Insert(database, i)).ToList();
            var twice = Insert(database, 5);
            var thrown = database.WriteAsync<int>(
                c =>
                {
                    SqlStatement.Execute(c, "delete from t");
                    throw new InvalidOperationException("mine");
                },
                Ct
            );
            var last = Insert(database, 10);
            held.Release();
            Assert.All(await Task.WhenAll(good.Append(last)), changed => Assert.Equal(1, changed));
            var refused = await Assert.ThrowsAsync<SqliteException>(() => twice);
            Assert.Equal("UNIQUE constraint failed: t.a", SqlErrors.Message(refused));
            Assert.Equal("mine", (await Assert.ThrowsAsync<InvalidOperationException>(() => thrown)).Message);
        }

        Assert.Equal(10L, await CountAsync(database));
        Assert.Equal(1, commits);
    }

    [Theory]
    [InlineData("insert or rollback into t values (1)")]
    [InlineData("insert into guarded values (1)")]
    public async Task Group_OneRollsBackEverything_TheOthersAreStoredAllTheSame(string culprit)
    {
        await using var database = NewDatabase();
        await using var held = await HoldAsync(database);
        var before = Enumerable.Range(1, 5).Select(i => Insert(database, i)).ToList();
        var guilty = database.WriteAsync(c => SqlStatement.Execute(c, culprit), Ct);
        var after = Enumerable.Range(6, 5).Select(i => Insert(database, i)).ToList();
        held.Release();

        await Assert.ThrowsAsync<SqliteException>(() => guilty);
        Assert.All(await Task.WhenAll(before.Concat(after)), changed => Assert.Equal(1, changed));
        Assert.Equal(10L, await CountAsync(database));
    }

    [Fact]
    public async Task Group_OneHidesThatItRolledBackEverything_IsToldAndTheOthersAreStored()
    {
        await using var database = NewDatabase();
        await using var held = await HoldAsync(database);
        var first = Insert(database, 1);
        var sly = database.WriteAsync(
            c =>
            {
                Assert.Throws<SqliteException>(() => SqlStatement.Execute(c, "insert or rollback into t values (1)"));
                // By itself this one is stored at once: it must not look as if the group had been.
                return SqlStatement.Execute(c, "insert into t values (99)");
            },
            Ct
        );
        held.Release();

        Assert.Equal(1, await first);
        await Assert.ThrowsAsync<InvalidOperationException>(() => sly);
        Assert.Equal([1L, 99L], await AllAsync(database));
    }

    [Fact]
    public async Task Group_OneCommitsByItself_TheOnesBeforeItAreStoredOnce()
    {
        await using var database = NewDatabase();
        await using var held = await HoldAsync(database);
        var first = database.WriteAsync(c => SqlStatement.Execute(c, "insert into log values ('once')"), Ct);
        var own = database.WriteAsync(c => SqlStatement.Execute(c, "commit"), Ct);
        var last = Insert(database, 2);
        held.Release();

        await Task.WhenAll(first, own, last);
        Assert.Equal(1L, (await database.ExecuteAsync("select count(*) from log", ct: Ct)).Scalar);
        Assert.Equal([2L], await AllAsync(database));
    }

    [Fact]
    public async Task Group_DeferredConstraintFailsAtCommit_OnlyTheGuiltyOneFails()
    {
        var options = Options with { PrepareConnection = (c, _) => SqlStatement.Execute(c, "pragma foreign_keys = on") };
        await using var database = NewDatabase(options);
        await using var held = await HoldAsync(database);
        var good = Enumerable.Range(1, 3).Select(i => Insert(database, i)).ToList();
        var guilty = database.WriteAsync(c => SqlStatement.Execute(c, "insert into child values (404)"), Ct);
        held.Release();

        Assert.All(await Task.WhenAll(good), changed => Assert.Equal(1, changed));
        Assert.Contains(
            "FOREIGN KEY",
            SqlErrors.Message(await Assert.ThrowsAsync<SqliteException>(() => guilty)),
            StringComparison.Ordinal
        );
        Assert.Equal(3L, await CountAsync(database));
        Assert.Equal(0L, (await database.ExecuteAsync("select count(*) from child", ct: Ct)).Scalar);
    }

    [Fact]
    public async Task Group_FullDisk_IsToldToThoseItConcerns()
    {
        await using var database = NewDatabase();
        await database.WriteAsync(c => SqlStatement.Query(c, "pragma max_page_count = 12"), false, Ct);
        await using var held = await HoldAsync(database);
        var first = Insert(database, 1);
        var large = database.WriteAsync(c => SqlStatement.Execute(c, "insert into log values (zeroblob(1000000))"), Ct);
        var last = Insert(database, 2);
        held.Release();

        Assert.Equal(13, (await Assert.ThrowsAsync<SqliteException>(() => large)).SqliteErrorCode);
        await Task.WhenAll(first, last);
        Assert.Equal([1L, 2L], await AllAsync(database));
    }

    [Fact]
    public async Task Group_OneIsStoppedByItsLimit_TheOthersAreStored()
    {
        await using var database = NewDatabase();
        await using var held = await HoldAsync(database);
        var first = Insert(database, 1);
        var endless = database.WriteAsync(
            c =>
                SqlStatement.Execute(
                    c,
                    "insert into log with recursive c(x) as (select 1 union all select x + 1 from c) select x from c where x < 0"
                ),
            new WriteOptions(WriteTurn.Grouped, TimeSpan.FromMilliseconds(50)),
            Ct
        );
        var last = Insert(database, 2);
        held.Release();

        var stopped = await Assert.ThrowsAsync<DatasetteException>(() => endless);
        Assert.Equal((400, "The write took longer than 50 ms; nothing of it was stored."), (stopped.Status, stopped.Message));
        await Task.WhenAll(first, last);
        Assert.Equal([1L, 2L], await AllAsync(database));
    }

    [Fact]
    public async Task Answer_ComesAfterTheCommit_AndSoDoesTheEvent()
    {
        await using var database = NewDatabase();
        var seenAtEvent = -1L;
        database.Committed += _ => seenAtEvent = Scalar("select count(*) from t");
        await using var held = await HoldAsync(database);
        var writes = Enumerable.Range(1, 20).Select(i => Insert(database, i)).ToList();
        held.Release();

        // Another connection, so it sees what is committed and nothing else.
        await await Task.WhenAny(writes);
        Assert.Equal(20L, Scalar("select count(*) from t"));
        Assert.Equal(20L, seenAtEvent);
        await Task.WhenAll(writes);
    }

    [Fact]
    public async Task Cancelled_BeforeItsTurn_IsNotWritten_AfterItIs()
    {
        await using var database = NewDatabase();
        using var stop = new CancellationTokenSource();
        await using (var held = await HoldAsync(database, stop.Token))
        {
            var waiting = Enumerable.Range(1, 3).Select(i => Insert(database, i, i == 2 ? stop.Token : Ct)).ToList();
            await stop.CancelAsync();
            held.Release();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting[1]);
            await Task.WhenAll(waiting[0], waiting[2]);
            // The one that ran when its asker went is finished, and told.
            Assert.Equal(7, await held.Work);
        }

        Assert.Equal([1L, 3L, 7L], await AllAsync(database));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Insert(database, 9, stop.Token));
    }

    [Fact]
    public async Task Queue_Full_Refuses_AndTakesAgain()
    {
        await using var database = NewDatabase(Options with { MaxQueuedWrites = 3 });
        await using var held = await HoldAsync(database);
        var accepted = Enumerable.Range(1, 3).Select(i => Insert(database, i)).ToList();
        var refused = await Assert.ThrowsAsync<DatasetteException>(() => Insert(database, 4));
        Assert.Equal(503, refused.Status);
        Assert.NotNull(refused.RetryAfter);
        held.Release();
        await Task.WhenAll(accepted);
        Assert.Equal(1, await Insert(database, 4));
    }

    [Theory]
    [InlineData("wal")]
    [InlineData("delete")]
    public async Task LockedByAnother_IsWaitedFor_ThenRefusedWith503(string mode)
    {
        await using var database = NewDatabase(Options with { WriteLockTimeout = TimeSpan.FromMilliseconds(200) }, mode);
        using var other = TestDatabase.Open(_folder.Combine("t.db"));
        other.Execute("begin immediate; insert into t values (100)");
        var refused = await Task.WhenAll(Enumerable.Range(1, 5).Select(i => Record.ExceptionAsync(() => Insert(database, i)).AsTask()));
        Assert.All(refused, e => Assert.Equal(503, Assert.IsType<DatasetteException>(e).Status));
        Assert.DoesNotContain(refused, e => e!.Message.Contains("database is locked", StringComparison.Ordinal));

        var waiting = Insert(database, 6);
        other.Execute("commit");
        Assert.Equal(1, await waiting);
        Assert.Equal([6L, 100L], await AllAsync(database));
    }

    [Fact]
    public async Task ReadersInTheWayOfACommit_AreWaitedFor_ThenNothingIsStored()
    {
        await using var database = NewDatabase(Options with { WriteLockTimeout = TimeSpan.FromMilliseconds(300) }, "delete");
        using var other = TestDatabase.Open(_folder.Combine("t.db"));
        other.Execute("begin");
        other.Scalar("select count(*) from t");
        var refused = await Assert.ThrowsAsync<DatasetteException>(() => Insert(database, 1));
        Assert.Equal(503, refused.Status);
        other.Execute("commit");
        Assert.Equal(1, await Insert(database, 2));
        Assert.Equal([2L], await AllAsync(database));
    }

    [Fact]
    public async Task NewColumn_IsSeenByKeptStatements()
    {
        await using var database = NewDatabase();
        await database.WriteAsync(c => SqlStatement.Query(c, "select * from t").Count, Ct);
        await database.WriteAsync(c => SqlStatement.Execute(c, "alter table t add column b default 'x'"), Ct);
        await Insert(database, 1, sql: "insert into t (a) values (1)");
        var rows = await database.WriteAsync(c => SqlStatement.Query(c, "select * from t"), Ct);
        Assert.Equal([1L, "x"], Assert.Single(rows));
    }

    [Fact]
    public async Task Dispose_FinishesWhatWaits()
    {
        var database = NewDatabase();
        var held = await HoldAsync(database);
        var waiting = Enumerable.Range(1, 5).Select(i => Insert(database, i)).ToList();
        var disposing = database.DisposeAsync();
        held.Release();
        await disposing;
        Assert.All(await Task.WhenAll(waiting), changed => Assert.Equal(1, changed));
        Assert.Equal(5L, Scalar("select count(*) from t"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Insert(database, 6));
    }

    private static Task<int> Insert(Database database, int value, CancellationToken? ct = null, string? sql = null) =>
        database.WriteAsync(c => SqlStatement.Execute(c, sql ?? $"insert into t values ({value})"), ct ?? Ct);

    private static async Task<object?> CountAsync(Database database) =>
        (await database.ExecuteAsync("select count(*) from t", ct: Ct)).Scalar;

    private static async Task<List<long>> AllAsync(Database database) =>
        (await database.ExecuteAsync("select a from t order by a", ct: Ct)).Rows.Select(row => (long)row[0]!).ToList();

    private long Scalar(string sql)
    {
        using var connection = TestDatabase.Open(_folder.Combine("t.db"), readOnly: true);
        return long.Parse(connection.Scalar(sql)!, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Occupies the writer, so that what comes next queues up behind it.</summary>
    private static async Task<Holder> HoldAsync(Database database, CancellationToken? ct = null)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var go = new ManualResetEventSlim();
        var isWriting = ct is not null;
        var work = database.WriteAsync(
            c =>
            {
                started.TrySetResult();
                Assert.True(go.Wait(TimeSpan.FromSeconds(20)));
                return isWriting ? 6 + SqlStatement.Execute(c, "insert into t values (7)") : 0;
            },
            new WriteOptions(WriteTurn.Alone),
            ct ?? Ct
        );
        await started.Task.WaitAsync(Ct);
        return new Holder(go, work);
    }

    private Database NewDatabase(DatabaseOptions? options = null, string mode = "wal")
    {
        var path = _folder.Combine("t.db");
        using (var connection = TestDatabase.Open(path))
        {
            connection.Execute($"pragma journal_mode = {mode}");
            connection.Execute(
                """
                create table t (a integer primary key);
                create table log (x);
                create table child (parent references t (a) deferrable initially deferred);
                create table guarded (x);
                create trigger no before insert on guarded begin select raise(rollback, 'no'); end
                """
            );
        }

        return Database.File("t", path, options ?? Options);
    }

    private sealed class Holder(ManualResetEventSlim go, Task<int> work) : IAsyncDisposable
    {
        public Task<int> Work => work;

        public void Release() => go.Set();

        public async ValueTask DisposeAsync()
        {
            go.Set();
            await work;
            go.Dispose();
        }
    }
}
