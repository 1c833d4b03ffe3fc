using Litestream.Ltx;

namespace Litestream.Replication;

/// <summary>How a database or replica is doing.</summary>
public enum ReplicationState
{
    /// <summary>Not opened yet: the file is not there, or its first look is still running.</summary>
    Starting,

    /// <summary>Commits or files are waiting to be copied.</summary>
    CatchingUp,

    /// <summary>Everything committed when last looked is copied.</summary>
    Current,

    /// <summary>Another program keeps us from reading or moving on; the cause names it where the system tells.</summary>
    Blocked,

    /// <summary>The last try failed; it is retried.</summary>
    Failing,

    /// <summary>Another engine writes to the same place; nothing is written by us any more.</summary>
    Fenced,

    /// <summary>Stopped.</summary>
    Stopped,
}

/// <summary>What the outside may see of one database. Immutable; swapped whole after each step.</summary>
public sealed record DatabaseStatus
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>How reading the source is doing.</summary>
    public ReplicationState State { get; init; }

    /// <summary>Why, when the state is not a good one; one line for people.</summary>
    public string? Cause { get; init; }

    /// <summary>Since when the state is as it is.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>Last transaction in the local LTX directory.</summary>
    public Txid Txid { get; init; }

    /// <summary>When that transaction was read from the WAL; null before the first.</summary>
    public DateTimeOffset? TxidTime { get; init; }

    /// <summary>Bytes of the database file when last looked.</summary>
    public long DatabaseBytes { get; init; }

    /// <summary>Bytes of the WAL that are in use (not the file's size) when last looked.</summary>
    public long WalBytes { get; init; }

    /// <summary>Bytes of LTX files kept locally.</summary>
    public long LocalBytes { get; init; }

    /// <summary>When the last look at the WAL ended without an error; null before the first.</summary>
    public DateTimeOffset? LastSync { get; init; }

    /// <summary>When the last checkpoint ended; null before the first.</summary>
    public DateTimeOffset? LastCheckpoint { get; init; }

    /// <summary>When it is tried again; null when not failing.</summary>
    public DateTimeOffset? NextRetry { get; init; }

    /// <summary>Time of the oldest commit that is in no local file yet, as far as is known; null when everything seen is copied.</summary>
    public DateTimeOffset? OldestUncopied { get; init; }

    /// <summary>Bytes of the WAL that are in no local file yet when last looked.</summary>
    public long UncopiedBytes { get; init; }

    /// <summary>Who keeps checkpoints, or the engine altogether, from going on; null when nobody does for longer than everyday.</summary>
    public CheckpointBlocker? Blocker { get; init; }

    /// <summary>What needs a person's eye though replication goes on; one line each.</summary>
    public IReadOnlyList<string> Alarms { get; init; } = [];

    /// <summary>Files with the whole database, written since the start.</summary>
    public int FullFiles { get; init; }

    /// <summary>Why the last of these was written; null when none.</summary>
    public string? LastFullReason { get; init; }

    /// <summary>The replicas, in configured order.</summary>
    public IReadOnlyList<ReplicaStatus> Replicas { get; init; } = [];
}

/// <summary>What the outside may see of one replica. Immutable.</summary>
public sealed record ReplicaStatus
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its URL without secrets.</summary>
    public required string Location { get; init; }

    /// <summary>Backend: <c>file</c>, <c>s3</c>, ...</summary>
    public required string Kind { get; init; }

    /// <summary>How it is doing.</summary>
    public ReplicationState State { get; init; }

    /// <summary>The last error, when failing; one line for people.</summary>
    public string? Cause { get; init; }

    /// <summary>Since when the state is as it is.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>Last transaction that the store has confirmed.</summary>
    public Txid Txid { get; init; }

    /// <summary>When the store confirmed the last file; null before the first since the start.</summary>
    public DateTimeOffset? LastUpload { get; init; }

    /// <summary>When it was last known to hold everything; null before.</summary>
    public DateTimeOffset? LastCurrent { get; init; }

    /// <summary>Time of the state that its newest snapshot holds; null when it has none, or was not listed yet.</summary>
    public DateTimeOffset? LastSnapshot { get; init; }

    /// <summary>Why merging its levels, a snapshot or a deletion failed last; null when all is in order.</summary>
    public string? UpkeepFailure { get; init; }

    /// <summary>Level-0 files that are merged and old enough to be deleted, not merged yet, and merged but too recent.</summary>
    public (int Eligible, int NotCompacted, int TooRecent) Level0 { get; init; }

    /// <summary>Local bytes that wait for upload.</summary>
    public long PendingBytes { get; init; }

    /// <summary>Transactions that wait for upload.</summary>
    public long PendingTransactions { get; init; }

    /// <summary>Time of the oldest commit that is not confirmed, those in the WAL included; null when none waits.</summary>
    public DateTimeOffset? OldestPending { get; init; }

    /// <summary>How far behind it is: the age of the oldest commit that is not confirmed; zero when none waits.</summary>
    /// <param name="now">The present time.</param>
    public TimeSpan Lag(DateTimeOffset now) => OldestPending is { } oldest && now > oldest ? now - oldest : TimeSpan.Zero;

    /// <summary>Failed tries since the last success.</summary>
    public int Failures { get; init; }

    /// <summary>When it is tried again; null when not failing.</summary>
    public DateTimeOffset? NextRetry { get; init; }

    /// <summary>The place also holds a backup of Litestream 0.3, seen when it was first listed; it is left alone.</summary>
    public bool HoldsGenerations { get; init; }
}
