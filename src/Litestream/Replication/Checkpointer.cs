using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>How a checkpoint cycle ended.</summary>
internal enum CheckpointOutcome
{
    /// <summary>Everything is in the database file; the next writer starts the WAL anew.</summary>
    Complete,

    /// <summary>The writer lock was never free for us.</summary>
    WriterBusy,

    /// <summary>Another program's reader stands in the middle of the WAL; the WAL goes on growing.</summary>
    ReaderBlocks,
}

/// <summary>What one cycle did and how long each part took, for the log.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Frames">Frames in the WAL when it began.</param>
/// <param name="Steps">Bulk steps.</param>
/// <param name="Syncing">Time in copies outside the barrier.</param>
/// <param name="Moving">Time in bulk steps.</param>
/// <param name="Tail">Frames that were left for the barrier.</param>
/// <param name="Waiting">Time until the barrier stood.</param>
/// <param name="Barrier">How long writers could not commit.</param>
/// <param name="Moved">What the last step said.</param>
internal sealed record CheckpointCycle(
    CheckpointOutcome Outcome,
    uint Frames,
    int Steps,
    TimeSpan Syncing,
    TimeSpan Moving,
    long Tail,
    TimeSpan Waiting,
    TimeSpan Barrier,
    CheckpointResult Moved
);

/// <summary>
/// One checkpoint cycle in two steps (checkpoint.md): the bulk without a barrier, the tail under a short one. A reader of ours stands at every
/// instant, and a new one begins only after everything up to the old one's mark was copied.
/// </summary>
internal sealed class Checkpointer(SourceConnection source, Func<CancellationToken, Task> sync, TimeProvider time)
{
    /// <summary>How long the writer lock is tried for. SQLite's own busy handler sleeps up to 100 ms between tries and starves behind a busy writer.</summary>
    private static readonly TimeSpan BarrierPatience = TimeSpan.FromMilliseconds(50);

    /// <summary>The same before a bulk step, which can do without.</summary>
    private static readonly TimeSpan BulkPatience = TimeSpan.FromMilliseconds(10);

    /// <summary>How long another checkpoint is waited for while writers wait for us.</summary>
    private static readonly TimeSpan DoorPatience = TimeSpan.FromMilliseconds(20);

    private const int MostTries = 1_000_000;

    /// <summary>Tail that is worth one more step without a barrier, in frames: the barrier should last only a few milliseconds.</summary>
    private const long LongTail = 2_000;

    /// <summary>Each step leaves less than the one before, unless the writer is quicker than the disk; then more steps do not help.</summary>
    private const int MostSteps = 3;

    internal async Task<CheckpointCycle> RunAsync(CancellationToken cancellationToken)
    {
        var frames = source.Look().LastFrame;
        var (steps, syncing, moving) = (0, TimeSpan.Zero, TimeSpan.Zero);
        var start = time.GetTimestamp();
        await sync(cancellationToken).ConfigureAwait(false);
        syncing += Lap(ref start);
        do
        {
            MoveBulk(cancellationToken);
            moving += Lap(ref start);
            await sync(cancellationToken).ConfigureAwait(false);
            syncing += Lap(ref start);
        } while (++steps < MostSteps && Tail() > LongTail);
        var tail = Tail();
        var hasBarrier = TryBarrier(BarrierPatience, cancellationToken);
        var waiting = Lap(ref start);
        CheckpointCycle End(CheckpointOutcome outcome, CheckpointResult moved) =>
            new(outcome, frames, steps, syncing, moving, tail, waiting, hasBarrier ? Lap(ref start) : TimeSpan.Zero, moved);
        if (!hasBarrier)
            return End(CheckpointOutcome.WriterBusy, new CheckpointResult(true, -1, -1));
        try
        {
            await sync(cancellationToken).ConfigureAwait(false);
            var moved = Retry(() => source.CheckpointBehindShutDoor(letWritersIn: false), cancellationToken);
            if (moved.IsBusy)
                return End(CheckpointOutcome.WriterBusy, moved); // another program's checkpoint is still running
            source.MoveReader();
            return End(moved.IsComplete ? CheckpointOutcome.Complete : CheckpointOutcome.ReaderBlocks, moved);
        }
        finally
        {
            source.ReleaseBarrier();
        }
    }

    /// <summary>Frames that no checkpoint of ours has moved yet.</summary>
    private long Tail() =>
        source.Look() is var end && end.Salt == source.ReaderMark.Salt ? end.LastFrame - (long)source.ReaderMark.LastFrame : 0;

    /// <summary>Moves what is copied and a little more, while writers go on.</summary>
    private void MoveBulk(CancellationToken cancellationToken)
    {
        if (TryBarrier(BulkPatience, cancellationToken))
        {
            try
            {
                if (!Retry(() => source.CheckpointBehindShutDoor(letWritersIn: true), cancellationToken).IsBusy)
                    return;
            }
            finally
            {
                source.ReleaseBarrier();
            }
        }
        // A writer that holds its lock for long, or another program's checkpoint: there is nobody to be kept out then.
        source.MoveReader();
        source.Checkpoint(CheckpointMode.Passive);
    }

    /// <summary>
    /// Under the barrier: an application over its own threshold tries a checkpoint after every commit, which is over in microseconds when there is
    /// nothing to move; another program's real one is not waited for.
    /// </summary>
    private CheckpointResult Retry(Func<CheckpointResult> checkpoint, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        for (var tries = 0; ; tries++)
        {
            var result = checkpoint();
            if (
                !result.IsBusy
                || tries == MostTries
                || time.GetElapsedTime(start) > DoorPatience
                || cancellationToken.IsCancellationRequested
            )
                return result;
            Thread.Yield();
        }
    }

    private TimeSpan Lap(ref long start)
    {
        var now = time.GetTimestamp();
        var elapsed = time.GetElapsedTime(start, now);
        start = now;
        return elapsed;
    }

    /// <summary>Empties the WAL file, in silence only. Refused when a commit slipped in or another reader stands in the WAL; then nothing happens.</summary>
    internal bool TryTruncate() => source.Checkpoint(CheckpointMode.Truncate) is { IsBusy: false };

    private bool TryBarrier(TimeSpan patience, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        // The number of tries bounds the loop where the clock stands still (simulation).
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (source.TryBarrier())
                return true;
            if (time.GetElapsedTime(start) > patience || cancellationToken.IsCancellationRequested)
                return false;
            Thread.Yield();
        }
        return false;
    }
}
