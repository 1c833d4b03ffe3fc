using Litestream.Replicas;

namespace Litestream.Replication;

/// <summary>One source database and its replicas. Immutable.</summary>
public sealed record DatabaseOptions
{
    /// <summary>Path of the database file; made absolute. The file need not exist yet.</summary>
    public required string Path { get; init; }

    /// <summary>Where the engine keeps its local files. Default: <c>.NAME-litestream</c> beside the database, as Litestream has it.</summary>
    public string? MetaPath { get; init; }

    /// <summary>The destinations, each with its own position and back-off.</summary>
    public IReadOnlyList<ReplicaOptions> Replicas { get; init; } = [];

    /// <summary>
    /// When the file does not exist, it is restored from the replica that reaches furthest before anything is replicated; the app must open it only
    /// after the engine's start. Without a backup the app begins an empty one; a replica that cannot be asked, and remains of another database beside the
    /// missing file (<c>-wal</c>), fail the start. Default false.
    /// </summary>
    public bool RestoreIfMissing { get; init; }

    /// <summary>
    /// Least time between two reads of the WAL, and the period of the safety look that finds commits whose event was lost.
    /// Null (default): every commit wakes the engine, the safety look comes every 10 s.
    /// </summary>
    public TimeSpan? MonitorInterval { get; init; }

    /// <summary>A checkpoint is made after this much silence with commits since the last one. Default 1 min; zero: never by time.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Frames in the WAL that start a checkpoint. Null (default): 8,000.</summary>
    public int? MinCheckpointPageCount { get; init; }

    /// <summary>
    /// One more upper limit of the WAL, in frames: a checkpoint starts at the smaller of the two. In Litestream 0.3 it was the threshold of RESTART
    /// checkpoints, which wait for readers while nobody can write; there are none here. Null (default) or 0: no such limit.
    /// </summary>
    public int? MaxCheckpointPageCount { get; init; }

    /// <summary>
    /// A WAL file of more pages is emptied, so that its space is given back: in silence only (after <see cref="CheckpointInterval"/>), never while somebody
    /// writes or reads. Null (default) or 0: twice <see cref="MinCheckpointPageCount"/>. Negative: never; the file is used again from its start.
    /// </summary>
    public int? TruncatePageN { get; init; }

    /// <summary>How long the engine's own connections wait for a lock outside its barrier. Default 1 s.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>WAL bytes that go into one level-0 file at most, rounded up to a commit. Default 64 MiB.</summary>
    public long MaxSyncWalBytes { get; init; } = 64L << 20;

    /// <summary>
    /// Bytes of LTX files kept locally for replicas that cannot be reached. Beyond it the oldest go, and such a replica is re-based by a
    /// snapshot when it is back. Default 1 GiB.
    /// </summary>
    public long MaxLocalBytes { get; init; } = 1L << 30;

    /// <summary>Write pages in the form that Litestream before 0.5.16 can read. Default false.</summary>
    public bool LegacyPageFrames { get; init; }
}
