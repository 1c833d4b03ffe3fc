using System.Globalization;
using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>What another program does that keeps checkpoints from finishing.</summary>
public enum BlockerKind
{
    /// <summary>A read transaction that has not ended: the WAL grows until it does.</summary>
    Reader,

    /// <summary>A write transaction that has not ended.</summary>
    Writer,

    /// <summary>The whole database is locked (<c>locking_mode=EXCLUSIVE</c>): not even commits can be copied.</summary>
    Exclusive,
}

/// <summary>Who keeps checkpoints, or the engine altogether, from going on. Immutable.</summary>
public sealed record CheckpointBlocker
{
    /// <summary>What it does.</summary>
    public BlockerKind Kind { get; init; }

    /// <summary>Since when it has been seen to block.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>The processes that hold such a lock; empty when the system does not tell, or when it is a connection of this process.</summary>
    public IReadOnlyList<LockHolder> Processes { get; init; } = [];

    /// <summary>Bytes of the WAL that cannot be given back meanwhile.</summary>
    public long WalBytes { get; init; }

    /// <summary>One line for people.</summary>
    /// <param name="now">The present time, for the age.</param>
    public string Describe(DateTimeOffset now)
    {
        var who = Processes.Count > 0 ? string.Join(", ", Processes) : "a connection of this process, or one that the system does not name";
        var age = string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, (now - Since).TotalSeconds):F0} s");
        var what = Kind switch
        {
            BlockerKind.Reader => "a read transaction keeps the WAL from being moved into the database file",
            BlockerKind.Writer => "a write transaction keeps checkpoints waiting",
            _ => "the database is locked exclusively",
        };
        var held =
            Kind == BlockerKind.Exclusive ? "" : string.Create(CultureInfo.InvariantCulture, $"; {WalBytes / 1e6:F1} MB of WAL are held");
        return $"{what} since {age}: {who}{held}";
    }
}
