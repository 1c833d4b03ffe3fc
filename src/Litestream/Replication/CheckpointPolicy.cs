using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>When to checkpoint, and when to look at the WAL again. Pure.</summary>
/// <param name="FrameLimit">Frames in the WAL that start a checkpoint.</param>
/// <param name="Interval">Silence after which the rest is moved; zero: never by time.</param>
/// <param name="TruncatePages">A file of more pages is emptied in silence, once everything is moved; 0: never.</param>
internal sealed record CheckpointPolicy(int FrameLimit, TimeSpan Interval, long TruncatePages = 0)
{
    internal const int DefaultFrameLimit = 8_000;

    /// <summary>
    /// Reads Litestream's thresholds in this scheme. There is one kind of cycle, which blocks nobody for long: so v0.3's threshold for a RESTART that waits
    /// for readers is one more upper limit of the WAL, and the one for TRUNCATE says from which size on the file is given back, which happens in silence only.
    /// </summary>
    internal static CheckpointPolicy Of(DatabaseOptions options)
    {
        var limit = options.MinCheckpointPageCount ?? DefaultFrameLimit;
        if (options.MaxCheckpointPageCount is > 0 and var most && most < limit)
            limit = most;
        var truncate = options.TruncatePageN switch
        {
            < 0 => 0,
            null or 0 => 2L * limit,
            { } pages => pages,
        };
        return new CheckpointPolicy(limit, options.CheckpointInterval, truncate);
    }

    /// <summary>True when a file of this length is worth emptying.</summary>
    internal bool IsLong(long walFileBytes, int pageSize) => TruncatePages > 0 && walFileBytes > TruncatePages * pageSize;

    /// <summary>Least and greatest pause between two looks at a WAL that is being written.</summary>
    internal static readonly TimeSpan MinLookPause = TimeSpan.FromMilliseconds(5);

    /// <summary>True when the WAL is long enough and something new came since the last cycle.</summary>
    /// <remarks>Without the second condition a long reader, or a writer that has not yet restarted the WAL, would start one cycle after the other.</remarks>
    internal bool IsDueBySize(WalIndexHeader end, WalIndexHeader lastCycle) => end.LastFrame >= FrameLimit && HasNews(end, lastCycle);

    /// <summary>True after enough silence when something was committed since the last cycle.</summary>
    internal bool IsDueBySilence(WalIndexHeader end, WalIndexHeader lastCycle, TimeSpan silence) =>
        IsSilence(silence) && end.LastFrame > 0 && HasNews(end, lastCycle);

    /// <summary>True when nobody has written for the interval: time to give disk space back as well.</summary>
    internal bool IsSilence(TimeSpan silence) => Interval > TimeSpan.Zero && silence >= Interval;

    /// <summary>True when no cycle is due, and none will be by waiting.</summary>
    internal bool IsDone(WalIndexHeader end, WalIndexHeader lastCycle) =>
        end.LastFrame == 0 || !HasNews(end, lastCycle) || (Interval == TimeSpan.Zero && !IsDueBySize(end, lastCycle));

    private static bool HasNews(WalIndexHeader end, WalIndexHeader lastCycle) =>
        end.Salt != lastCycle.Salt || end.LastFrame != lastCycle.LastFrame;

    /// <summary>How long until the WAL could be at its limit, by its present rate: a quarter of that, so that the limit is met closely.</summary>
    internal TimeSpan NextLook(WalIndexHeader end, double framesPerSecond, TimeSpan longest)
    {
        if (framesPerSecond <= 0)
            return longest;
        var left = Math.Max(0, FrameLimit - (long)end.LastFrame);
        var pause = TimeSpan.FromSeconds(Math.Min(longest.TotalSeconds, left / framesPerSecond / 4));
        return pause < MinLookPause ? MinLookPause : pause;
    }
}
