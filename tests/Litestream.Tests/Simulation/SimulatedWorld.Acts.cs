using Litestream.Ltx;
using Testing;

namespace Litestream.Tests.Simulation;

/// <summary>What may happen to the engine, and what disk and stores answer.</summary>
internal sealed partial class SimulatedWorld
{
    private static readonly double[] Troubles = [0, 0, 0.3, 1];

    private async Task ActAsync()
    {
        switch (_random.Next(42))
        {
            case < 12:
                _app.Act();
                break;
            case < 24:
                await StepAsync(
                    _random.Next(24) switch
                    {
                        0 => _random.Next(2 * 24 * 3_600_000), // two days without the engine having run
                        < 4 => _random.Next(120_000),
                        _ => _random.Next(1500),
                    }
                );
                break;
            case < 28:
                await SyncAsync(upload: _random.Next(2) == 0);
                break;
            case < 31:
                var replica = _replicas[_random.Next(_replicas.Count)];
                replica.Trouble = Troubles[_random.Next(Troubles.Length)];
                Trace.Say($"{replica.Name}: trouble {replica.Trouble}");
                break;
            case 31:
                _diskTrouble = _diskTrouble > 0 ? 0 : 0.1;
                Trace.Say($"disk: trouble {_diskTrouble}");
                break;
            case 32:
                _disk.CapacityBytes = _disk.CapacityBytes is null ? _disk.UsedBytes + _random.Next(5000) : null;
                Trace.Say($"disk: capacity {_disk.CapacityBytes}");
                break;
            case 33:
                _interleave = !_interleave;
                break;
            case 34:
                await StopAsync();
                await StartAgainAsync();
                break;
            case 35:
                Trace.Say("engine: killed");
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
            case 40 when _random.Next(3) == 0:
                await ReplaceDatabaseAsync();
                break;
            default:
                await JudgeConfirmedAsync();
                break;
        }
    }

