using Litestream.Compaction;
using Litestream.Replication;

namespace Litestream;

/// <summary>A database and its loops.</summary>
internal sealed class RunningDatabase(ReplicatedDatabase database, Func<Replica, ReplicaKeeper> keep)
{
    private readonly List<StepScheduler.Activity> _activities = [];
    private readonly List<StepScheduler.Activity> _uploads = [];
    private StepScheduler.Activity? _source;

    internal ReplicatedDatabase Database => database;

    internal StepScheduler.Activity Source => _source!;

    internal List<ReplicaKeeper> Keepers { get; } = [.. database.Replicas.Select(keep)];

    internal void Start(StepScheduler scheduler)
    {
        _source = scheduler.Add(database.StepAsync);
        for (var i = 0; i < database.Replicas.Count; i++)
        {
            var (replica, keeper) = (database.Replicas[i], Keepers[i]);
            var upload = scheduler.Add(replica.StepAsync);
            var tidy = scheduler.Add(keeper.StepAsync);
            replica.Uploaded += () => scheduler.Wake(tidy);
            replica.Doubted += () => scheduler.Wake(upload);
            replica.Wanted += () => scheduler.Wake(upload);
            _uploads.Add(upload);
            _activities.Add(tidy);
        }
        if (Keepers.Count > 0)
            database.MergedByAll = () => Keepers.Min(k => k.Merged);
        database.FileAdded += () => _uploads.ForEach(scheduler.Wake);
    }

    internal void Wake(StepScheduler scheduler)
    {
        if (_source is not null)
            scheduler.Wake(_source);
    }

    internal async Task RemoveAsync(StepScheduler scheduler)
    {
        await scheduler.RemoveAsync(Source).ConfigureAwait(false);
        foreach (var activity in _uploads.Concat(_activities))
            await scheduler.RemoveAsync(activity).ConfigureAwait(false);
    }

    internal DatabaseStatus Status()
    {
        var status = database.Status;
        return status with { Replicas = [.. database.Replicas.Select((r, i) => WithUncopied(Kept(r, Keepers[i]), status))] };
    }

    private static ReplicaStatus Kept(Replica replica, ReplicaKeeper keeper) =>
        replica.CurrentStatus() with
        {
            UpkeepFailure = keeper.Failure,
            Level0 = keeper.CountL0(),
        };

    /// <summary>A replica that has every local file lacks what is only in the WAL.</summary>
    private static ReplicaStatus WithUncopied(ReplicaStatus replica, DatabaseStatus database)
    {
        if (database.OldestUncopied is not { } oldest)
            return replica;
        var state = replica.State == ReplicationState.Current ? ReplicationState.CatchingUp : replica.State;
        return replica with { State = state, OldestPending = replica.OldestPending ?? oldest };
    }
}
