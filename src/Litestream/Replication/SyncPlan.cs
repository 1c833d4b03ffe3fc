namespace Litestream.Replication;

/// <summary>What the next sync has to do.</summary>
internal abstract record SyncPlan
{
    private SyncPlan() { }

    /// <summary>Nothing was committed since the last sync.</summary>
    internal sealed record Nothing : SyncPlan;

    /// <summary>Copy the frames behind <paramref name="AfterFrame"/>.</summary>
    /// <param name="AfterFrame">0: the WAL was restarted and everything before was copied.</param>
    internal sealed record Incremental(long AfterFrame) : SyncPlan;

    /// <summary>Continuity cannot be proved: begin anew, and give every replica the whole database.</summary>
    /// <param name="Reason">For the log, the status and the metrics.</param>
    internal sealed record Full(FullReason Reason) : SyncPlan;
}

/// <summary>Why replicas need the whole database.</summary>
internal enum FullReason
{
    /// <summary>Nothing was copied before.</summary>
    FirstSync,

    /// <summary>Local state was lost, or the database is behind a replica: transactions go on behind the replica's last.</summary>
    ReplicaAhead,

    /// <summary>The newest local file cannot be read.</summary>
    LocalFileDamaged,

    /// <summary>The database was rebuilt with another page size.</summary>
    PageSizeChanged,

    /// <summary>The WAL was restarted, emptied or removed while nobody held it.</summary>
    WalRestartedUnwatched,

    /// <summary>The WAL holds other frames than those that were copied.</summary>
    WalOverwritten,

    /// <summary>SQLite's end of the WAL lies before what was copied.</summary>
    WalShrank,

    /// <summary>Frames that SQLite counts as committed could not be proved.</summary>
    WalUnreadable,

    /// <summary>The path names another file than before.</summary>
    DatabaseReplaced,
}
