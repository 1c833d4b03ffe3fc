using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>What a replica needs of its database.</summary>
/// <param name="Name">The database's path, for messages.</param>
/// <param name="Files">The local files to upload.</param>
/// <param name="WriteSnapshot">Writes the whole database at its present position to a replica.</param>
/// <param name="ReplicaIsAhead">Tells the database to go on behind a transaction.</param>
/// <param name="Sync">Copies what is to be copied into local files now.</param>
internal sealed record ReplicaFeed(
    string Name,
    LocalFiles Files,
    Func<ReplicaClient, CancellationToken, Task<LtxFileInfo>> WriteSnapshot,
    Action<Txid> ReplicaIsAhead,
    Func<CancellationToken, Task> Sync
);

/// <summary>One destination of one database: uploads what it lacks, in order. Its loop is <see cref="StepAsync"/>.</summary>
internal sealed class Replica : IAsyncDisposable
{
    private readonly ReplicaClient _client;
    private readonly ReplicaOptions _options;
    private readonly ReplicaFeed _feed;
    private readonly EngineServices _services;
    private readonly BackoffPolicy _backoff;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly string _name;
    private Txid? _position;
    private LtxFileInfo? _newest;
    private bool _isOurs;
    private DateTimeOffset _lastStart = DateTimeOffset.MinValue;
    private bool _toldGenerations;
    private (string Cause, DateTimeOffset At) _logged = ("", DateTimeOffset.MinValue);

    internal Replica(string name, ReplicaOptions options, ReplicaClient client, ReplicaFeed feed, EngineServices services)
    {
        (_name, _options, _client, _feed, _services) = (name, options, client, feed, services);
        _backoff = new BackoffPolicy(options.SyncInterval);
        Status = new ReplicaStatus
        {
            Name = name,
            Location = client.Store.Location,
            Kind = client.Store.Kind,
            Since = services.Time.GetUtcNow(),
        };
    }

    /// <summary>What the outside may see; swapped whole.</summary>
    internal ReplicaStatus Status { get; private set; }

    /// <summary>Last transaction that the store has confirmed; none while that is unknown.</summary>
    internal Txid Confirmed => Status.Txid;

    /// <summary>What went wrong last; null after a success.</summary>
    internal Exception? Failure { get; private set; }

    /// <summary>Asks the store where it is, if that is not known. Failures are kept for the next step.</summary>
    internal async Task DiscoverAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _position ??= await FindPositionAsync(cancellationToken).ConfigureAwait(false);
            Status = Status with { Txid = _position.Value };
            // There is nothing local yet: what comes goes on behind this position with a whole copy.
            _isOurs = true;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Uploads what waits, unless it is too early.</summary>
    /// <returns>When to be called again; null: when there is a new file.</returns>
    internal async ValueTask<DateTimeOffset?> StepAsync(CancellationToken cancellationToken)
    {
        var now = _services.Time.GetUtcNow();
        if (Status.NextRetry is { } retry && now < retry)
            return retry;
        if (Status.NextRetry is null && now - _lastStart < _options.SyncInterval && Status.Txid < _feed.Files.Max)
            return _lastStart + _options.SyncInterval;
        return await UploadAsync(cancellationToken).ConfigureAwait(false) ? null : Status.NextRetry;
    }

    /// <summary>Uploads what waits, now.</summary>
    /// <returns>True when the store has confirmed everything that is local; false after a failure, which the status tells.</returns>
    internal async Task<bool> UploadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _lastStart = _services.Time.GetUtcNow();
            var position = _position ?? await FindPositionAsync(cancellationToken).ConfigureAwait(false);
            _position = position;
            position = await UploadFromAsync(position, cancellationToken).ConfigureAwait(false);
            Succeeded(position);
            return position == _feed.Files.Max;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The outcome of a write that failed is unknown: ask the store again before the next one.
            _position = null;
            Failed(e);
            return false;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<Txid> UploadFromAsync(Txid position, CancellationToken cancellationToken)
    {
        while (true)
        {
            var local = _feed.Files.Max;
            if (position > local)
            {
                if (!local.IsNone)
                    _services.Log.ReplicaAhead(_feed.Name, _name, position, local);
                _feed.ReplicaIsAhead(position);
                _isOurs = true;
                await _feed.Sync(cancellationToken).ConfigureAwait(false);
                if (position > _feed.Files.Max)
                    return position; // there is no database now
                continue;
            }
            if (!_isOurs && !await HoldsOurHistoryAsync(position, cancellationToken).ConfigureAwait(false))
            {
                // Going on behind another history would mix the two. A transaction that both have is left alone.
                if (position == local)
                    _feed.ReplicaIsAhead(position.Next());
                position = await RebaseAsync(position, cancellationToken).ConfigureAwait(false);
                Status = Status with { Txid = position, LastUpload = _services.Time.GetUtcNow() };
            }
            _isOurs = true;
            _position = position;
            local = _feed.Files.Max;
            if (position == local)
                return position;
            if (_feed.Files.After(position) is { } file)
                position = await UploadFileAsync(file, cancellationToken).ConfigureAwait(false);
            else
                position = await RebaseAsync(position, cancellationToken).ConfigureAwait(false);
            _position = position;
            Status = Status with { Txid = position, LastUpload = _services.Time.GetUtcNow() };
        }
    }

