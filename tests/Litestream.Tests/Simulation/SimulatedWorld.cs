using System.Globalization;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Litestream.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Testing;

namespace Litestream.Tests.Simulation;

/// <summary>A bug put into the world on purpose, to see that the simulation finds it.</summary>
internal enum PlantedBug
{
    None,

    /// <summary>A replica says "stored" and forgets some of the files.</summary>
    StoreForgets,

    /// <summary>A replica flips a bit now and then.</summary>
    StoreDamages,
}

/// <summary>
/// The whole circle without real time, on one thread, from a seed: application, clock, disk, replicas and engine. What happens is written to
/// <see cref="Trace"/>; the same seed gives the same trace.
/// </summary>
internal sealed class SimulatedWorld : IAsyncDisposable
{
    private const string MetaPath = "/sim/meta";
    private const int LongestTrace = 50_000;
    private readonly Random _random;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly MemoryFolder _folder = new();
    private readonly PlantedBug _bug;
    private readonly SimulatedApp _app;
    private readonly List<SimulatedReplica> _replicas = [];
    private readonly DatabaseOptions _options;

    /// <summary>Of each transaction that was in a local file last: the first and last state of the application that it may hold.</summary>
    private readonly Dictionary<ulong, (int From, int To)> _states = [];
    private SimulatedDisk _disk;
    private LitestreamStore? _store;
    private double _diskTrouble;
    private bool _interleave;
    private bool _engineRuns;
    private int _before;
    private int _lastState;
    private bool _disturbed;
    private bool _ends;

    private SimulatedWorld(int seed, PlantedBug bug)
    {
        (_random, _bug) = (new Random(seed), bug);
        _disk = NewDisk();
        _app = new SimulatedApp(_folder.Combine("app.db"), _random, Say);
        var interval = TimeSpan.FromMilliseconds(_random.Next(1, 3000));
        for (var i = 0; i <= _random.Next(2); i++)
            _replicas.Add(new SimulatedReplica($"r{i}", _time, OnStoreCall));
        _options = new DatabaseOptions
        {
            Path = _folder.Combine("app.db"),
            MetaPath = MetaPath,
            Replicas = [.. _replicas.Select(r => r.Options(interval))],
            MinCheckpointPageCount = _random.Next(5, 60),
            CheckpointInterval = TimeSpan.FromSeconds(_random.Next(0, 90)),
            MaxSyncWalBytes = _random.Next(4) == 0 ? 1 : 64 << 20,
            MaxLocalBytes = _random.Next(3) == 0 ? 20_000 : 1 << 30,
            LegacyPageFrames = _random.Next(4) == 0,
        };
        Say($"{_options with { Path = "", Replicas = [] }}, {_replicas.Count} replicas, every {interval}");
    }

    internal List<string> Trace { get; } = [];

    /// <summary>Restores compared with what they had to be.</summary>
    internal int Compared { get; private set; }

    /// <summary>Lives a whole life; throws when a promise was broken.</summary>
    internal static async Task<SimulatedWorld> RunAsync(
        int seed,
        PlantedBug bug = PlantedBug.None,
        int acts = 45,
        Action<SimulatedWorld>? made = null
    )
    {
        await using var world = new SimulatedWorld(seed, bug);
        made?.Invoke(world);
        await world.StartAsync();
        for (var i = 0; i < acts; i++)
            await world.ActAsync();
        await world.HealAsync();
        await world.JudgeTheEndAsync();
        return world;
    }

    private async Task ActAsync()
    {
        switch (_random.Next(40))
        {
            case < 12:
                _app.Act();
                break;
            case < 24:
                await StepAsync(_random.Next(6) == 0 ? _random.Next(120_000) : _random.Next(1500));
                break;
            case < 28:
                await SyncAsync(upload: _random.Next(2) == 0);
                break;
            case < 31:
                double[] troubles = [0, 0, 0.3, 1];
                var replica = _replicas[_random.Next(_replicas.Count)];
                replica.Trouble = troubles[_random.Next(troubles.Length)];
                Say($"{replica.Name}: trouble {replica.Trouble}");
                break;
            case 31:
                _diskTrouble = _diskTrouble > 0 ? 0 : 0.1;
                Say($"disk: trouble {_diskTrouble}");
                break;
            case 32:
                _disk.CapacityBytes = _disk.CapacityBytes is null ? _disk.UsedBytes + _random.Next(5000) : null;
                Say($"disk: capacity {_disk.CapacityBytes}");
                break;
            case 33:
                _interleave = !_interleave;
                break;
            case 34:
                await StopAsync();
                await StartAgainAsync();
                break;
            case 35:
                Say("engine: killed");
                await AbandonAsync();
                await StartAgainAsync();
                break;
            case 36 or 37:
                await PowerCutAsync();
                break;
            case 38 when _random.Next(3) == 0:
                await LoseLocalStateAsync();
                break;
            case 39 when _random.Next(3) == 0:
                await EmptyReplicaAsync();
                break;
            default:
                await JudgeConfirmedAsync();
                break;
        }
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
        _before = _app.Now;
        var outcome = "ok";
        _engineRuns = true;
        try
        {
            await call();
        }
        catch (Exception e) when (e is LitestreamException or SimulatedCrashException)
        {
            outcome = e is LitestreamException l ? l.Error.ToString() : "power cut";
        }
        finally
        {
            _engineRuns = false;
        }
        var status = _store!.Databases[0];
        Say(
            $"engine: {what}: {outcome}; {status.State} {status.Txid.Value} {string.Join(' ', status.Replicas.Select(r => $"{r.State} {r.Txid.Value}"))}"
        );
        foreach (var replica in _replicas)
            Betray(replica, replica.TakeWritten());
    }

