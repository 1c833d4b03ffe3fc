using Microsoft.Extensions.Time.Testing;

namespace Litestream.Tests.Simulation;

/// <summary>A clock that stands still, but for a pause inside a step: nobody else could end it.</summary>
internal sealed class SimulatedClock(DateTimeOffset start) : FakeTimeProvider(start)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly Queue<DateTimeOffset> _pauses = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        // Longer ones are limits of time, not pauses.
        if (dueTime > TimeSpan.Zero && dueTime <= LongestPause)
            lock (_pauses)
                _pauses.Enqueue(GetUtcNow() + dueTime);
        return timer;
    }

    /// <summary>Runs a step to its end, and lets the time of its pauses pass.</summary>
    internal async Task DriveAsync(Task step)
    {
        while (!step.IsCompleted)
        {
            await Task.WhenAny(step, Task.Delay(1));
            DateTimeOffset end;
            lock (_pauses)
                if (!_pauses.TryDequeue(out end))
                    continue;
            if (end > GetUtcNow())
                SetUtcNow(end);
        }
        await step;
    }
}
