using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Compaction;

/// <summary>When a level is due. Pure; from the files alone, so that a restart changes nothing and an idle database is never asked.</summary>
/// <param name="Intervals">Of level 1, 2, ...</param>
internal sealed record CompactionSchedule(IReadOnlyList<TimeSpan> Intervals)
{
    /// <summary>When a level is to be merged: at the end of the slot of the wall clock in which its oldest waiting file was made.</summary>
    /// <param name="level">1 to 8.</param>
    /// <param name="oldestWaiting">Time of that file.</param>
    /// <param name="now">The clock now.</param>
    /// <param name="lastRun">When this process merged the level last; null: never.</param>
    internal DateTimeOffset DueAt(int level, DateTimeOffset oldestWaiting, DateTimeOffset now, DateTimeOffset? lastRun)
    {
        var interval = Intervals[level - 1];
        // Made in the future: the clock has gone back. Then the pace is kept by our own count.
        if (oldestWaiting > now)
            return lastRun is { } last && last <= now ? last + interval : now;
        return SlotStart(oldestWaiting, interval) + interval;
    }

    private static DateTimeOffset SlotStart(DateTimeOffset time, TimeSpan interval) =>
        new(time.UtcTicks - time.UtcTicks % interval.Ticks, TimeSpan.Zero);
}

/// <summary>When the next snapshot is due. Pure.</summary>
internal static class SnapshotSchedule
{
    /// <returns>Null: when something was committed since the last one.</returns>
    /// <param name="listing">The replica's files.</param>
    /// <param name="interval">Time between two snapshots.</param>
    /// <param name="now">The clock now.</param>
    internal static DateTimeOffset? DueAt(ReplicaListing listing, TimeSpan interval, DateTimeOffset now)
    {
        if (listing.Newest is not { } newest)
            return null;
        if (listing.NewestSnapshot is not { } snapshot)
            return now;
        if (newest.MaxTxid <= snapshot.MaxTxid)
            return null;
        var due = snapshot.Timestamp + interval;
        // A snapshot of the future (the clock has gone back) must not put off the next one for ever.
        return due > now + interval ? now + interval : due;
    }
}
