using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>When what happened last to one database. Used under its gate.</summary>
internal sealed class DatabaseClock
{
    private static readonly TimeSpan FirstCyclePause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestCyclePause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBusyPause = TimeSpan.FromMilliseconds(100);

    private WalIndexHeader _seen;
    private DateTimeOffset _seenAt;
    private int _cyclesInVain;
    private WalIndexHeader _endOfVain;

    internal DateTimeOffset LastShip { get; set; } = DateTimeOffset.MinValue;

    /// <summary>When the WAL was last seen to have moved.</summary>
    internal DateTimeOffset LastNews { get; private set; } = DateTimeOffset.MinValue;

    /// <summary>Where the WAL ended after the last checkpoint cycle.</summary>
    internal WalIndexHeader LastCycle { get; private set; }

    internal DateTimeOffset? LastCheckpoint { get; private set; }

    /// <summary>No cycle before this: the last ones were in vain.</summary>
    internal DateTimeOffset NextCycle { get; private set; } = DateTimeOffset.MinValue;

    /// <summary>Everything is moved and the WAL file is long: to be emptied once it is silent.</summary>
    internal bool WantsTruncate { get; set; }

    /// <summary>Frames a second at the last look; 0 when none came.</summary>
    internal double FramesPerSecond { get; private set; }

    internal int Failures { get; set; }

    internal DateTimeOffset? RetryAt { get; set; }

    /// <returns>True when the WAL has moved since the last look.</returns>
    internal bool See(WalIndexHeader end, DateTimeOffset now)
    {
        if (end == _seen)
            return false;
        var elapsed = (now - _seenAt).TotalSeconds;
        var frames = end.Salt == _seen.Salt ? end.LastFrame - (double)_seen.LastFrame : end.LastFrame;
        FramesPerSecond = elapsed > 0 ? Math.Max(0, frames / elapsed) : 0;
        (_seen, _seenAt, LastNews) = (end, now, now);
        return true;
    }

    /// <summary>What stood in the way of the last cycle is gone: the next may come at once, without waiting for a commit.</summary>
    internal void Hurry() => (LastCycle, NextCycle) = (default, DateTimeOffset.MinValue);

    internal void CycleDone(CheckpointOutcome outcome, WalIndexHeader end, DateTimeOffset now)
    {
        // Behind a foreign reader, or a writer that goes back, a cycle is tried again also when nobody commits any more: else the WAL would stay
        // as large as it has become, and who is gone would be called in the way for ever.
        LastCycle = outcome == CheckpointOutcome.Complete ? end : default;
        var stands = end == _endOfVain;
        _endOfVain = end;
        if (outcome == CheckpointOutcome.Complete)
        {
            (_cyclesInVain, NextCycle, LastCheckpoint) = (0, DateTimeOffset.MinValue, now);
            return;
        }
        var pause = FirstCyclePause * Math.Pow(2, Math.Min(_cyclesInVain++, 16));
        // A busy writer fills the WAL meanwhile and is idle for a moment sooner or later; a foreign reader, or one that writes and does not commit,
        // may sit there for hours.
        var longest = outcome == CheckpointOutcome.WriterBusy && !stands ? LongestBusyPause : LongestCyclePause;
        NextCycle = now + (pause < longest ? pause : longest);
    }
}
