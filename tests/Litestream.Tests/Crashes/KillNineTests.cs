using System.Globalization;
using System.Text.RegularExpressions;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Oracles;
using Xunit;

namespace Litestream.Tests.Crashes;

/// <summary>The engine is killed at random moments, while another process goes on writing and checkpointing.</summary>
[Trait("Speed", "slow")]
public sealed partial class KillNineTests(ITestOutputHelper output)
{
    /// <summary>How many rounds: <c>LITESTREAM_KILLS</c>, default 100. Half of them kill the engine, half a writer.</summary>
    private static readonly int Rounds = (int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_KILLS"), out var n) ? n : 100) / 2;

    /// <summary>For a machine that has many other things to do.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private static readonly string Engine = Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task B32_EngineKilledAtRandomMoments_NothingReportedIsMissing_AndNothingIsTorn()
    {
        Litestream05.RequireIt();
        var seed = int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_SEED"), out var s) ? s : Environment.TickCount;
        output.WriteLine($"seed {seed} (LITESTREAM_SEED)");
        using var folder = new TempFolder();
        var random = new Random(seed);
        var path = folder.Combine("app.db");
        var replica = folder.Combine("replica");
        await using var writer = WriterChild.Start(path, seed);
        await writer.WaitForLineAsync(new Regex("^writing$"), Patience, cancellationToken: Token);
        var (reported, last, known) = (Txid.None, 0L, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var said = await RunAndKillAsync(folder, path, replica, reported, random);
            if (said > reported)
                (reported, known) = (said, known + 1);
            if (reported.IsNone)
                continue;
            var restored = folder.Combine($"restored-{round}.db");
            var result = await RestoreAsync(replica, restored);
            Assert.True(result.Txid >= reported, $"round {round}: {reported} was reported, the replica ends at {result.Txid}");
            var transactions = WriterChild.RequireWhole(restored);
            Assert.True(transactions >= last, $"round {round}: {last} transactions were there before, now {transactions}");
            last = transactions;
            File.Delete(restored);
        }
        await CatchUpAndCompareAsync(folder, path, replica, writer);
        output.WriteLine($"{Rounds} kills, {known} rounds with news, {last} transactions by the last restore before the end");
        Assert.True(known >= Rounds / 4, $"only {known} of {Rounds} rounds replicated anything before the kill");
    }

    [Fact]
    public async Task B32_WritersKilledAtRandomMoments_TheEngineGoesOn_AndNothingIsTorn()
    {
        Litestream05.RequireIt();
        var seed = int.TryParse(Environment.GetEnvironmentVariable("LITESTREAM_SEED"), out var s) ? s : Environment.TickCount;
        output.WriteLine($"seed {seed} (LITESTREAM_SEED)");
        using var folder = new TempFolder();
        var random = new Random(seed);
        var (path, replica, port) = (folder.Combine("app.db"), folder.Combine("replica"), Processes.FreePort());
        await using var engine = TestProcess.Start(
            Engine,
            ["replicate", "-config", await ConfigAsync(folder, path, replica, port, random)]
        );
        var (last, restores) = (0L, 0);
        for (var round = 0; round < Rounds; round++)
        {
            await using var writer = WriterChild.Start(path, random.Next());
            await using var other = random.Next(3) == 0 ? WriterChild.Start(path, random.Next()) : null;
            await writer.WaitForLineAsync(new Regex("^writing$"), Patience, cancellationToken: Token);
            await Task.Delay(random.Next(150), Token);
            writer.Kill();
            other?.Kill();
            Assert.False(engine.HasExited, engine.Output);
            if (await AskAsync(port) is not { IsNone: false } reported)
                continue;
            var restored = folder.Combine($"restored-{round}.db");
            var result = await RestoreAsync(replica, restored);
            Assert.True(result.Txid >= reported, $"round {round}: {reported} was reported, the replica ends at {result.Txid}");
            var transactions = WriterChild.RequireWhole(restored);
            Assert.True(transactions >= last, $"round {round}: {last} transactions were there before, now {transactions}");
            (last, restores) = (transactions, restores + 1);
            File.Delete(restored);
        }
        // A writer that syncs is often killed between a commit's frames and their publication: no one has seen that transaction, so it is not on the
        // replica. It comes to light when the last connection has gone and the WAL is recovered. This one keeps that from happening.
        string seen;
        using (var observer = TestDatabase.Open(path))
        {
            observer.Execute("SELECT count(*) FROM log");
            Assert.Equal(0, await engine.StopAsync(timeout: Patience));
            seen = CanonicalDump.Of(observer);
            await CompareAsync(folder, seen, replica);
        }
        var before = CanonicalDump.Of(path);
        // ... and then the engine takes it along.
        await using (var store = NewStore(path, replica))
        {
            await store.StartAsync(Token);
            Assert.True(await store.StopAsync(Token));
        }
        Assert.Equal(before, CanonicalDump.Of(path));
        await CompareAsync(folder, before, replica);
        output.WriteLine($"{Rounds} kills of writers, {restores} restores, {last} transactions by the last of them");
        output.WriteLine(
            seen == before ? "the last writer left nothing unseen" : "the last writer left a transaction that no one had seen"
        );
        Assert.True(restores >= Rounds / 2, $"only {restores} restores in {Rounds} rounds");
    }

    private static async Task<string> ConfigAsync(TempFolder folder, string path, string replica, int port, Random random)
    {
        var config = folder.Combine("litestream.yml");
        await File.WriteAllTextAsync(
            config,
            $$"""
            addr: 127.0.0.1:{{port}}
            dbs:
              - path: {{path}}
                min-checkpoint-page-count: {{random.Next(10, 200)}}
                replicas: [{path: "{{replica}}", sync-interval: 20ms}]
            """,
            Token
        );
        return config;
    }

    /// <returns>The last transaction that the engine had reported as replicated before it died.</returns>
    private static async Task<Txid> RunAndKillAsync(TempFolder folder, string path, string replica, Txid reported, Random random)
    {
        var port = Processes.FreePort();
        await using var engine = TestProcess.Start(
            Engine,
            ["replicate", "-config", await ConfigAsync(folder, path, replica, port, random)]
        );
        var said = Txid.None;
        if (random.Next(4) > 0)
            said = await WaitForReportAsync(engine, port, reported);
        await Task.Delay(random.Next(250), Token);
        if (!said.IsNone && await AskAsync(port) is { IsNone: false } later)
            said = later;
        engine.Kill();
        await engine.WaitForExitAsync(Patience, Token);
        await Task.Delay(random.Next(60), Token);
        return said;
    }

    private static async Task<Txid> WaitForReportAsync(TestProcess engine, int port, Txid reported)
    {
        for (var tries = 0; tries < 10_000; tries++)
        {
            Assert.False(engine.HasExited, engine.Output);
            if (await AskAsync(port) is var txid && txid > reported)
                return txid;
            await Task.Delay(5, Token);
        }
        Assert.Fail($"nothing was replicated in time:\n{engine.Output}");
        return default;
    }

    private static async Task<Txid> AskAsync(int port)
    {
        try
        {
            var metrics = await Http.GetStringAsync($"http://127.0.0.1:{port}/metrics", Token);
            return ReplicaTxid.Match(metrics) is { Success: true } match
                ? new Txid(ulong.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
                : Txid.None;
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !Token.IsCancellationRequested))
        {
            return Txid.None;
        }
    }

    private static async Task CatchUpAndCompareAsync(TempFolder folder, string path, string replica, TestProcess writer)
    {
        await using (var store = NewStore(path, replica))
        {
            await store.StartAsync(Token);
            await store.SyncAsync(path, upload: true, Token);
            writer.CloseInput();
            await writer.WaitForExitAsync(Patience, Token);
            await store.SyncAsync(path, upload: true, Token);
            Assert.True(await store.StopAsync(Token));
        }
        await CompareAsync(folder, CanonicalDump.Of(path), replica);
    }

    private static async Task CompareAsync(TempFolder folder, string source, string replica)
    {
        var restored = folder.Combine("restored.db");
        await RestoreAsync(replica, restored);
        WriterChild.RequireWhole(restored);
        Assert.Equal(source, CanonicalDump.Of(restored));
        Assert.Equal(source, await Litestream05.DumpLatestAsync("file://" + replica));
        File.Delete(restored);
    }

    private static LitestreamStore NewStore(string path, string replica) =>
        new(
            new LitestreamOptions
            {
                Databases = [new DatabaseOptions { Path = path, Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(replica) }] }],
            },
            new ObjectStoreFactory()
        );

    private static async Task<RestoreResult> RestoreAsync(string replica, string output)
    {
        await using var client = new ObjectStoreFactory().Open(new ReplicaOptions { Url = ReplicaUrl.Parse(replica) });
        var restorer = new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance);
        return await restorer.RestoreAsync(client, new RestoreOptions { OutputPath = output }, Token);
    }

    [GeneratedRegex(@"^litestream_replica_txid\{[^}]*\} (\d+)", RegexOptions.Multiline)]
    private static partial Regex ReplicaTxid { get; }
}
