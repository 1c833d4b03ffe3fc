using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Litestream.Tests.Replication;

/// <summary>Steps come when they are due, in order, and one at a time of each loop.</summary>
public sealed class StepSchedulerTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly StepScheduler _scheduler;
    private readonly List<string> _trace = [];

    public StepSchedulerTests() => _scheduler = new StepScheduler(_time);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Steps_RunByTimeThenByTheOrderInWhichTheyWereScheduled()
    {
        Assert.Null(_scheduler.NextDue);
        Add("a", 3);
        Add("b", 1);
        Add("c", 2);
        Assert.True(await _scheduler.StepDueAsync(Token));
        Assert.Equal(["a0", "b0", "c0"], Take());
        Assert.False(await _scheduler.StepDueAsync(Token));
        Assert.Equal(_time.GetUtcNow().AddSeconds(1), _scheduler.NextDue);
        _time.Advance(TimeSpan.FromSeconds(3));
        await _scheduler.StepDueAsync(Token);
        Assert.Equal(["b3", "c3", "a3"], Take());
    }

    [Fact]
    public async Task Wake_BringsForward_AndNeverPutsBack()
    {
        var a = Add("a", 10);
        await _scheduler.StepDueAsync(Token);
        _time.Advance(TimeSpan.FromSeconds(2));
        _scheduler.Wake(a);
        _scheduler.Wake(a);
        await _scheduler.StepDueAsync(Token);
        Assert.Equal(["a0", "a2"], Take());
        Assert.Equal(_time.GetUtcNow().AddSeconds(10), _scheduler.NextDue);
        _time.Advance(TimeSpan.FromSeconds(8)); // the old date has passed, but counts no more
        Assert.False(await _scheduler.StepDueAsync(Token));
    }

    [Fact]
    public async Task StepThatWantsNothing_IsCalledOnlyWhenWoken()
    {
        var a = Add("a", null);
        await _scheduler.StepDueAsync(Token);
        Assert.Null(_scheduler.NextDue);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.False(await _scheduler.StepDueAsync(Token));
        _scheduler.Wake(a);
        Assert.True(await _scheduler.StepDueAsync(Token));
        Assert.Equal(["a0", "a86400"], Take());
    }

    [Fact]
    public async Task WakeWhileRunning_RunsOnceMore_AndNotAtTheSameTime()
    {
        StepScheduler.Activity? a = null;
        var runs = 0;
        a = _scheduler.Add(_ =>
        {
            if (++runs == 1)
            {
                _scheduler.Wake(a!);
                _scheduler.Wake(a!);
            }
            return new ValueTask<DateTimeOffset?>((DateTimeOffset?)null);
        });
        await _scheduler.StepDueAsync(Token);
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task Remove_WaitsForTheRunningStep_AndItNeverRunsAgain()
    {
        var enter = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        var runs = 0;
        var a = _scheduler.Add(async _ =>
        {
            runs++;
            enter.SetResult();
            await leave.Task;
            return _time.GetUtcNow();
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = _scheduler.RunAsync(stop.Token);
        await enter.Task;
        var removed = _scheduler.RemoveAsync(a);
        _scheduler.Wake(a);
        Assert.False(removed.IsCompleted);
        leave.SetResult();
        await removed;
        Assert.Equal(1, runs);
        Assert.Null(_scheduler.NextDue);
        await stop.CancelAsync();
        await run;
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task Remove_OfAnIdleLoop_DropsItsDate()
    {
        var a = Add("a", 1);
        await _scheduler.StepDueAsync(Token);
        await _scheduler.RemoveAsync(a);
        Assert.Null(_scheduler.NextDue);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(await _scheduler.StepDueAsync(Token));
    }

    [Fact]
    public async Task Run_ASlowStepHoldsUpNoOther_AndAWakeIsFeltWhileWaiting()
    {
        var slow = new TaskCompletionSource();
        _scheduler.Add(async _ =>
        {
            await slow.Task;
            return null;
        });
        using var ran = new SemaphoreSlim(0);
        var quick = _scheduler.Add(_ =>
        {
            ran.Release();
            return new ValueTask<DateTimeOffset?>(_time.GetUtcNow().AddHours(1));
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = _scheduler.RunAsync(stop.Token);
        for (var i = 0; i < 50; i++)
        {
            Assert.True(await ran.WaitAsync(TimeSpan.FromSeconds(20), Token));
            _scheduler.Wake(quick);
        }
        slow.SetResult();
        await stop.CancelAsync();
        await run;
    }

    [Fact]
    public async Task Run_AStepThatIsCancelled_EndsQuietly()
    {
        var entered = new TaskCompletionSource();
        _scheduler.Add(async ct =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, ct);
            return null;
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = _scheduler.RunAsync(stop.Token);
        await entered.Task;
        await stop.CancelAsync();
        await run;
    }

    private StepScheduler.Activity Add(string name, int? everySeconds)
    {
        var start = _time.GetUtcNow();
        return _scheduler.Add(_ =>
        {
            _trace.Add($"{name}{(_time.GetUtcNow() - start).TotalSeconds}");
            return new ValueTask<DateTimeOffset?>(everySeconds is { } s ? _time.GetUtcNow().AddSeconds(s) : null);
        });
    }

    private List<string> Take()
    {
        var taken = _trace.ToList();
        _trace.Clear();
        return taken;
    }
}
