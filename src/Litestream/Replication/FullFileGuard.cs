namespace Litestream.Replication;

/// <summary>
/// Lets a few files that hold the whole database pass, and then fewer and fewer: each costs the database's size on the disk and in every replica, and
/// a loop of them has filled disks (replication-engine §5). Meanwhile the reader stands and the WAL is kept, so a delayed one loses nothing. Pure but
/// for its memory.
/// </summary>
internal sealed class FullFileGuard
{
    /// <summary>So many within <see cref="Window"/> are nobody's business.</summary>
    internal const int Most = 3;

    internal static readonly TimeSpan Window = TimeSpan.FromMinutes(10);

    /// <summary>How long the first one too many waits behind the last; each further one twice as long.</summary>
    internal static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(30);

    internal static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(10);

    private readonly Queue<DateTimeOffset> _written = new();
    private DateTimeOffset _last;
    private int _tooMany;

    /// <summary>When the next one may be written; null: now.</summary>
    internal DateTimeOffset? NextAt(DateTimeOffset now)
    {
        if (!IsAlarming(now))
            return null;
        var next = _last + Delay;
        return next > now ? next : null;
    }

    /// <summary>True while one more would be one too many. A loop that is slowed down goes on being one until it has been calm for the whole window.</summary>
    internal bool IsAlarming(DateTimeOffset now) => Count(now) >= Most || (_tooMany > 0 && now - _last < Window + Delay);

    private TimeSpan Delay
    {
        get
        {
            var delay = FirstDelay * Math.Pow(2, Math.Min(_tooMany, 10));
            return delay < LongestDelay ? delay : LongestDelay;
        }
    }

    /// <summary>One was written.</summary>
    internal void Written(DateTimeOffset now)
    {
        _tooMany = IsAlarming(now) ? _tooMany + 1 : 0;
        _written.Enqueue(now);
        _last = now;
    }

    /// <summary>How many were written within the window.</summary>
    internal int Count(DateTimeOffset now)
    {
        while (_written.TryPeek(out var oldest) && now - oldest >= Window)
            _written.Dequeue();
        return _written.Count;
    }
}
