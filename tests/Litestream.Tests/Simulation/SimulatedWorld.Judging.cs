using Litestream.Ltx;
using Litestream.Replication;
using Litestream.Restore;
using Testing;
using Testing.Oracles;

namespace Litestream.Tests.Simulation;

/// <summary>What must hold at any moment, and after everything was healed: INV1 to INV8 of the specification.</summary>
internal sealed partial class SimulatedWorld
{
    /// <summary>INV4 and INV7: the status says what the disk holds, and calls nothing current that is not.</summary>
    private async Task JudgeTheStatusAsync(DatabaseStatus status)
    {
        if (_disk.CrashAtStep is not null || status.State is not (ReplicationState.Current or ReplicationState.CatchingUp))
            return;
        var local = NewestLocal();
        // A copy that a replica asked for shows with the next look; what is claimed is there in any case.
        Require(local >= status.Txid, $"INV4: the status says transaction {status.Txid.Value}, the disk holds {local.Value}");
        foreach (var replica in _replicas)
        {
            var said = status.Replicas.Single(r => r.Name == replica.Name);
            if (said.State != ReplicationState.Current)
                continue;
            Require(
                said.Txid >= replica.Confirmed,
                $"INV2: {replica.Name} had transaction {replica.Confirmed.Value} and has {said.Txid.Value}"
            );
            replica.Confirmed = said.Txid;
        }
        // "Current" speaks of the last look, which may lie before this call.
        if (status.State != ReplicationState.Current || status.LastSync < _called || _before != _app.Now || _random.Next(6) > 0)
            return;
        foreach (var replica in _replicas)
        {
            var said = status.Replicas.Single(r => r.Name == replica.Name);
            if (said.State == ReplicationState.Current && said.Txid == status.Txid)
                await JudgeAsync(replica, new RestoreTarget(said.Txid), (_app.Now, _app.Now), $"INV7: current at {said.Txid.Value}");
        }
    }

    private Txid NewestLocal()
    {
        var newest = Txid.None;
        foreach (var entry in _disk.List($"{MetaPath}/ltx/0"))
            if (LtxFileInfo.TryParseFileName(entry.Name, out _, out var max) && max > newest)
                newest = max;
        return newest;
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
        Trace.Say("healing");
        (_diskTrouble, _disk.CapacityBytes, _disk.CrashAtStep) = (0, null, null);
        _replicas.ForEach(r => r.Trouble = 0);
        for (var i = 0; i < 4; i++)
            await StepAsync(400_000);
        _interleave = false;
        _app.LetGo();
        for (var i = 0; i < 4; i++)
            await StepAsync(400_000);
        var steady = _time.GetUtcNow();
        for (var i = 0; i < 4; i++)
            await StepAsync(30_000);
        foreach (var replica in _replicas)
            Require(
                replica.Asked.Last < steady
                    || replica.Asked.Last - replica.Asked.Before > TimeSpan.FromHours(20)
                    || replica.Asked.Last - replica.Misled < TimeSpan.FromMinutes(1),
                $"{replica.Name} is listed in a steady state"
            );
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
        // INV5: a whole copy only when continuity could not be proved.
        Require(_disturbed || status.LastFullReason == nameof(FullReason.FirstSync), $"a full copy without need: {status.LastFullReason}");
        foreach (var replica in _replicas)
        {
            await JudgeAsync(replica, RestoreTarget.Latest, (_app.Now, _app.Now), "latest");
            var points = await replica.PointsAsync();
            foreach (var point in points)
                await JudgeAsync(replica, new RestoreTarget(point.Txid), replica.States[point.Txid.Value], $"point {point.Txid.Value}");
            JudgeThePromises(replica, points);
        }
        await StopAsync();
    }

    /// <summary>INV6: a transaction that was stored by itself stays restorable while it is younger than the retention of single transactions.</summary>
    private void JudgeThePromises(SimulatedReplica replica, IReadOnlyList<RestorePoint> points)
    {
        var settings = replica.Settings;
        var single = settings.L0Retention > TimeSpan.Zero && settings.DeletesOldFiles ? settings.L0Retention : TimeSpan.MaxValue;
        var whole = settings.DeletesOldFiles ? settings.SnapshotRetention : TimeSpan.MaxValue;
        var kept = points.Select(p => p.Txid.Value).ToHashSet();
        var now = _time.GetUtcNow();
        foreach (var (txid, time) in replica.Stored)
            if (now - time < single && now - time < whole)
                Require(kept.Contains(txid), $"INV6: {replica.Name}: transaction {txid} is promised and is not restorable");
        // And what is older has a point for every moment that is promised: the last one before it.
        if (points.Count > 0 && replica.Stored.Count > 0 && whole < TimeSpan.MaxValue)
        {
            var oldest = replica.Stored.Values.Min() > now - whole ? replica.Stored.Values.Min() : now - whole;
            Require(
                points.Min(p => p.Timestamp) <= oldest + TimeSpan.FromSeconds(5),
                $"INV6: {replica.Name}: the oldest point is of {points.Min(p => p.Timestamp)}, promised is {oldest}"
            );
        }
    }

    private async Task JudgeAsync(SimulatedReplica replica, RestoreTarget target, (int From, int To) states, string what)
    {
        byte[] restored;
        try
        {
            (_, restored) = await replica.RestoreAsync(target);
        }
        catch (LitestreamException e)
        {
            throw new InvalidOperationException($"{replica.Name}: {what} cannot be restored: {e.Message}", e);
        }
        Compared++;
        for (var state = states.To; state >= states.From; state--)
            if (_app.States[state].AsSpan().SequenceEqual(restored))
                return;
        // Free pages may differ and mean nothing: only then is it worth the time to compare what people see.
        var (dump, integrity) = Dump(restored);
        Require(integrity == "ok", $"{replica.Name}: {what} is broken: {integrity}");
        for (var state = states.To; state >= states.From; state--)
            if (Dump(_app.States[state]).Text == dump)
                return;
        Require(false, $"{replica.Name}: {what} is none of the states {states.From} to {states.To} but {Where(dump)}");
    }

    private (string Text, string? Integrity) Dump(byte[] content)
    {
        var path = _folder.Combine("compared.db");
        File.WriteAllBytes(path, content);
        try
        {
            using var connection = TestDatabase.Open(path);
            var integrity = connection.Scalar("PRAGMA integrity_check");
            return (CanonicalDump.Of(connection), integrity);
        }
        catch (Microsoft.Data.Sqlite.SqliteException e)
        {
            return ("", e.Message);
        }
        finally
        {
            foreach (var suffix in new[] { "", "-wal", "-shm" })
                File.Delete(path + suffix);
        }
    }

    private string Where(string dump) =>
        _app.States.FindLastIndex(s => Dump(s).Text == dump) is >= 0 and var at ? $"state {at}" : "something that never was";

    private static void Require(bool condition, string broken)
    {
        if (!condition)
            throw new InvalidOperationException(broken);
    }
}
