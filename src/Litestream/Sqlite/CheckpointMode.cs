namespace Litestream.Sqlite;

/// <summary>How a checkpoint is asked for. RESTART is missing on purpose: it waits for readers while it blocks writers.</summary>
internal enum CheckpointMode
{
    /// <summary>Moves nothing, only tells how far the WAL is and how far it was moved (SQLite 3.51 and later).</summary>
    Noop = -1,

    /// <summary>Moves what can be moved without waiting for anybody.</summary>
    Passive = 0,

    /// <summary>
    /// FULL, asked for only while the writer lock is surely taken (by our own barrier): SQLite then calls the busy handler with the checkpoint
    /// lock held and, refused, goes on as <see cref="Passive"/>. See <see cref="SourceConnection.CheckpointBehindShutDoor"/>.
    /// </summary>
    FullUnlessWriterIsBusy = 1,

    /// <summary>Moves everything and empties the file; only in silence and with no waiting.</summary>
    Truncate = 3,
}

/// <summary>What a checkpoint says.</summary>
/// <param name="IsBusy">Another connection kept it from finishing.</param>
/// <param name="Frames">Frames in the WAL; -1 when unknown.</param>
/// <param name="Backfilled">Of these, moved into the database file; -1 when unknown.</param>
internal readonly record struct CheckpointResult(bool IsBusy, int Frames, int Backfilled)
{
    internal bool IsComplete => !IsBusy && Frames >= 0 && Frames == Backfilled;
}