    private void Betray(SimulatedReplica replica, IReadOnlyList<string> written)
    {
        if (_bug is not (PlantedBug.StoreForgets or PlantedBug.StoreDamages) || written.Count == 0 || _random.Next(4) > 0)
            return;
        var key = written[_random.Next(written.Count)];
        if (_bug == PlantedBug.StoreForgets)
            replica.Remove(key);
        else
            replica.Damage(key, _random.Next(100_000));
        Say($"{replica.Name}: planted bug at {key}");
    }

    private async Task StartAsync()
    {
        var backend = new ObjectStoreBackend(["mem"], ReplicaLayout.Folders, [], o => _replicas.Single(r => r.Name == o.Name).Open());
        var options = new LitestreamOptions { Databases = [_options], ShutdownSyncTimeout = TimeSpan.Zero };
        _store = new LitestreamStore(options, new ObjectStoreFactory(backend), _time, null, _disk, new SilentCommitWatcher());
        await _store.AddConfiguredAsync(CancellationToken.None);
        Say("engine: started");
    }

    private async Task StartAgainAsync()
    {
        _disturbed = true;
        for (var i = _random.Next(4); i > 0; i--)
            _app.Act();
        if (_random.Next(4) == 0)
            _app.Reopen();
        await StartAsync();
    }

    private async Task StopAsync()
    {
        var complete = false;
        await EngineAsync("stop", async () => complete = await _store!.StopAsync(CancellationToken.None));
        Say($"engine: stopped, complete {complete}");
        await _store!.DisposeAsync();
        _store = null;
        if (!complete)
            return;
        foreach (var replica in _replicas)
            await JudgeAsync(replica, RestoreTarget.Latest, (_before, _app.Now), "after a complete stop");
    }

    private async Task AbandonAsync()
    {
        _engineRuns = true;
        try
        {
            await _store!.AbandonAsync();
            await _store.DisposeAsync();
        }
        catch (Exception e) when (e is LitestreamException or SimulatedCrashException)
        {
            Say($"engine: {e.Message} while it ended");
        }
        finally
        {
            (_engineRuns, _store) = (false, null);
        }
    }

