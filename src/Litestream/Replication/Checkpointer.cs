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

/// <summary>
/// One checkpoint cycle in two steps (checkpoint.md): the bulk without a barrier, the tail under a short one. A reader of ours stands at every
/// instant, and a new one begins only after everything up to the old one's mark was copied.
/// </summary>
internal sealed class Checkpointer(SourceConnection source, Func<CancellationToken, Task> sync, TimeProvider time)
{
    /// <summary>How long the writer lock is tried for. SQLite's own busy handler sleeps up to 100 ms between tries and starves behind a busy writer.</summary>
    private static readonly TimeSpan BarrierPatience = TimeSpan.FromMilliseconds(50);

    /// <summary>Tail that is worth one more step without a barrier, in frames: the barrier should last only a few milliseconds.</summary>
    private const uint LongTail = 500;

    internal async Task<CheckpointOutcome> RunAsync(CancellationToken cancellationToken)
    {
        await sync(cancellationToken).ConfigureAwait(false);
        source.MoveReader();
        source.Checkpoint(CheckpointMode.Passive);
        var before = source.ReaderMark.LastFrame;
        await sync(cancellationToken).ConfigureAwait(false);
        if (source.Look().LastFrame - (long)before > LongTail)
        {
            source.MoveReader();
            source.Checkpoint(CheckpointMode.Passive);
            await sync(cancellationToken).ConfigureAwait(false);
        }
        if (!TryBarrier(cancellationToken))
            return CheckpointOutcome.WriterBusy;
        try
        {
            await sync(cancellationToken).ConfigureAwait(false);
            source.MoveReader();
            var moved = source.Checkpoint(CheckpointMode.Passive);
            source.MoveReader();
            if (moved.IsBusy)
                return CheckpointOutcome.WriterBusy; // the writer's own checkpoint is still running
            return moved.IsComplete ? CheckpointOutcome.Complete : CheckpointOutcome.ReaderBlocks;
        }
        finally
        {
            source.ReleaseBarrier();
        }
    }

    /// <summary>Empties the WAL file, in silence only. Refused when a commit slipped in or another reader stands in the WAL; then nothing happens.</summary>
    internal bool TryTruncate() => source.Checkpoint(CheckpointMode.Truncate) is { IsBusy: false };

    private bool TryBarrier(CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        // The number of tries bounds the loop where the clock stands still (simulation).
        for (var tries = 0; tries < 1_000_000; tries++)
        {
            if (source.TryBarrier())
                return true;
            if (time.GetElapsedTime(start) > BarrierPatience || cancellationToken.IsCancellationRequested)
                return false;
            Thread.Yield();
        }
        return false;
    }
}
