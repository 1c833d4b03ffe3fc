namespace Litestream;

/// <summary>Calls the engine's loops when they are due: one wait for all of them, no thread and no timer of their own.</summary>
/// <remarks>
/// A loop is a step that says when it wants to be called again. In production <see cref="RunAsync"/> calls due steps side by side; a simulation
/// calls <see cref="StepDueAsync"/> instead, which runs them one after the other on the caller, so that a seed replays exactly (rule 12).
/// </remarks>
internal sealed class StepScheduler(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<(Activity Activity, long Version), (long Due, long Order)> _queue = new();
    private readonly HashSet<Task> _running = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _order;

    /// <summary>Earliest moment at which a step is due; null when none is.</summary>
    internal DateTimeOffset? NextDue
    {
        get
        {
            lock (_lock)
            {
                DropStale();
                return _queue.TryPeek(out _, out var key) ? new DateTimeOffset(key.Due, TimeSpan.Zero) : null;
            }
        }
    }

    /// <summary>Adds a loop; its first step is due at once.</summary>
    internal Activity Add(Func<CancellationToken, ValueTask<DateTimeOffset?>> step)
    {
        var activity = new Activity(step);
        Wake(activity);
        return activity;
    }

    /// <summary>Makes a step due now. Any thread; cheap.</summary>
    internal void Wake(Activity activity)
    {
        lock (_lock)
        {
            if (activity.IsRemoved)
                return;
            if (activity.IsRunning)
                activity.WokenWhileRunning = true;
            else
                Schedule(activity, time.GetUtcNow());
        }
    }

    /// <summary>Removes a loop and waits for the step that is running.</summary>
    internal async Task RemoveAsync(Activity activity)
    {
        Task? running;
        lock (_lock)
        {
            activity.IsRemoved = true;
            activity.Version++;
            running = activity.Running;
        }
        if (running is not null)
            await running.ConfigureAwait(false);
    }

    /// <summary>Runs until cancelled, then waits for the steps that are running.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            Task changed;
            lock (_lock)
            {
                changed = _changed.Task;
                while (TakeDue() is { } activity)
                    Start(activity, cancellationToken);
            }
            await WaitAsync(changed, cancellationToken).ConfigureAwait(false);
        }
        Task[] running;
        lock (_lock)
            running = [.. _running];
        await Task.WhenAll(running).ConfigureAwait(false);
    }

    /// <summary>Runs every step that is due now, one after the other, here.</summary>
    /// <returns>False when none was.</returns>
    internal async Task<bool> StepDueAsync(CancellationToken cancellationToken)
    {
        var any = false;
        while (true)
        {
            Activity? activity;
            lock (_lock)
            {
                activity = TakeDue();
                if (activity is null)
                    return any;
                activity.IsRunning = true;
            }
            any = true;
            await StepAsync(activity, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Start(Activity activity, CancellationToken cancellationToken)
    {
        activity.IsRunning = true;
        var task = StepElsewhereAsync(activity, cancellationToken);
        activity.Running = task;
        _running.Add(task);
        _ = task.ContinueWith(
            t =>
            {
                lock (_lock)
                    _running.Remove(t);
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default
        );
    }

    private async Task StepElsewhereAsync(Activity activity, CancellationToken cancellationToken)
    {
        await Task.Yield(); // a step may block on the disk: not on the thread that serves the others
        await StepAsync(activity, cancellationToken).ConfigureAwait(false);
    }

    private async Task StepAsync(Activity activity, CancellationToken cancellationToken)
    {
        DateTimeOffset? next = null;
        try
        {
            next = await activity.Step(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The engine stops; the last sync follows without the scheduler.
        }
        lock (_lock)
        {
            activity.IsRunning = false;
            activity.Running = null;
            if (activity.WokenWhileRunning)
                next = time.GetUtcNow();
            activity.WokenWhileRunning = false;
            if (next is { } due && !activity.IsRemoved)
                Schedule(activity, due);
        }
    }

    private void Schedule(Activity activity, DateTimeOffset due)
    {
        if (activity.Due is { } queued && queued <= due)
            return;
        activity.Due = due;
        _queue.Enqueue((activity, ++activity.Version), (due.UtcTicks, ++_order));
        if (_queue.Peek().Activity != activity)
            return;
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }

    private Activity? TakeDue()
    {
        DropStale();
        if (!_queue.TryPeek(out var next, out var key) || key.Due > time.GetUtcNow().UtcTicks)
            return null;
        _queue.Dequeue();
        next.Activity.Due = null;
        return next.Activity;
    }

    private void DropStale()
    {
        while (_queue.TryPeek(out var next, out _) && next.Version != next.Activity.Version)
            _queue.Dequeue();
    }

    private async Task WaitAsync(Task changed, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var wait = NextDue is { } due ? due - time.GetUtcNow() : Timeout.InfiniteTimeSpan;
        if (wait != Timeout.InfiniteTimeSpan && wait <= TimeSpan.Zero)
            return;
        // Timers tick in whole milliseconds: a shorter wait would spin.
        if (wait != Timeout.InfiniteTimeSpan && wait < TimeSpan.FromMilliseconds(1))
            wait = TimeSpan.FromMilliseconds(1);
        await Task.WhenAny(changed, Task.Delay(wait, time, enough.Token)).ConfigureAwait(false);
        await enough.CancelAsync().ConfigureAwait(false);
    }

    /// <summary>One loop of the engine.</summary>
    internal sealed class Activity(Func<CancellationToken, ValueTask<DateTimeOffset?>> step)
    {
        internal Func<CancellationToken, ValueTask<DateTimeOffset?>> Step => step;

        internal DateTimeOffset? Due { get; set; }

        internal long Version { get; set; }

        internal bool IsRunning { get; set; }

        internal bool IsRemoved { get; set; }

        internal bool WokenWhileRunning { get; set; }

        internal Task? Running { get; set; }
    }
}
