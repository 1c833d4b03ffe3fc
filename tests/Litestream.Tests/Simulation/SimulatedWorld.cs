using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Sqlite;
using Testing;

namespace Litestream.Tests.Simulation;

/// <summary>
/// The whole circle without real time, on one thread, from a seed: application, clock, disk, replicas and engine. The same seed gives the same
/// life, and the same <see cref="Trace"/> when that is on.
/// </summary>
internal sealed partial class SimulatedWorld : IAsyncDisposable
{
    private const string MetaPath = "/sim/meta";
    private readonly Random _random;
    private readonly SimulatedClock _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly MemoryFolder _folder = new();
    private readonly PlantedBug _bug;
    private readonly SimulatedApp _app;
    private readonly List<SimulatedReplica> _replicas = [];
    private readonly DatabaseOptions _options;

    /// <summary>Of each transaction that was in a local file last: the first and last state of the application that it may hold.</summary>
    private readonly Dictionary<ulong, (int From, int To)> _states = [];
    private readonly Dictionary<ulong, DateTimeOffset> _times = [];
    private SimulatedDisk _disk;
    private LitestreamStore? _store;
    private double _diskTrouble;
    private bool _interleave;
    private DateTimeOffset _called;

    /// <summary>What the application may still do during this call: one that writes more than the engine copies would never let it end.</summary>
    private int _actsLeft;
    private int _before;
    private int _lastState;
    private bool _disturbed;

    private SimulatedWorld(int seed, PlantedBug bug, bool trace)
    {
        (_random, _bug) = (new Random(seed), bug);
        Trace = new Trace(trace, _time);
        _disk = NewDisk();
        _app = new SimulatedApp(_folder.Combine("app.db"), _random, Trace);
        var interval = TimeSpan.FromMilliseconds(_random.Next(1, 3000));
        for (var i = 0; i <= _random.Next(2); i++)
            _replicas.Add(NewReplica($"r{i}", interval));
        _options = new DatabaseOptions
        {
            Path = _folder.Combine("app.db"),
            MetaPath = MetaPath,
            Replicas = [.. _replicas.Select(r => r.Settings)],
            MinCheckpointPageCount = _random.Next(5, 60),
            CheckpointInterval = TimeSpan.FromSeconds(_random.Next(0, 90)),
            MaxSyncWalBytes = _random.Next(4) == 0 ? 1 : 64 << 20,
            MaxLocalBytes = _random.Next(3) == 0 ? 20_000 : 1 << 30,
            LegacyPageFrames = _random.Next(4) == 0,
        };
        Trace.Say($"{_options with { Path = "", Replicas = [] }}, {_replicas.Count} replicas, every {interval}");
    }

    internal Trace Trace { get; }

    /// <summary>Restores compared with what they had to be.</summary>
    internal int Compared { get; private set; }

    /// <summary>Lives a whole life; throws when a promise was broken.</summary>
    /// <param name="seed">Decides everything.</param>
    /// <param name="bug">What is wrong in this world.</param>
    /// <param name="trace">Whether it tells what happens.</param>
    /// <param name="made">Gets the world before it begins to live.</param>
    internal static async Task<SimulatedWorld> RunAsync(
        int seed,
        PlantedBug bug = PlantedBug.None,
        bool trace = false,
        Action<SimulatedWorld>? made = null
    )
    {
        await using var world = new SimulatedWorld(seed, bug, trace);
        made?.Invoke(world);
        await world.StartAsync();
        for (var acts = world._random.Next(10, 50); acts > 0; acts--)
            await world.ActAsync();
        await world.HealAsync();
        await world.JudgeTheEndAsync();
        return world;
    }

    private async Task StepAsync(int milliseconds)
    {
        _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        await EngineAsync("step", () => _store!.Scheduler.StepDueAsync(CancellationToken.None));
    }

    private Task SyncAsync(bool upload) =>
        EngineAsync(upload ? "sync and upload" : "sync", () => _store!.SyncAsync(_options.Path, upload, CancellationToken.None));

