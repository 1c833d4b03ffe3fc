namespace Litestream.Restore;

/// <summary>How to follow a replica. Immutable.</summary>
public sealed record FollowOptions
{
    /// <summary>
    /// The file that follows. Missing: it is restored first. There: <c>-txid</c> beside it must say which state it holds. Others may read it through
    /// SQLite at any time; nobody else may write to it.
    /// </summary>
    public required string OutputPath { get; init; }

    /// <summary>Pause between two looks at the replica. Default 1 s.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long readers may hold up an apply before it is put off. Meanwhile no new reader comes in. Default 1 s.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Check of the first restore. Default: <see cref="IntegrityCheckMode.None"/>.</summary>
    public IntegrityCheckMode IntegrityCheck { get; init; }

    /// <summary>Connections at the same time; see <see cref="RestoreOptions.Parallelism"/>. Default 8.</summary>
    public int Parallelism { get; init; } = 8;
}
