using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>What the outside is told after each step.</summary>
internal sealed partial class ReplicatedDatabase
{
    private void Succeeded()
    {
        if (_clock.Failures > 0)
            _services.Log.Recovered(_options.Path, _clock.Failures);
        (_clock.Failures, _clock.RetryAt) = (0, null);
        Status = Status with { NextRetry = null, Alarms = _health.Alarms() };
        if (_session is not { } session)
            return;
        var now = _services.Time.GetUtcNow();
        var end = session.Source.Look();
        var isCopied = session.IsCopied(end);
        // What is not copied now came after the last copy began.
        var uncopied = Status.OldestUncopied is { } oldest && oldest > _clock.LastShip ? oldest : _clock.LastNews;
        var blocker = _health.Blocks.Lasting(now);
        Status = Status with
        {
            Txid = _files.Max,
            TxidTime = session.Position?.Timestamp,
            DatabaseBytes = session.Source.File.SizeBytes,
            WalBytes = end.LastFrame > 0 ? end.EndOffset : 0,
            LocalBytes = _files.SizeBytes,
            LastSync = now,
            LastCheckpoint = _clock.LastCheckpoint,
            OldestUncopied = isCopied ? null : uncopied,
            UncopiedBytes = isCopied ? 0 : session.UncopiedBytes(end),
            Blocker = blocker,
        };
        var state = isCopied ? ReplicationState.Current : ReplicationState.CatchingUp;
        SetState(blocker is null ? state : ReplicationState.Blocked, blocker?.Describe(now));
    }

    private DateTimeOffset Failed(Exception e)
    {
        var error = (e as LitestreamException)?.Error;
        var now = _services.Time.GetUtcNow();
        var delay = error == LitestreamError.Throttled ? _health.NextFullFile - now ?? TimeSpan.Zero : _backoff.After(++_clock.Failures);
        var cause = e is LitestreamException { Hint: { } hint } ? $"{e.Message} ({hint})" : e.Message;
        if (error == LitestreamError.Busy && _session is null)
        {
            _health.Blocks.Locked();
            cause = $"{_health.Blocks.Blocker?.Describe(now)} ({e.Message})";
        }
        if (error != LitestreamError.Throttled)
            _services.Log.StepFailed(_options.Path, cause, delay);
        _services.Metrics.Of(_options.Path).SyncFailed(e);
        var blocked = error is LitestreamError.Busy or LitestreamError.Locked;
        SetState(blocked ? ReplicationState.Blocked : ReplicationState.Failing, cause);
        // A full disk or a failing store of ours says nothing against the reader: while it stands, continuity stays provable. What SQLite itself
        // refused may have cost it: begin anew, with "held" false.
        var isOurs = error is LitestreamError.DiskFull or LitestreamError.LocalStorage or LitestreamError.Busy or LitestreamError.Throttled;
        if (!isOurs || _session is { Source.HasReader: false })
            CloseSession();
        // The retry must try what failed: a look that finds it too early for a copy would call this failure mended.
        _clock.LastShip = DateTimeOffset.MinValue;
        _clock.RetryAt = now + delay;
        // Nobody knows what is committed meanwhile: whatever it is, it is not older than the last look that went well.
        Status = Status with
        {
            NextRetry = _clock.RetryAt,
            OldestUncopied = Status.OldestUncopied ?? Status.LastSync,
            Blocker = _health.Blocks.Blocker,
            Alarms = _health.Alarms(),
        };
        return _clock.RetryAt.Value;
    }

    private void SetState(ReplicationState state, string? cause)
    {
        var since = state == Status.State ? Status.Since : _services.Time.GetUtcNow();
        Status = Status with { State = state, Cause = cause, Since = since };
    }
}
