using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Testing.Oracles;

namespace Litestream.Tests.Histories;

/// <summary>A state that was copied: what a restore to it must give.</summary>
internal sealed record CopiedState(Txid Txid, DateTimeOffset Time, string Dump);

/// <summary>An application and the engine beside each other, from a seed, without real time: the engine is stepped by hand, stopped, crashed and restarted.</summary>
internal sealed class RandomHistory : IAsyncDisposable
{
    private readonly Random _random;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly RandomApp _app;
    private readonly DatabaseOptions _options;
    private LitestreamStore _store;

    private RandomHistory(int seed, TempFolder folder)
    {
        _random = new Random(seed);
        Source = folder.Combine("app.db");
        Replica = folder.Combine("replica");
        _app = new RandomApp(Source, _random);
        _options = new DatabaseOptions
        {
            Path = Source,
            Replicas = [new ReplicaOptions { Url = ReplicaUrl.Parse(Replica) }],
            MinCheckpointPageCount = _random.Next(5, 60),
            MaxSyncWalBytes = _random.Next(4) == 0 ? 1 : 64 << 20,
            LegacyPageFrames = _random.Next(4) == 0,
        };
        _store = null!;
    }

    internal string Source { get; }

    internal string Replica { get; }

    /// <summary>Every state after which everything was on the replica, in order.</summary>
    internal List<CopiedState> States { get; } = [];

    internal static async Task<RandomHistory> RunAsync(int seed, TempFolder folder, int acts)
    {
        var history = new RandomHistory(seed, folder);
        await history.StartAsync();
        for (var i = 0; i < acts; i++)
            await history.ActAsync();
        await history.CopyAsync();
        return history;
    }

    internal string DumpSource() => CanonicalDump.Of(Source);

    private async Task ActAsync()
    {
        switch (_random.Next(10))
        {
            case < 5:
                _app.Act();
                break;
            case < 8:
                await CopyAsync();
                break;
            case 8:
                // Levels come in after half a minute, minutes and an hour, retention and snapshots after a day.
                var longest = _random.Next(12) switch
                {
                    0 => 30 * 3_600_000,
                    1 or 2 => 7_200_000,
                    _ => 90_000,
                };
                _time.Advance(TimeSpan.FromMilliseconds(_random.Next(2, longest)));
                await _store.Scheduler.StepDueAsync(CancellationToken.None);
                break;
            default:
                await RestartAsync();
                break;
        }
    }

    private async Task CopyAsync()
    {
        _time.Advance(TimeSpan.FromMilliseconds(_random.Next(2, 50)));
        await _store.SyncAsync(Source, upload: true, CancellationToken.None);
        var status = _store.Databases[0];
        var state = new CopiedState(status.Txid, status.TxidTime!.Value, DumpSource());
        if (States.Count == 0 || States[^1].Txid != state.Txid)
            States.Add(state);
    }

    private async Task RestartAsync()
    {
        if (_random.Next(2) == 0)
            await _store.AbandonAsync();
        else
            await _store.StopAsync(CancellationToken.None);
        await _store.DisposeAsync();
        for (var i = _random.Next(4); i > 0; i--)
            _app.Act();
        await StartAsync();
    }

    private async Task StartAsync()
    {
        var options = new LitestreamOptions { Databases = [_options], ShutdownSyncTimeout = TimeSpan.Zero };
        _store = new LitestreamStore(options, new ObjectStoreFactory(), _time, null, null, new SilentCommitWatcher());
        await _store.AddConfiguredAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _store.AbandonAsync();
        await _store.DisposeAsync();
        _app.Dispose();
    }
}