    private async Task PowerCutAsync()
    {
        _disk.CrashAtStep = _disk.Steps.Count + _random.Next(1, 25);
        Say($"power cut at step {_disk.CrashAtStep}");
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            _app.Act();
            await StepAsync(_random.Next(3000));
        }
        await AbandonAsync();
        _disk.Restart(_random.Next(3) == 0 ? null : _random);
        await StartAgainAsync();
    }

    private async Task LoseLocalStateAsync()
    {
        Say("local state lost");
        await AbandonAsync();
        _disk = NewDisk();
        await StartAgainAsync();
    }

    private async Task EmptyReplicaAsync()
    {
        var replica = _replicas[_random.Next(_replicas.Count)];
        Say($"{replica.Name}: emptied");
        await AbandonAsync();
        replica.Empty();
        await StartAgainAsync();
    }

    private SimulatedDisk NewDisk() => new(_time) { Fault = OnDiskStep };

    private Exception? OnDiskStep(DiskStep step)
    {
        Say($"disk: {step.Name} {step.Path}");
        var name = Path.GetFileNameWithoutExtension(step.Path);
        if (step.Name == "rename" && LtxFileInfo.TryParseFileName(name, out _, out var txid))
            NoteTransaction(txid.Value);
        MeanwhileTheAppActs();
        if (!_engineRuns || _diskTrouble == 0 || _random.NextDouble() > _diskTrouble)
            return null;
        Say("disk: failed");
        return SimulatedDisk.Failure(step);
    }

    /// <summary>A local file gets its name: what was committed when the engine began is in it, unless it holds only a part of the WAL.</summary>
    private void NoteTransaction(ulong txid)
    {
        var from = _options.MaxSyncWalBytes == 1 ? _lastState : _before;
        _states[txid] = (from, _app.Now);
        _lastState = from;
    }

    private void NoteUpload(SimulatedReplica replica, string key)
    {
        if (LtxFileInfo.TryParseFileName(Path.GetFileName(key), out _, out var txid))
            replica.States[txid.Value] = _states[txid.Value];
    }

    private StoreFault? OnStoreCall(SimulatedReplica replica, StoreCall call)
    {
        _time.Advance(TimeSpan.FromMilliseconds(_random.Next(20) == 0 ? _random.Next(4000) : _random.Next(30)));
        MeanwhileTheAppActs();
        var fails = _random.NextDouble() < replica.Trouble;
        var afterEffect = fails && _random.Next(3) == 0;
        if (call.Operation == "PUT" && (!fails || afterEffect))
            NoteUpload(replica, call.Key);
        Say($"{replica.Name}: {call.Operation} {call.Key}{(fails ? afterEffect ? " answer lost" : " failed" : "")}");
        return fails ? StoreFault.Unavailable(afterEffect) : null;
    }

    private void MeanwhileTheAppActs()
    {
        if (_interleave && _engineRuns && _random.Next(10) == 0)
            _app.Act();
    }

    /// <summary>What the status calls confirmed can be restored, and is what it was.</summary>
    private async Task JudgeConfirmedAsync()
    {
        var status = _store!.Databases[0];
        foreach (var replica in _replicas)
        {
            var txid = status.Replicas.Single(r => r.Name == replica.Name).Txid;
            if (!txid.IsNone)
                await JudgeAsync(replica, new RestoreTarget(txid), replica.States[txid.Value], $"confirmed {txid.Value}");
        }
    }

    private async Task HealAsync()
    {
        Say("healing");
        (_diskTrouble, _disk.CapacityBytes, _disk.CrashAtStep) = (0, null, null);
        _replicas.ForEach(r => r.Trouble = 0);
        for (var i = 0; i < 4; i++)
            await StepAsync(400_000);
        _interleave = false;
        for (var i = 0; i < 4; i++)
            await StepAsync(400_000);
        var status = _store!.Databases[0];
        Require(status.State == ReplicationState.Current, $"not current after healing but {status.State}: {status.Cause}");
        foreach (var replica in status.Replicas)
            Require(
                replica.State == ReplicationState.Current && replica.Txid == status.Txid,
                $"{replica.Name} is not current after healing but {replica.State} at {replica.Txid} of {status.Txid}: {replica.Cause}"
            );
    }

    private async Task JudgeTheEndAsync()
    {
        var status = _store!.Databases[0];
        Require(_disturbed || status.LastFullReason == nameof(FullReason.FirstSync), $"a full copy without need: {status.LastFullReason}");
        foreach (var replica in _replicas)
        {
            await JudgeAsync(replica, RestoreTarget.Latest, (_app.Now, _app.Now), "latest", IntegrityCheckMode.Full);
            var points = await replica.PointsAsync();
            foreach (var point in points.OrderBy(_ => _random.Next()).Take(3))
                await JudgeAsync(replica, new RestoreTarget(point.Txid), replica.States[point.Txid.Value], $"point {point.Txid.Value}");
        }
        await StopAsync();
    }

    private async Task JudgeAsync(
        SimulatedReplica replica,
        RestoreTarget target,
        (int From, int To) states,
        string what,
        IntegrityCheckMode check = IntegrityCheckMode.None
    )
    {
        string restored;
        try
        {
            restored = await replica.RestoreAsync(_folder, target, check);
        }
        catch (LitestreamException e)
        {
            throw new InvalidOperationException($"{replica.Name}: {what} cannot be restored: {e.Message} ({e.Hint})", e);
        }
        Compared++;
        var found = _app.Dumps.FindIndex(states.From, states.To - states.From + 1, d => d == restored);
        Require(found >= 0, $"{replica.Name}: {what} is none of the states {states.From} to {states.To} but {Where(restored)}");
    }

    private string Where(string dump) => _app.Dumps.LastIndexOf(dump) is >= 0 and var at ? $"state {at}" : "something that never was";

    private static void Require(bool condition, string broken)
    {
        if (!condition)
            throw new InvalidOperationException(broken);
    }

    private void Say(string line)
    {
        Require(Trace.Count < LongestTrace || _ends, "the engine does not come to an end");
        Trace.Add($"{_time.GetUtcNow().ToString("mm:ss.fff", CultureInfo.InvariantCulture)} {line}");
    }

    public async ValueTask DisposeAsync()
    {
        _replicas.ForEach(r => r.Trouble = 0);
        (_diskTrouble, _interleave, _ends) = (0, false, true);
        if (_store is not null)
            await AbandonAsync();
        _app.Dispose();
        _folder.Dispose();
    }
}