    private async Task PowerCutAsync()
    {
        _disk.CrashAtStep = _disk.Steps.Count + _random.Next(1, 25);
        Trace.Say($"power cut at step {_disk.CrashAtStep}");
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            _app.Act();
            await StepAsync(_random.Next(3000));
        }
        await AbandonAsync();
        var before = _replicas.ConvertAll(r => r.Keys);
        _disk.Restart(_random.Next(3) == 0 ? null : _random);
        for (var i = 0; i < before.Count; i++)
            _replicas[i].ForgetLost(before[i]);
        await StartAgainAsync();
    }

    private async Task LoseLocalStateAsync()
    {
        Trace.Say("local state lost");
        await AbandonAsync();
        foreach (var file in _disk.Files.Where(f => f.StartsWith(MetaPath, StringComparison.Ordinal)))
            _disk.Remove(file);
        // A listing that does not show the last uploads yet cannot be told from a replica that never got them.
        _time.Advance(TimeSpan.FromSeconds(5));
        await StartAgainAsync();
    }

    private async Task EmptyReplicaAsync()
    {
        var replica = _replicas[_random.Next(_replicas.Count)];
        Trace.Say($"{replica.Name}: emptied");
        await AbandonAsync();
        replica.Empty();
        _time.Advance(TimeSpan.FromSeconds(5)); // as above: a late listing shows what has gone
        await StartAgainAsync();
    }

    private async Task ReplaceDatabaseAsync()
    {
        _disturbed = true;
        if (_random.Next(2) == 0)
        {
            _app.Replace(inPlace: false);
            return;
        }
        await AbandonAsync();
        _app.Replace(inPlace: _random.Next(2) == 0);
        await StartAgainAsync();
    }

    private Exception? OnDiskStep(DiskStep step)
    {
        // Temporary names in the folder replica have a random part that is no part of the life.
        if (Trace.IsOn)
            Trace.Say(
                $"disk: {step.Name} {(Path.GetFileName(step.Path).StartsWith('.') ? Path.GetDirectoryName(step.Path) + "/.tmp" : step.Path)}"
            );
        if (step.Name == "rename")
            _app.NoteRecovery();
        var newest = _app.Now;
        MeanwhileTheAppActs();
        if (_app.EngineRuns && _diskTrouble > 0 && _random.NextDouble() <= _diskTrouble)
        {
            Trace.Say("disk: failed");
            return SimulatedDisk.Failure(step, _random.Next(2) == 0 ? LitestreamError.DiskFull : LitestreamError.LocalStorage);
        }
        if (step.Name == "rename" && step.Path.StartsWith(MetaPath, StringComparison.Ordinal))
        {
            var name = Path.GetFileNameWithoutExtension(step.Path);
            if (LtxFileInfo.TryParseFileName(name, out _, out var txid))
                NoteTransaction(txid.Value, newest);
            Require(
                _bug == PlantedBug.FsyncLeftOut || _disk.IsDurable(step.Path),
                $"INV3: {name} gets its name before its bytes are durable"
            );
        }
        return null;
    }

    /// <summary>A local file gets its name: what was committed when the engine began is in it, unless it holds only a part of the WAL.</summary>
    private void NoteTransaction(ulong txid, int newest)
    {
        var from = _options.MaxSyncWalBytes == 1 ? _lastState : _before;
        _lastState = from;
        // A name that is taken: a power cut may bring the older file back, which is as good. It has reached no replica.
        var isThere = _disk.FileExists($"{MetaPath}/ltx/0/{LtxFileInfo.FormatFileName(new Txid(txid), new Txid(txid))}");
        _times[txid] = _time.GetUtcNow();
        _states[txid] = (isThere ? Math.Min(_states[txid].From, from) : from, newest);
    }

    private void NoteUpload(SimulatedReplica replica, string key, bool confirmed)
    {
        if (!LtxFileInfo.TryParseFileName(Path.GetFileName(key), out var first, out var last))
            return;
        // A merge holds what its parts held here; a single transaction or a snapshot comes from the database.
        var isMerged = !key.StartsWith("ltx/0/", StringComparison.Ordinal) && !key.StartsWith("ltx/9/", StringComparison.Ordinal);
        if (!isMerged || !replica.States.ContainsKey(last.Value))
            replica.States[last.Value] = _states[last.Value];
        if (confirmed && key.StartsWith("ltx/0/", StringComparison.Ordinal) && first == last)
            replica.Uploads[key] = (last.Value, _times[last.Value]);
    }

    private StoreFault? OnStoreCall(SimulatedReplica replica, StoreCall call)
    {
        _time.Advance(TimeSpan.FromMilliseconds(_random.Next(20) == 0 ? _random.Next(4000) : _random.Next(30)));
        MeanwhileTheAppActs();
        var fails = _random.NextDouble() < replica.Trouble;
        var afterEffect = fails && _random.Next(3) == 0;
        var isPut = call.Operation == "PUT";
        // A request may be slow on its way: it failed for us, and takes effect, or takes effect again, when we are doing other things.
        var late = fails && isPut && _random.Next(4) == 0 ? _random.Next(1, 6) : 0;
        if (isPut && (!fails || afterEffect || late > 0))
            NoteUpload(replica, call.Key, confirmed: !fails);
        var outcome = (fails, afterEffect, late) switch
        {
            (false, _, _) => "",
            (_, true, 0) => "answer lost",
            (_, false, 0) => "failed",
            (_, true, _) => "answer lost, and again later",
            _ => "failed, but comes later",
        };
        Trace.Say($"{replica.Name}: {call.Operation} {call.Key} {outcome}");
        if (!fails)
            return null;
        if (_bug == PlantedBug.PositionKeptAfterUnknownPut && isPut)
        {
            NoteUpload(replica, call.Key, confirmed: false);
            if (!afterEffect)
                replica.Lie(call.Key);
            return null;
        }
        return StoreFault.Unavailable(afterEffect) with { EffectAfterCalls = late };
    }
}
