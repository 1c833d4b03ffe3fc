using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>What the outside is told after each step.</summary>
internal sealed partial class Replica
{
    private (string Cause, DateTimeOffset At) _logged = ("", DateTimeOffset.MinValue);

    private void Succeeded(Txid position)
    {
        var now = _services.Time.GetUtcNow();
        Failure = null;
        if (Status.Failures > 0)
            _services.Log.ReplicaRecovered(_feed.Name, _name, Status.Failures);
        var state = HasEverything(position) ? ReplicationState.Current : ReplicationState.CatchingUp;
        Status = Status with
        {
            State = state,
            Since = state == Status.State ? Status.Since : now,
            Cause = null,
            Txid = position,
            LastCurrent = state == ReplicationState.Current ? now : Status.LastCurrent,
            Failures = 0,
            NextRetry = null,
        };
    }

    private void Failed(Exception e)
    {
        var now = _services.Time.GetUtcNow();
        var failures = Status.Failures + 1;
        var delay = _backoff.After(failures);
        var cause = e is LitestreamException { Hint: { } hint } ? $"{e.Message} ({hint})" : e.Message;
        var isFenced = e is LitestreamException { Error: LitestreamError.Fenced };
        var state = isFenced ? ReplicationState.Fenced : ReplicationState.Failing;
        Status = Status with
        {
            State = state,
            Since = Status.State == state ? Status.Since : now,
            Cause = cause,
            Failures = failures,
            NextRetry = isFenced ? null : now + delay,
        };
        Failure = e;
        _services.Metrics.Of(_feed.Name).UploadFailed(_name);
        if (isFenced)
        {
            _services.Log.ReplicaFenced(_feed.Name, _name, cause);
            Moved?.Invoke();
            return;
        }
        // A stop tries twice a second, and a dead store may stay dead for days: the same words once in half a minute are enough.
        if (cause == _logged.Cause && now - _logged.At < TimeSpan.FromSeconds(30))
            return;
        _logged = (cause, now);
        _services.Log.ReplicaFailed(_feed.Name, _name, cause, delay);
    }

    /// <summary>The status with what waits now.</summary>
    internal ReplicaStatus CurrentStatus()
    {
        var status = Status;
        var (bytes, transactions, oldest) = _feed.Files.PendingAfter(status.Txid);
        var state = status.State == ReplicationState.Current && transactions > 0 ? ReplicationState.CatchingUp : status.State;
        status = status with { State = state, LastSnapshot = Listing.NewestSnapshot?.Timestamp };
        return status with { PendingBytes = bytes, PendingTransactions = transactions, OldestPending = oldest };
    }
}
