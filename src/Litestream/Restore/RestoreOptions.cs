using Litestream.Ltx;
using Litestream.Restore.V3;

namespace Litestream.Restore;

/// <summary>How thoroughly a restored database is checked before it gets its name.</summary>
public enum IntegrityCheckMode
{
    /// <summary>Only the files' own checksums.</summary>
    None,

    /// <summary><c>PRAGMA quick_check</c>.</summary>
    Quick,

    /// <summary><c>PRAGMA integrity_check</c>.</summary>
    Full,
}

/// <summary>Which state of the database is wanted. Both null: the newest.</summary>
/// <param name="Txid">Exactly the state after this transaction.</param>
/// <param name="Timestamp">The newest state strictly before this moment; of backups of Litestream 0.3 what was stored not after it.</param>
public sealed record RestoreTarget(Txid? Txid = null, DateTimeOffset? Timestamp = null)
{
    /// <summary>Only this generation of the backups of Litestream 0.3, 16 hex digits. Default: null, LTX files and all generations.</summary>
    public string? Generation { get; init; }

    /// <summary>Up to the end of this WAL index of <see cref="Generation"/>. Default: null, all of them.</summary>
    public uint? Index { get; init; }

    /// <summary>The newest state.</summary>
    public static RestoreTarget Latest { get; } = new();
}

/// <summary>How to restore. Immutable.</summary>
public sealed record RestoreOptions
{
    /// <summary>The file to make. It must not exist, nor <c>-wal</c>, <c>-shm</c>, <c>-journal</c> beside it; an existing file of 0 bytes is replaced.</summary>
    public required string OutputPath { get; init; }

    /// <summary>Which state.</summary>
    public RestoreTarget Target { get; init; } = RestoreTarget.Latest;

    /// <summary>Default: <see cref="IntegrityCheckMode.None"/>, as Litestream.</summary>
    public IntegrityCheckMode IntegrityCheck { get; init; }

    /// <summary>
    /// Connections at the same time, each with a small file or 4 MiB of a large one; memory is this times 4 MiB. Folders use 3 at most. Default 8.
    /// </summary>
    public int Parallelism { get; init; } = 8;

    /// <summary>
    /// A file whose mode and owner the output gets. Default: null, those of an empty file that the output replaces, else the system's mode and, where
    /// permitted, the owner of the folder.
    /// </summary>
    public string? AccessLike { get; init; }

    /// <summary>
    /// For a file that follows its replica: rollback-journal mode in its header, as only then its pages may be changed from outside, and this is called
    /// when the file is whole but has no name yet.
    /// </summary>
    internal Func<Txid, CancellationToken, Task>? ForFollowing { get; init; }
}

/// <summary>What a restore did.</summary>
/// <param name="OutputPath">The file made.</param>
/// <param name="Txid">The state it holds; <see cref="Txid.None"/> for one of Litestream 0.3.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="Duration">Time taken.</param>
public sealed record RestoreResult(string OutputPath, Txid Txid, long SizeBytes, TimeSpan Duration)
{
    /// <summary>Which of several replicas it came from, from 0; 0 with a single one.</summary>
    public int ReplicaIndex { get; init; }

    /// <summary>The backup of Litestream 0.3 that it came from; null for LTX files.</summary>
    public V3Plan? OldBackup { get; init; }
}
