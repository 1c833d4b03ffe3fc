using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>When a database is looked at next: by the clock while it is written, by an event when it is silent.</summary>
/// <remarks>Used under the database's gate, but for <see cref="OnWrite"/> and <see cref="IsWatched"/>, which any thread may use.</remarks>
internal sealed class LookSchedule(
    DatabaseOptions options,
    EngineServices services,
    CheckpointPolicy checkpoints,
    DatabaseClock clock,
    Action wake
)
{
    /// <summary>Period of the look that finds commits whose event was lost, when no monitor interval is set.</summary>
    private static readonly TimeSpan SafetyLook = TimeSpan.FromSeconds(10);

    /// <summary>The same where the system tells nothing of writes.</summary>
    private static readonly TimeSpan PollingLook = TimeSpan.FromSeconds(1);

    /// <summary>Looks after 1, 2, 4 … 1,024 ms, two seconds in all.</summary>
    private const int LastLookAgain = 11;

    private volatile bool _isWatched;

    /// <summary>The last pause between two looks while writing; zero after silence.</summary>
    private TimeSpan _pause;

    /// <summary>Looks made since a write was told that no commit has followed yet; <see cref="LastLookAgain"/>: none is awaited.</summary>
    private volatile int _lookAgain = LastLookAgain;

    /// <summary>Least time between two copies while commits keep coming: the monitor interval, else the shortest sync interval of the replicas.</summary>
    internal TimeSpan ShipInterval { get; } =
        options.MonitorInterval ?? (options.Replicas.Count == 0 ? TimeSpan.FromSeconds(1) : options.Replicas.Min(r => r.SyncInterval));

    /// <summary>True while the next commit would be told by an event: a notice from this process is worth a step only then.</summary>
    internal bool IsWatched => _isWatched;

    /// <summary>A look begins: until it ends, events are not awaited.</summary>
    internal void BeginLook() => _isWatched = false;

    /// <summary>The commit that was awaited has shown.</summary>
    internal void CommitSeen() => _lookAgain = LastLookAgain;

    /// <summary>Sleep until the next commit, the safety look, or the checkpoint after silence.</summary>
    internal DateTimeOffset AfterEverythingIsCopied(SourceConnection source, WalIndexHeader end)
    {
        _pause = TimeSpan.Zero;
        var now = services.Time.GetUtcNow();
        var period = options.MonitorInterval ?? (services.Watcher.TellsWrites ? SafetyLook : PollingLook);
        // All databases look on the same beat, so that five hundred of them wake the process once and not five hundred times.
        var next = new DateTimeOffset((now.Ticks / period.Ticks + 1) * period.Ticks, TimeSpan.Zero);
        if (CheckpointAfterSilence(end, now) is { } checkpoint && checkpoint < next)
            next = checkpoint;
        if (_lookAgain < LastLookAgain)
        {
            var again = now + TimeSpan.FromMilliseconds(1 << _lookAgain++);
            if (again < next)
                next = again;
        }
        if (options.MonitorInterval is not null)
            return next;
        _isWatched = true; // commits of this process are told in any case
        // A commit between the look and the arming was told to nobody.
        return services.Watcher.Arm(source.Wal.Path, OnWrite) && source.Look() != end ? now : next;
    }

    /// <summary>By the clock: at the next copy, or earlier when the WAL grows fast.</summary>
    internal DateTimeOffset WhileWriting(WalIndexHeader end)
    {
        var now = services.Time.GetUtcNow();
        var untilShip = clock.LastShip + ShipInterval - now;
        var longest = untilShip > CheckpointPolicy.MinLookPause ? untilShip : CheckpointPolicy.MinLookPause;
        // After silence the rate is not known yet, and a quick writer fills the WAL tenfold in the time of a copy: feel the way.
        _pause = _pause == TimeSpan.Zero ? CheckpointPolicy.MinLookPause : _pause * 2;
        if (_pause > longest)
            _pause = longest;
        _pause = checkpoints.NextLook(end, clock.FramesPerSecond, _pause);
        return now + _pause;
    }

    private DateTimeOffset? CheckpointAfterSilence(WalIndexHeader end, DateTimeOffset now)
    {
        var due = clock.LastNews + checkpoints.Interval;
        if (!checkpoints.IsDueBySilence(end, clock.LastCycle, TimeSpan.MaxValue))
            return clock.WantsTruncate && checkpoints.Interval > TimeSpan.Zero && due > now ? due : null;
        if (due < clock.NextCycle)
            due = clock.NextCycle;
        return due > now ? due : now + CheckpointPolicy.MinLookPause;
    }

    /// <summary>
    /// Frames were written. SQLite publishes the commit a moment later, after its fsync, and without a sign that could be watched: so the WAL
    /// is looked at again until the commit shows.
    /// </summary>
    private void OnWrite()
    {
        if (_lookAgain >= LastLookAgain)
            _lookAgain = 0;
        wake();
    }
}
