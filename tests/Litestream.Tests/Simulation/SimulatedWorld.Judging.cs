using Litestream.Replication;
using Litestream.Restore;
using Microsoft.Data.Sqlite;

namespace Litestream.Tests.Simulation;

/// <summary>What must hold at any moment, and after everything was healed.</summary>
internal sealed partial class SimulatedWorld
{
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
        catch (Exception e) when (e is LitestreamException or SqliteException)
        {
            throw new InvalidOperationException($"{replica.Name}: {what} cannot be restored: {e.Message}", e);
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
}