    /// <summary>
    /// True when the store's last file is that of our own history: empty, or of the time that our file of that transaction has. Asked once
    /// after a start. Local state may have been lost while the store could not be reached, and begun anew from the first transaction.
    /// </summary>
    private async Task<bool> HoldsOurHistoryAsync(Txid position, CancellationToken cancellationToken)
    {
        if (position.IsNone)
            return true;
        if (_newest is not { } remote || _feed.Files.EndingAt(position) is not { } local)
            return false;
        var theirs = await _client.OpenAsync(remote, 0, LtxHeader.Size, cancellationToken).ConfigureAwait(false);
        await using var closing = theirs.ConfigureAwait(false);
        var ours = _feed.Files.Directory.OpenRead(local);
        await using var closingOurs = ours.ConfigureAwait(false);
        var bytes = new byte[LtxHeader.Size];
        await theirs.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        var time = LtxHeader.Read(bytes).Timestamp;
        await ours.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        return LtxHeader.Read(bytes).Timestamp == time;
    }

    private async Task<Txid> UploadFileAsync(LtxFileInfo file, CancellationToken cancellationToken)
    {
        var content = _feed.Files.Directory.OpenRead(file);
        await using var _ = content.ConfigureAwait(false);
        var stored = await _client.WriteAsync(file.Level, file.MinTxid, file.MaxTxid, content, cancellationToken).ConfigureAwait(false);
        if (stored.SizeBytes != file.SizeBytes)
            throw new LitestreamException(
                LitestreamError.Unavailable,
                $"{Status.Location} stored {stored.SizeBytes} of {file.SizeBytes} bytes of {file.FileName}"
            )
            {
                IsTransient = true,
            };
        return file.MaxTxid;
    }

    /// <summary>The file that the replica needs next is gone: give it the whole database, which restores then start from.</summary>
    private async Task<Txid> RebaseAsync(Txid position, CancellationToken cancellationToken)
    {
        var snapshot = await _feed.WriteSnapshot(_client, cancellationToken).ConfigureAwait(false);
        _services.Log.ReplicaRebased(_feed.Name, _name, position, snapshot.MaxTxid, snapshot.SizeBytes);
        return snapshot.MaxTxid;
    }

    private async Task<Txid> FindPositionAsync(CancellationToken cancellationToken)
    {
        var position = Txid.None;
        _newest = null;
        for (var level = LtxFileInfo.SnapshotLevel; level >= LtxFileInfo.MinLevel; level--)
        {
            var files = _client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, cancellationToken);
            await foreach (var file in files.ConfigureAwait(false))
                if (file.MaxTxid >= position)
                    (position, _newest) = (file.MaxTxid, file);
        }
        _services.Log.ReplicaPosition(_feed.Name, _name, Status.Location, position);
        if (!_toldGenerations && await _client.HasGenerationsAsync(cancellationToken).ConfigureAwait(false))
        {
            Status = Status with { HoldsGenerations = true };
            _services.Log.HoldsGenerations(_feed.Name, _name, Status.Location);
        }
        _toldGenerations = true;
        return position;
    }

    private void Succeeded(Txid position)
    {
        var now = _services.Time.GetUtcNow();
        Failure = null;
        if (Status.Failures > 0)
            _services.Log.ReplicaRecovered(_feed.Name, _name, Status.Failures);
        var state = position == _feed.Files.Max ? ReplicationState.Current : ReplicationState.CatchingUp;
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
        Status = Status with
        {
            State = ReplicationState.Failing,
            Since = Status.State == ReplicationState.Failing ? Status.Since : now,
            Cause = cause,
            Failures = failures,
            NextRetry = now + delay,
        };
        Failure = e;
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
        return status with { State = state, PendingBytes = bytes, PendingTransactions = transactions, OldestPending = oldest };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync().ConfigureAwait(false);
        _gate.Dispose();
    }
}