    /// <summary>Lets the engine do something, and notes which state each new transaction holds.</summary>
    private async Task EngineAsync(string what, Func<Task> call)
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (_before, _called, _actsLeft) = (_app.Now, _time.GetUtcNow(), 12);
        var outcome = "ok";
        _app.EngineRuns = true;
        try
        {
            await _time.DriveAsync(call());
        }
        catch (Exception e) when (e is LitestreamException or SimulatedCrashException)
        {
            outcome = e is LitestreamException l ? l.Error.ToString() : "power cut";
        }
        finally
        {
            _app.EngineRuns = false;
        }
        var status = _store!.Databases[0];
        if (Trace.IsOn)
        {
            var replicas = string.Join(' ', status.Replicas.Select(r => $"{r.State} {r.Txid.Value}"));
            Trace.Say($"engine: {what}: {outcome}; {status.State} {status.Txid.Value} {replicas}");
        }
        foreach (var replica in _replicas)
            Betray(replica, replica.TakeWritten());
        await JudgeTheStatusAsync(status);
    }

    private void Betray(SimulatedReplica replica, IReadOnlyList<string> written)
    {
        foreach (var lie in replica.TakeLies())
            replica.Remove(lie);
        if (_bug is not (PlantedBug.StoreForgets or PlantedBug.StoreDamages) || written.Count == 0 || _random.Next(4) > 0)
            return;
        var key = written[_random.Next(written.Count)];
        if (_bug == PlantedBug.StoreForgets)
            replica.Remove(key);
        else
            replica.Damage(key, _random.Next(100_000));
        Trace.Say($"{replica.Name}: planted bug at {key}");
    }

    private async Task StartAsync()
    {
        var backend = new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], o => _replicas.Single(r => r.Name == o.Name).Open());
        var options = new LitestreamOptions { Databases = [_options], ShutdownSyncTimeout = TimeSpan.Zero };
        var sources = new SimulatedSource(_bug, () => _time.Advance(TimeSpan.FromMilliseconds(10)), _app.Act);
        _store = new LitestreamStore(
            options,
            new ObjectStoreFactory(backend),
            _time,
            Trace.IsOn ? new TraceLoggers(Trace, Path.GetDirectoryName(_options.Path)!) : null,
            _disk,
            new SilentCommitWatcher(),
            sources
        );
        await _store.AddConfiguredAsync(CancellationToken.None);
        Trace.Say("engine: started");
    }

    private async Task StartAgainAsync()
    {
        _disturbed = true;
        for (var i = _random.Next(_random.Next(3) == 0 ? 12 : 4); i > 0; i--)
            _app.Act();
        if (_random.Next(4) == 0)
        {
            _app.Reopen();
            _app.Note();
        }
        await StartAsync();
    }

    private async Task StopAsync()
    {
        var complete = false;
        await EngineAsync("stop", async () => complete = await _store!.StopAsync(CancellationToken.None));
        Trace.Say($"engine: stopped, complete {complete}");
        await _store!.DisposeAsync();
        _store = null;
        if (!complete)
            return;
        foreach (var replica in _replicas)
            await JudgeAsync(replica, RestoreTarget.Latest, (_before, _app.Now), "after a complete stop");
    }

    private async Task AbandonAsync()
    {
        _app.EngineRuns = true;
        try
        {
            try
            {
                await _store!.AbandonAsync();
            }
            finally
            {
                await _store!.DisposeAsync();
            }
        }
        catch (Exception e) when (e is LitestreamException or SimulatedCrashException)
        {
            Trace.Say($"engine: {e.Message} while it ended");
        }
        finally
        {
            (_app.EngineRuns, _store) = (false, null);
        }
    }

    private SimulatedDisk NewDisk() => new(_time) { Fault = OnDiskStep, IgnoresFlush = _bug == PlantedBug.FsyncLeftOut };

    private SimulatedReplica NewReplica(string name, TimeSpan interval) =>
        new(name, interval, _random, () => _disk, _time, OnStoreCall) { IsGreedy = _bug == PlantedBug.RetentionOneTooFar };

    private void MeanwhileTheAppActs()
    {
        if (!_interleave || !_app.EngineRuns || _actsLeft == 0 || _random.Next(10) > 0)
            return;
        _actsLeft--;
        _app.Act();
    }

    public async ValueTask DisposeAsync()
    {
        _replicas.ForEach(r => r.Trouble = 0);
        (_diskTrouble, _interleave, Trace.Ends) = (0, false, true);
        if (_store is not null)
            await AbandonAsync();
        _app.Dispose();
        _folder.Dispose();
    }
}
