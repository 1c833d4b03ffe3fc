using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>Looks for what comes next in a replica, with few requests: level 0 each time, all levels only in doubt.</summary>
internal sealed class FollowLook
{
    // With more than this to apply one by one, larger files of other levels are worth ten listings.
    private const int ManyFiles = 30;

    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(30);

    private readonly ReplicaClient _client;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _time;
    private DateTimeOffset _nextIdle;
    private DateTimeOffset _nextDoubt;
    private TimeSpan _doubtPause;
    private string? _startsOver;
    private string? _problem;

    public FollowLook(ReplicaClient client, TimeSpan interval, TimeProvider time)
    {
        (_client, _interval, _time) = (client, interval, time);
        _doubtPause = interval;
    }

    /// <summary>What was found.</summary>
    /// <param name="Plan">What to apply.</param>
    /// <param name="Problem">Why that is not everything; null when it is.</param>
    /// <param name="StartsOver">Why the plan makes the whole state anew, which may be an older one; null when it does not.</param>
    internal sealed record Result(FollowPlan Plan, string? Problem, string? StartsOver = null);

    /// <summary>Looks from a state on.</summary>
    public async Task<Result> AtAsync(Txid txid, CancellationToken cancellationToken)
    {
        var files = new List<LtxFileInfo>();
        var listing = _client.ListAsync(LtxFileInfo.MinLevel, txid.Next(), TimestampAccuracy.Listing, cancellationToken);
        await foreach (var file in listing.ConfigureAwait(false))
            files.Add(file);
        var plan = FollowPlan.Make(files, txid);
        var now = _time.GetUtcNow();
        var due = plan.HasGap ? _nextDoubt : _nextIdle;
        if (_startsOver is null && plan is { HasGap: false, Files.Count: > 0 and <= ManyFiles })
        {
            Calm();
            return new Result(plan, null);
        }
        // Level 0 is empty when there is nothing new, but also when compaction and retention were faster than this look.
        if (now < due && _startsOver is null)
            return new Result(plan, plan.HasGap ? Missing(plan) : _problem);
        _nextIdle = now + (_interval * 10 < s_longestPause ? _interval * 10 : s_longestPause);
        return Judge(
            await RestorePlanner.ListAsync(_client, TimestampAccuracy.Listing, inOrder: true, cancellationToken).ConfigureAwait(false),
            txid
        );
    }

    /// <summary>The next look plans for a whole copy, whatever the followed file holds.</summary>
    public void StartOver(string reason) => _startsOver = reason;

    /// <summary>Looks at all levels for a way around a file that could not be used.</summary>
    public async Task<Result> WithoutAsync(LitestreamException failure, Txid txid, CancellationToken cancellationToken)
    {
        var files = await RestorePlanner
            .ListAsync(_client, TimestampAccuracy.Listing, inOrder: true, cancellationToken)
            .ConfigureAwait(false);
        files.RemoveAll(f => f.Level == failure.Level && f.MinTxid == failure.MinTxid && f.MaxTxid == failure.MaxTxid);
        return Judge(files, txid);
    }

    private Result Judge(List<LtxFileInfo> files, Txid txid)
    {
        if (_startsOver is { } reason)
        {
            var over = FollowPlan.StartOver(files);
            Calm();
            return new Result(over, null, reason);
        }
        var plan = FollowPlan.Make(files, txid);
        if (plan.Newest < txid)
        {
            // What comes after it is another history, also when it has grown past this state by the next look: only a whole copy leads on.
            _problem = plan.Newest.IsNone
                ? $"the replica {_client.Store.Location} is empty"
                : $"the replica {_client.Store.Location} has gone back to transaction {plan.Newest}";
            _startsOver = plan.Newest.IsNone ? null : _problem;
            return new Result(plan, _problem);
        }
        if (!plan.HasGap)
        {
            Calm();
            return new Result(plan, null);
        }
        _nextDoubt = _time.GetUtcNow() + _doubtPause;
        _doubtPause = _doubtPause * 2 < s_longestPause ? _doubtPause * 2 : s_longestPause;
        return new Result(plan, Missing(plan));
    }

    private void Calm()
    {
        (_problem, _startsOver, _nextDoubt, _doubtPause) = (null, null, default, _interval);
    }

    private string Missing(FollowPlan plan) =>
        $"transactions {plan.MissingFrom} to {plan.MissingTo} are missing in {_client.Store.Location}, and no snapshot leads past them";
}
