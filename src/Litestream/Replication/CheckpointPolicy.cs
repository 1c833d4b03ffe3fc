using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>When to checkpoint, and when to look at the WAL again. Pure.</summary>
/// <param name="FrameLimit">Frames in the WAL that start a checkpoint.</param>
/// <param name="Interval">Silence after which the rest is moved; zero: never by time.</param>
internal sealed record CheckpointPolicy(int FrameLimit, TimeSpan Interval)
{
    internal const int DefaultFrameLimit = 8_000;

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
