using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Plugins;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Writes that are answered when more than this machine's disk holds them, and writes that are sent away; through HTTP.</summary>
public sealed class DurableWriteTests : IDisposable
{
    private const string Insert = "/data/t/-/insert";
    private static readonly (string, string) Replicated = ("Datasette-Durability", "replicated");
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Replicated_IsAnsweredOnceTheCopyHoldsIt_WithItsTransaction()
    {
        var copies = new FakeCopies();
        await using var server = await StartAsync(copies);
        var answering = server.SendAsync("POST", Insert, Row(1), TestServer.Root, Replicated);
        while (copies.Receipts == 0)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
        Assert.Equal(1, Count()); // committed, but not told
        Assert.False(answering.IsCompleted);
        copies.Arrive();
        var answer = await answering;
        Assert.Equal(201, answer.Status);
        Assert.Equal("replicated", Header(answer, "Datasette-Durability"));
        Assert.Equal("1", Header(answer, "Datasette-Txid"));
        Assert.Equal("replicated", await DurabilityAsync(server, "1"));
    }

    [Theory]
    [InlineData("POST", Insert, """{"row": {"a": 2}}""")]
    [InlineData("POST", "/data/t/-/upsert", """{"rows": [{"a": 2}]}""")]
    [InlineData("POST", "/data/t/9/-/update", """{"update": {"a": 10}}""")]
    [InlineData("POST", "/data/t/9/-/delete", "{}")]
    [InlineData("POST", "/data/-/create", """{"table": "more", "row": {"a": 2}}""")]
    [InlineData("POST", "/data/t/-/alter", """{"operations": [{"op": "add_column", "args": {"name": "b"}}]}""")]
    [InlineData("POST", "/data/t/-/drop", """{"confirm": true}""")]
    [InlineData("POST", "/data/-/execute-write", """{"sql": "insert into t values (3)"}""")]
    public async Task EveryWrite_TimesOut_Answers202_WithAnAddressToAskAt(string method, string path, string body)
    {
        var copies = new FakeCopies();
        await using var server = await StartAsync(copies, "insert into t values (9)");
        var answer = await server.SendAsync(
            method,
            path,
            body,
            TestServer.Root,
            ("Content-Type", "application/json"),
            ("Datasette-Durability", "replicated; wait=0.05")
        );
        Assert.True(answer.Status == 202, $"{path}: {answer.Status} {answer.Text}");
        Assert.Equal("committed", Header(answer, "Datasette-Durability"));
        Assert.Equal("1", Header(answer, "Datasette-Txid"));
        Assert.Equal("no replica has confirmed it within 0.05 s", Header(answer, "Datasette-Durability-Problem"));
        Assert.Equal("/data/-/durability/1", Header(answer, "Location"));
        Assert.True((bool)JsonNode.Parse(answer.Text)!["ok"]!);
        Assert.Equal("committed", await DurabilityAsync(server, "1"));
        Assert.Equal("committed", await DurabilityAsync(server, "1?_wait=0.05"));
        copies.Arrive();
        Assert.Equal("replicated", await DurabilityAsync(server, "1?_wait=5"));
    }

    [Fact]
    public async Task TheCopyFails_Answers202_AndSaysWhy()
    {
        await using var server = await StartAsync(new FakeCopies { Failure = new DatasetteException(503, "another writer") });
        var answer = await server.SendAsync("POST", Insert, Row(1), TestServer.Root, Replicated);
        Assert.Equal(202, answer.Status);
        Assert.Equal("another writer", Header(answer, "Datasette-Durability-Problem"));
        Assert.Equal(1, Count());
    }

    [Fact]
    public async Task WithoutACopy_OrWithAFencedOne_NothingIsWritten()
    {
        await using (var server = await StartAsync(null))
        {
            var answer = await server.SendAsync("POST", Insert, Row(1), TestServer.Root, Replicated);
            Assert.Equal(501, answer.Status);
            Assert.StartsWith(
                "data is not replicated; nothing was written.",
                (string)JsonNode.Parse(answer.Text)!["error"]!,
                StringComparison.Ordinal
            );
        }
        await using (var server = await StartAsync(new FakeCopies { Why = "another writer has taken the replica" }))
        {
            Assert.Equal(503, (await server.SendAsync("POST", Insert, Row(1), TestServer.Root, Replicated)).Status);
            Assert.Equal(201, (await server.SendAsync("POST", Insert, Row(2), TestServer.Root)).Status);
        }
        Assert.Equal(1, Count());
    }

    [Theory]
    [InlineData("perhaps", "Datasette-Durability must be committed or replicated")]
    [InlineData("replicated; wait=long", "wait must be a number of seconds")]
    [InlineData("replicated; copies=2", "Datasette-Durability: copies=2 is not known")]
    public async Task UnknownWish_Answers400_AndNothingIsWritten(string wish, string error)
    {
        await using var server = await StartAsync(new FakeCopies());
        var answer = await server.SendAsync("POST", Insert, Row(1), TestServer.Root, ("Datasette-Durability", wish));
        Assert.Equal((400, error), (answer.Status, (string)JsonNode.Parse(answer.Text)!["error"]!));
        Assert.Equal(0, Count());
    }

    [Fact]
    public async Task Configuration_DemandsIt_OfOneDatabase_AndBoundsTheWait()
    {
        var copies = new FakeCopies();
        await using var server = await StartAsync(
            copies,
            settings: [("databases.data.durability", "replicated"), ("writes.replication_timeout_ms", "50")]
        );
        Assert.Equal(202, (await server.SendAsync("POST", Insert, Row(1), TestServer.Root)).Status);
        Assert.Equal(
            202,
            (await server.SendAsync("POST", Insert, Row(2), TestServer.Root, ("Datasette-Durability", "replicated; wait=100"))).Status
        );
        copies.Arrive();
        Assert.Equal(201, (await server.SendAsync("POST", Insert, Row(3), TestServer.Root)).Status);
    }

