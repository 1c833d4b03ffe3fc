namespace Litestream.Tests.Simulation;

/// <summary>A bug put into the world on purpose, to see that the simulation finds it.</summary>
internal enum PlantedBug
{
    None,

    /// <summary>A replica says "stored" and forgets some of the files.</summary>
    StoreForgets,

    /// <summary>A replica flips a bit now and then.</summary>
    StoreDamages,

    /// <summary>The engine's bytes are never synced: its fsync does nothing.</summary>
    FsyncLeftOut,

    /// <summary>An upload whose outcome is unknown moves the position on, as if it had been confirmed.</summary>
    PositionKeptAfterUnknownPut,

    /// <summary>Frames of a transaction that is still open are taken for a commit.</summary>
    TailShippedBeforeCommit,

    /// <summary>The WAL file is believed, not SQLite's own end of it: what a dead writer never published is shipped.</summary>
    FramesPastTheEnd,

    /// <summary>After a start, a WAL with a new salt behind whose frames the old tail is still to be seen counts as restarted once.</summary>
    TailTrustedWithoutTheLock,

    /// <summary>Retention deletes one file more than it should.</summary>
    RetentionOneTooFar,

    /// <summary>The standing reader is let go for the time of a checkpoint.</summary>
    ReaderDroppedForTheCheckpoint,

    /// <summary>Nothing is copied under the checkpoint's barrier.</summary>
    NoSyncUnderTheBarrier,
}
