using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>How a follower is doing.</summary>
public enum FollowState
{
    /// <summary>Not looked at the replica yet.</summary>
    Starting,

    /// <summary>Holds everything that the replica had at the last look.</summary>
    Current,

    /// <summary>The replica has more, which is being applied.</summary>
    CatchingUp,

    /// <summary>Readers of the file, or another program that writes to it, hold up an apply.</summary>
    Blocked,

    /// <summary>It cannot go on at present: the replica cannot be reached, lacks transactions, or a file is damaged. It keeps trying.</summary>
    Failing,

    /// <summary>Ended.</summary>
    Stopped,
}

/// <summary>What is known of a follower. Immutable; swapped whole, read from any thread.</summary>
public sealed record FollowStatus
{
    /// <summary>The followed file.</summary>
    public required string Path { get; init; }

    /// <summary>State.</summary>
    public FollowState State { get; init; }

    /// <summary>When the state began.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>Why it is blocked or failing; null otherwise.</summary>
    public string? Cause { get; init; }

    /// <summary>Looks in a row that did not succeed.</summary>
    public int Failures { get; init; }

    /// <summary>The state that the file holds.</summary>
    public Txid Txid { get; init; }

    /// <summary>The newest transaction seen in the replica.</summary>
    public Txid ReplicaTxid { get; init; }

    /// <summary>Transactions that are in the replica but not in the file.</summary>
    public ulong LagTransactions => ReplicaTxid > Txid ? ReplicaTxid.Value - Txid.Value : 0;

    /// <summary>Age of the oldest file in the replica that is not applied; zero when there is none.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>The last look that reached the replica; null before.</summary>
    public DateTimeOffset? LastLook { get; init; }

    /// <summary>When something was applied last; null before.</summary>
    public DateTimeOffset? LastApply { get; init; }

    /// <summary>First of the transactions that the replica lacks; null when it lacks none.</summary>
    public Txid? MissingFrom { get; init; }

    /// <summary>Last of the transactions that the replica lacks; null when it lacks none.</summary>
    public Txid? MissingTo { get; init; }
}
