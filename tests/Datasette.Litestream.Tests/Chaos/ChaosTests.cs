using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Datasette.Litestream.Tests.Scenarios;
using Litestream.IO;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;

namespace Datasette.Litestream.Tests.Chaos;

/// <summary>Many clients against the real program, which is killed under them. What was acknowledged is there, once.</summary>
[Trait("Speed", "slow")]
public sealed class ChaosTests : IDisposable
{
    private const int Clients = 64;

    /// <summary>How long the clients go on: <c>DATASETTE_CHAOS_SECONDS</c>, default 10.</summary>
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(Number("DATASETTE_CHAOS_SECONDS", 10));

    /// <summary>How often the local disk is lost: <c>DATASETTE_DISK_LOSSES</c>, default 5.</summary>
    private static readonly int s_losses = Number("DATASETTE_DISK_LOSSES", 5);

    private readonly ITestOutputHelper _output;
    private readonly TempFolder _folder = new();
    private readonly ConcurrentDictionary<string, (long Acknowledged, long Tried)> _rows = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<string> _wrong = [];
    private readonly int _seed = Environment.TickCount;
    private long _acknowledged;
    private long _busy;
    private long _lost;

    public ChaosTests(ITestOutputHelper output)
    {
        Require.That(File.Exists(DatasetteProcess.Program), "the program datasette", "dotnet build tools/datasette");
        _output = output;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ClientsWriteReadAndGoAway_TheServerIsKilled_EveryAcknowledgedRowIsThere_NoneTwice_NoneIsAnswered500()
    {
        await using var server = new ChaosServer(_folder);
        server.CreateTable();
        await server.StartAsync();
        var clock = Stopwatch.StartNew();
        using var end = new CancellationTokenSource();
        var clients = Enumerable
            .Range(0, Clients)
            .Select(i => Task.Run(() => ClientAsync(server, i, isDurable: false, end.Token), Cancel))
            .ToList();
        var random = new Random(_seed);
        var kills = 0;
        while (clock.Elapsed < s_duration)
        {
            await Task.Delay(TimeSpan.FromSeconds(1 + 2 * random.NextDouble()), Cancel);
            await (kills++ % 4 == 3 ? server.StopAsync() : server.KillAsync());
            await server.StartAsync();
        }
        await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
        await end.CancelAsync();
        await Task.WhenAll(clients);
        await server.StopAsync();

        Report($"{kills} kills");
        Assert.True(_acknowledged > 0, $"nothing was ever acknowledged: {server.Output}");
        RequireNothingWrong();
        RequireRows(server.Database);
        // What stopped in peace is on the replica to the last row.
        var restored = _folder.Combine("restored", "app.db");
        await RestoreAsync(server.Replica, restored);
        RequireRows(restored);
        RequireEqual(server.Database, restored);
    }

    [Fact]
    public async Task ReplicatedWrites_KillNineAndLossOfTheDisk_EveryAcknowledgedRowIsInTheReplica_NoneTwice()
    {
        await using var server = new ChaosServer(_folder);
        server.CreateTable();
        var random = new Random(_seed);
        for (var round = 0; round < s_losses; round++)
        {
            await server.StartAsync();
            using var end = new CancellationTokenSource();
            var first = round * 1000;
            var clients = Enumerable
                .Range(first, 16)
                .Select(i => Task.Run(() => ClientAsync(server, i, isDurable: true, end.Token), Cancel))
                .ToList();
            await WaitForFirstAsync();
            await Task.Delay(random.Next(50, 1000), Cancel);
            await server.KillAsync();
            await end.CancelAsync();
            await Task.WhenAll(clients);
            server.LoseDisk();
            await RestoreAsync(server.Replica, server.Database);
            RequireNothingWrong();
            RequireRows(server.Database);
            _lastCount = Interlocked.Read(ref _acknowledged);
        }
        Report($"{s_losses} disks lost");
    }

    private long _lastCount;

    /// <summary>A round that is cut off before anything was acknowledged would prove nothing.</summary>
    private async Task WaitForFirstAsync()
    {
        var patience = Stopwatch.StartNew();
        while (Interlocked.Read(ref _acknowledged) == _lastCount)
        {
            Assert.True(patience.Elapsed < TimeSpan.FromMinutes(10), $"nothing is acknowledged; {string.Join('\n', _wrong.Take(5))}");
            await Task.Delay(5, Cancel);
        }
    }

    private async Task ClientAsync(ChaosServer server, int number, bool isDurable, CancellationToken end)
    {
        var random = new Random(_seed + number + 1);
        var mine = new List<(string Key, long Id)>();
        for (var i = 0; !end.IsCancellationRequested; i++)
        {
            using var gone = new CancellationTokenSource();
            if (!isDurable && random.Next(4) == 0)
                gone.CancelAfter(random.Next(0, 15));
            var answered = random.Next(10) switch
            {
                < 5 => await InsertAsync(server, $"{number}-{i}", 1, mine, isDurable, gone.Token),
                < 7 => await InsertAsync(server, $"{number}-{i}", 5, mine, isDurable, gone.Token),
                < 8 when mine.Count > 0 => await UpdateAsync(server, mine[random.Next(mine.Count)], isDurable, gone.Token),
                _ when mine.Count > 0 => await ReadAsync(server, mine[random.Next(mine.Count)], gone.Token),
                _ => await InsertAsync(server, $"{number}-{i}", 1, mine, isDurable, gone.Token),
            };
            if (!answered)
            {
                Interlocked.Increment(ref _lost);
                await Task.Delay(random.Next(20, 100), Cancel);
            }
        }
    }

    private async Task<bool> InsertAsync(
        ChaosServer server,
        string key,
        int count,
        List<(string, long)> mine,
        bool isDurable,
        CancellationToken gone
    )
    {
        var keys = Enumerable.Range(0, count).Select(i => $"{key}-{i}").ToList();
        foreach (var one in keys)
            _rows[one] = (-1, 0);
        var rows = string.Join(", ", keys.Select(one => $$"""{"key": "{{one}}", "v": 0}"""));
        var answer = await server.SendAsync("POST", "/app/t/-/insert", $$"""{"rows": [{{rows}}], "return": true}""", isDurable, gone);
        if (!IsDone(answer, HttpStatusCode.Created, "insert", isDurable))
            return answer is not null;
        foreach (var row in JsonNode.Parse(answer!.Value.Body)!["rows"]!.AsArray())
        {
            var stored = (string)row!["key"]!;
            _rows[stored] = (0, 0);
            mine.Add((stored, (long)row["id"]!));
        }
        return true;
    }

    /// <summary>
    /// Each client changes only its own rows, one request after the other: the value never goes back. After one without an answer it changes the
    /// row no more: that one may still be on its way.
    /// </summary>
    private async Task<bool> UpdateAsync(ChaosServer server, (string Key, long Id) row, bool isDurable, CancellationToken gone)
    {
        var (acknowledged, tried) = _rows[row.Key];
        if (tried > acknowledged)
            return await ReadAsync(server, row, gone);
        var next = tried + 1;
        _rows[row.Key] = (acknowledged, next);
        var answer = await server.SendAsync("POST", $"/app/t/{row.Id}/-/update", $$$"""{"update": {"v": {{{next}}}}}""", isDurable, gone);
        if (IsDone(answer, HttpStatusCode.OK, "update", isDurable))
            _rows[row.Key] = (next, next);
        return answer is not null;
    }

    private async Task<bool> ReadAsync(ChaosServer server, (string Key, long Id) row, CancellationToken gone)
    {
        var (acknowledged, tried) = _rows[row.Key];
        var answer = await server.SendAsync("GET", $"/app/t/{row.Id}.json", null, false, gone);
        if (answer is not { } read)
            return false;
        if (read.Status != HttpStatusCode.OK)
        {
            _wrong.Add($"read of {row.Key}: {(int)read.Status} {read.Body}");
            return true;
        }
        var found = JsonNode.Parse(read.Body)!["rows"]![0]!;
        if ((string?)found["key"] != row.Key || (long)found["v"]! < acknowledged || (long)found["v"]! > tried)
            _wrong.Add($"read of {row.Key}, acknowledged {acknowledged}, tried {tried}: {read.Body}");
        return true;
    }

    private bool IsDone((HttpStatusCode Status, string Body, string? Durability)? answer, HttpStatusCode good, string what, bool isDurable)
    {
        if (answer is not { } told)
            return false;
        if (told.Status == HttpStatusCode.ServiceUnavailable)
        {
            Interlocked.Increment(ref _busy);
            return false;
        }
        if (isDurable && told.Status == HttpStatusCode.Accepted)
            return false; // stored here, and nowhere else yet
        if (told.Status != good || isDurable && told.Durability != "replicated")
        {
            _wrong.Add($"{what}: {(int)told.Status} {told.Durability} {told.Body}");
            return false;
        }
        Interlocked.Increment(ref _acknowledged);
        return true;
    }

    private void RequireNothingWrong() => Assert.True(_wrong.IsEmpty, $"seed {_seed}\n{string.Join('\n', _wrong.Take(10))}");

    private void RequireRows(string path)
    {
        using var connection = TestDatabase.Open(path, readOnly: true);
        Assert.Equal("ok", connection.Scalar("PRAGMA integrity_check"));
        var stored = new Dictionary<string, long>(StringComparer.Ordinal);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT key, v FROM t";
        using var reader = command.ExecuteReader();
        while (reader.Read())
            Assert.True(stored.TryAdd(reader.GetString(0), reader.GetInt64(1)), $"seed {_seed}: {reader.GetString(0)} is there twice");
        foreach (var (key, (acknowledged, tried)) in _rows)
        {
            if (stored.Remove(key, out var value))
                Assert.True(value >= acknowledged && value <= tried, $"seed {_seed}: {key} has {value}, not {acknowledged} to {tried}");
            else
                Assert.True(acknowledged < 0, $"seed {_seed}: {key} was acknowledged and is not there");
        }
        Assert.True(stored.Count == 0, $"seed {_seed}: nobody wrote {stored.Keys.FirstOrDefault()}");
    }

    private static void RequireEqual(string one, string other)
    {
        const string All = "SELECT count(*) || ':' || sum(id * (v + 1)) || ':' || group_concat(key) FROM (SELECT * FROM t ORDER BY id)";
        using var left = TestDatabase.Open(one, readOnly: true);
        using var right = TestDatabase.Open(other, readOnly: true);
        Assert.Equal(left.Scalar(All), right.Scalar(All));
    }

    private static async Task RestoreAsync(string replica, string output)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(replica) });
        await new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance).RestoreAsync(
            client,
            new RestoreOptions { OutputPath = output },
            Cancel
        );
    }

    private void Report(string what) =>
        _output.WriteLine(
            $"seed {_seed}: {what}, {_acknowledged} writes acknowledged, {_rows.Count} rows tried, {_busy} sent away with 503, "
                + $"{_lost} requests without an answer"
        );

    private static int Number(string variable, int standard) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : standard;
}