    [Theory]
    [InlineData("databases.data.durability", "always", "'durability' of data must be committed or replicated.")]
    [InlineData("writes.max_queued", "0", "'max_queued' must be a whole number above 0.")]
    [InlineData("writes.patience", "1", "'patience' is no key of 'writes'; there are")]
    public async Task Configuration_WrongWord_StopsTheStart(string key, string value, string message)
    {
        var failure = await Assert.ThrowsAsync<StartupException>(() => StartAsync(null, settings: [(key, value)]));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DurabilityPage_NeedsTheRightToSeeTheDatabase()
    {
        await using var server = await StartAsync(
            new FakeCopies(),
            settings: [("databases.data.permissions.view-database", """{"id": "root"}""")]
        );
        Assert.Equal(403, (await server.GetAsync("/data/-/durability/1")).Status);
        Assert.Equal("committed", await DurabilityAsync(server, "1"));
        Assert.Equal(404, (await server.GetAsync("/data/-/durability/none", TestServer.Root)).Status);
    }

    [Fact]
    public async Task AnotherProgramHoldsTheLock_Answers503_WithRetryAfter_AndTakesWritesAgain()
    {
        await using var server = await StartAsync(null, settings: [("writes.lock_timeout_ms", "100")]);
        using (var other = TestDatabase.Open(folder.Combine("data.db")))
        {
            other.Execute("begin immediate");
            foreach (var path in new[] { Insert, "/data/-/execute-write" })
            {
                var body = path == Insert ? Row(1) : """{"sql": "insert into t values (1)"}""";
                var answer = await server.SendAsync("POST", path, body, TestServer.Root, ("Content-Type", "application/json"));
                Assert.True(answer.Status == 503, $"{path}: {answer.Status} {answer.Text}");
                Assert.Equal("1", Header(answer, "Retry-After"));
                Assert.DoesNotContain("database is locked", answer.Text, StringComparison.Ordinal);
            }
        }
        Assert.Equal(201, (await server.SendAsync("POST", Insert, Row(1), TestServer.Root)).Status);
    }

    [Fact]
    public async Task TooManyWait_Answers503_WithRetryAfter()
    {
        await using var server = await StartAsync(null, settings: [("writes.max_queued", "2")]);
        var database = server.App.Databases["data"]!;
        using var go = new ManualResetEventSlim();
        var started = new TaskCompletionSource();
        var held = database.WriteAsync(
            _ =>
            {
                started.SetResult();
                return go.Wait(TimeSpan.FromSeconds(20));
            },
            TestContext.Current.CancellationToken
        );
        await started.Task;
        var answering = Enumerable.Range(1, 10).Select(i => server.SendAsync("POST", Insert, Row(i), TestServer.Root)).ToList();
        var first = await await Task.WhenAny(answering);
        Assert.Equal(503, first.Status);
        Assert.Equal("1", Header(first, "Retry-After"));
        Assert.Equal("2 writes are waiting already; nothing was stored. Try again.", (string)JsonNode.Parse(first.Text)!["error"]!);
        while (answering.Count(task => task.IsCompleted) < 8)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
        go.Set();
        await held;
        var stored = (await Task.WhenAll(answering)).Count(answer => answer.Status == 201);
        Assert.Equal(2, stored);
        Assert.Equal(2, Count());
    }

    [Fact]
    public async Task EndlessWrite_IsStopped_AndNothingOfItIsStored()
    {
        await using var server = await StartAsync(null, settings: [("writes.time_limit_ms", "100")]);
        const string Endless =
            """{"sql": "insert into t with recursive c(x) as (select 1 union all select x + 1 from c) select x from c where x < 0"}""";
        var answer = await server.SendAsync(
            "POST",
            "/data/-/execute-write",
            Endless,
            TestServer.Root,
            ("Content-Type", "application/json")
        );
        Assert.Equal(400, answer.Status);
        Assert.Contains("longer than 100 ms", answer.Text, StringComparison.Ordinal);
        Assert.Equal(201, (await server.SendAsync("POST", Insert, Row(1), TestServer.Root)).Status);
        Assert.Equal(1, Count());
    }

    private static string Row(int value) => $$$"""{"row": {"a": {{{value}}}}}""";

    private static string? Header(Answer answer, string name) => answer.Header(name.ToLowerInvariant());

    private static async Task<string> DurabilityAsync(TestServer server, string transaction)
    {
        var answer = await server.GetAsync("/data/-/durability/" + transaction, TestServer.Root);
        Assert.True(answer.Status == 200, answer.Text);
        return (string)JsonNode.Parse(answer.Text)!["durability"]!;
    }

    private int Count()
    {
        using var connection = TestDatabase.Open(folder.Combine("data.db"), readOnly: true);
        return int.Parse(connection.Scalar("select count(*) from t")!, System.Globalization.CultureInfo.InvariantCulture);
    }

    private async Task<TestServer> StartAsync(DurableCopies? copies, string sql = "", (string, string)[]? settings = null)
    {
        using (var connection = TestDatabase.Open(folder.Combine("data.db")))
        {
            connection.Execute("pragma journal_mode = wal; create table if not exists t (a integer primary key);" + sql);
        }
        return await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [folder.Combine("data.db")],
                Root = true,
                Settings = settings ?? [],
            },
            new CopyingPlugin(copies)
        );
    }

    private sealed class CopyingPlugin(DurableCopies? copies) : DatasettePlugin
    {
        public override string Name => "copying";

        public override DurableCopies? DurableCopiesOf(IDatasette datasette, Database database) => copies;
    }
}
