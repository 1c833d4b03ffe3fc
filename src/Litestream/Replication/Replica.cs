using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>One destination of one database: uploads what it lacks, in order. Its loop is <see cref="StepAsync"/>.</summary>
internal sealed partial class Replica : IAsyncDisposable
{
    private readonly ReplicaClient _client;
    private readonly ReplicaOptions _options;
    private readonly ReplicaFeed _feed;
    private readonly EngineServices _services;
    private readonly BackoffPolicy _backoff;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly string _name;
    private Txid? _position;
    private bool _isOurs;
    private Txid _reachedHere;
    private (Txid Txid, LtxHeader Header)? _stored,
        _sent; // perhaps arrived, though no answer said so
    private Txid? _snapshotAt;
    private volatile bool _doubt;
    private volatile bool _needsSnapshot;
    private DateTimeOffset _lastStart = DateTimeOffset.MinValue;
    private bool _toldGenerations;

    internal Replica(string name, ReplicaOptions options, ReplicaClient client, ReplicaFeed feed, EngineServices services)
    {
        (_name, _options, _client, _feed, _services) = (name, options, client, feed, services);
        _backoff = new BackoffPolicy(options.SyncInterval);
        Listing = new ReplicaListing(client, services.Time);
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

    /// <summary>The files of the replica.</summary>
    internal ReplicaListing Listing { get; }

    /// <summary>True once it is known that the replica goes on with the history of this database, and no other: then it may be tidied.</summary>
    internal bool IsOurs => _isOurs && !_doubt;

    /// <summary>Raised, outside the gate, after uploads have ended well.</summary>
    internal event Action? Uploaded;

    /// <summary>Raised when the replica is to be listed anew.</summary>
    internal event Action? Doubted;

    internal ReplicaOptions Options => _options;

    /// <summary>The LTX files of the store.</summary>
    internal ReplicaClient Client => _client;

    /// <summary>Last transaction that the store has confirmed; none while that is unknown.</summary>
    internal Txid Confirmed => Status.Txid;

    /// <summary>Local files up to here are of no use to this replica.</summary>
    internal Txid NeedsNothingUpTo => _snapshotAt?.Previous() ?? Confirmed;

    /// <summary>True while a snapshot streams: the files behind it must stay, or it was in vain.</summary>
    internal bool IsTakingSnapshot => _snapshotAt is not null;

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

    /// <summary>Something about the replica may not be as remembered: it is listed anew before the next upload. Any thread.</summary>
    /// <param name="needsSnapshot">One of its files is damaged: the newest state needs a snapshot to be restorable.</param>
    internal void Doubt(bool needsSnapshot)
    {
        _needsSnapshot |= needsSnapshot;
        _doubt = true;
        Listing.Doubt();
        Doubted?.Invoke();
    }

    /// <summary>Uploads what waits, unless it is too early.</summary>
    /// <returns>When to be called again; null: when there is a new file.</returns>
    internal async ValueTask<DateTimeOffset?> StepAsync(CancellationToken cancellationToken)
    {
        var now = _services.Time.GetUtcNow();
        if (Status.State == ReplicationState.Fenced)
            return null;
        if (Status.NextRetry is { } retry && now < retry)
            return retry;
        if (Status.NextRetry is null && !IsUrgent && now - _lastStart < _options.SyncInterval && Status.Txid < _feed.Files.Max)
            return _lastStart + _options.SyncInterval;
        return await UploadAsync(cancellationToken).ConfigureAwait(false) ? null : Status.NextRetry;
    }

    /// <summary>Uploads what waits, now.</summary>
    /// <returns>True when the store has confirmed everything that is local; false after a failure, which the status tells.</returns>
    internal async Task<bool> UploadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        var done = false;
        try
        {
            if (Status.State == ReplicationState.Fenced)
                return false;
            _lastStart = _services.Time.GetUtcNow();
            if (_doubt)
            {
                (_position, _isOurs, _doubt) = (null, false, false);
                Holds(Txid.None);
            }
            var position = _position ?? await FindPositionAsync(cancellationToken).ConfigureAwait(false);
            _position = position;
            position = await UploadFromAsync(position, cancellationToken).ConfigureAwait(false);
            Succeeded(position);
            done = true;
            return HasEverything(position);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The outcome of a write that failed is unknown: ask the store again before the next one, and whose history it holds.
            (_position, _isOurs) = (null, false);
            Listing.Doubt();
            Failed(e);
            return false;
        }
        finally
        {
            _gate.Release();
            if (done)
                Uploaded?.Invoke();
        }
    }

    /// <summary>A store that is ahead holds something, but not our last commits.</summary>
    private bool HasEverything(Txid position) => _feed.Files.Max is var local && (position == local || local.IsNone);

    private async Task<Txid> UploadFromAsync(Txid position, CancellationToken cancellationToken)
    {
        while (true)
        {
            var local = _feed.Files.Max;
            if (position > local)
            {
                if (!local.IsNone)
                    _services.Log.ReplicaAhead(_feed.Name, _name, position, local);
                RequireNobodyElse(position, local);
                _feed.GoOnBehind(position);
                // Nothing local may only mean that it was not looked at yet.
                if (!local.IsNone)
                {
                    _isOurs = true;
                    await _feed.Sync(cancellationToken).ConfigureAwait(false);
                }
                if (position > _feed.Files.Max)
                    return position; // there is no database now, or it was not opened yet
                continue;
            }
            if (!_isOurs && !await ContinuesOursAsync(position, cancellationToken).ConfigureAwait(false))
            {
                // Going on behind another history, or behind a hole, would mix or lose. One transaction stays free between the two.
                if (local.Value <= position.Value + 1)
                    _feed.GoOnBehind(local.Next());
                position = await RebaseAsync(position, cancellationToken).ConfigureAwait(false);
            }
            _isOurs = true;
            Reached(position);
            if (_needsSnapshot)
            {
                position = await RebaseAsync(position, cancellationToken).ConfigureAwait(false);
                Reached(position);
            }
            local = _feed.Files.Max;
            if (position == local)
                return position;
            if (_feed.Files.After(position) is { } file && await TryUploadFileAsync(file, cancellationToken).ConfigureAwait(false))
                Holds(position = file.MaxTxid);
            else
                position = await RebaseAsync(position, cancellationToken).ConfigureAwait(false);
            Reached(position);
        }
    }

    private void Reached(Txid position)
    {
        _position = position;
        if (position > _reachedHere)
            _reachedHere = position;
        if (position != Status.Txid)
            Status = Status with { Txid = position, LastUpload = _services.Time.GetUtcNow() };
    }

    /// <summary>Since this replica is ours, nobody but us may have moved it beyond what we have.</summary>
    private void RequireNobodyElse(Txid position, Txid local)
    {
        if (!_reachedHere.IsNone && position > _reachedHere && position > local)
            throw Fenced($"{Listing.Newest?.FileName} at {Status.Location} is not of this engine, which has come to {_reachedHere}");
    }

    private LitestreamException Fenced(string message) =>
        new(LitestreamError.Fenced, $"another writer: {message}; nothing more is written there")
        {
            Hint = "let only one engine write to a replica; stop the other one or give one of them another path, then start this one again",
            Path = Status.Location,
        };

    /// <summary>
    /// True when our local files can go on behind the store's last transaction: it is empty, or its last file is ours and it lacks nothing. Asked
    /// after a start and after each failure. Local state may have been lost while the store could not be reached, and begun anew.
    /// </summary>
    private async Task<bool> ContinuesOursAsync(Txid position, CancellationToken cancellationToken)
    {
        if (position.IsNone)
            return true;
        if (Listing.Reach() < position)
        {
            _services.Log.ReplicaHasHole(_feed.Name, _name, Listing.Reach(), position);
            return false;
        }
        // The local file may have had to go for its room; what this process has stored it remembers.
        var own = _stored?.Txid == position ? _stored?.Header : null;
        own ??= _sent?.Txid == position ? _sent?.Header : null;
        if (own is null && _feed.Files.EndingAt(position) is { } local)
            own = await StoredFile.ReadOwnAsync(_feed.Files.Directory, local, cancellationToken).ConfigureAwait(false);
        if (Listing.Newest is not { } remote || own is null)
            return false;
        if (await StoredFile.IsSameAsync(_client, remote, own, cancellationToken).ConfigureAwait(false))
        {
            Holds(position);
            return true;
        }
        if (position <= _reachedHere)
            throw Fenced($"{remote.FileName} at {Status.Location} is not the file that this engine wrote");
        return false;
    }

    /// <returns>False when the local file is gone or damaged: the replica then needs a snapshot.</returns>
    private async Task<bool> TryUploadFileAsync(LtxFileInfo file, CancellationToken cancellationToken)
    {
        Stream content;
        try
        {
            content = await _feed.Files.OpenSoundAsync(file, cancellationToken).ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Error is LitestreamError.NotFound or LitestreamError.Corrupt)
        {
            _services.Log.LocalFileUnusable(_feed.Name, _name, file.FileName, e.Message);
            _feed.Files.Remove(file);
            return false;
        }
        await using (content.ConfigureAwait(false))
            await UploadFileAsync(file, content, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private async Task UploadFileAsync(LtxFileInfo file, Stream content, CancellationToken cancellationToken)
    {
        var header = await StoredFile.ReadHeaderAsync(content, cancellationToken).ConfigureAwait(false);
        content.Position = 0;
        LtxFileInfo stored;
        _sent = (file.MaxTxid, header);
        try
        {
            var ifAbsent = _client.Store.Capabilities.ConditionalCreate;
            stored = await _client
                .WriteAsync(file.Level, file.MinTxid, file.MaxTxid, content, cancellationToken, ifAbsent)
                .ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.Conflict)
        {
            // Our own, of a try whose answer was lost; or another writer's.
            if (!await StoredFile.IsSameAsync(_client, file, header, cancellationToken).ConfigureAwait(false))
                throw Fenced($"{file.FileName} at {Status.Location} exists already, with other content");
            stored = file;
        }
        if (stored.SizeBytes != file.SizeBytes)
            throw new LitestreamException(
                LitestreamError.Unavailable,
                $"{Status.Location} stored {stored.SizeBytes} of {file.SizeBytes} bytes of {file.FileName}"
            )
            {
                IsTransient = true,
            };
        Listing.Add(stored);
        _stored = (file.MaxTxid, header);
    }

    /// <summary>The replica cannot be continued from local files: give it the whole database, which restores then start from.</summary>
    /// <returns>The position to go on behind: the file that ends with the snapshot goes up as well, so that level 0 leads to the last transaction.</returns>
    private async Task<Txid> RebaseAsync(Txid position, CancellationToken cancellationToken)
    {
        try
        {
            var snapshot = await _feed.WriteSnapshot(_client, txid => _snapshotAt = txid, cancellationToken).ConfigureAwait(false);
            Listing.Add(snapshot);
            _needsSnapshot = false;
            _services.Log.ReplicaRebased(_feed.Name, _name, position, snapshot.MaxTxid, snapshot.SizeBytes);
            if (_feed.Files.EndingAt(snapshot.MaxTxid) is { } last)
                await TryUploadFileAsync(last, cancellationToken).ConfigureAwait(false);
            Holds(snapshot.MaxTxid);
            return snapshot.MaxTxid;
        }
        catch (LitestreamException) when (_snapshotAt is { } at && _feed.Files.EndingAt(at) is { } sent)
        {
            // It may have arrived, or still arrive, when the local file of its transaction is gone.
            _sent = (at, await StoredFile.ReadOwnAsync(_feed.Files.Directory, sent, cancellationToken).ConfigureAwait(false));
            throw;
        }
        finally
        {
            _snapshotAt = null;
        }
    }

    private async Task<Txid> FindPositionAsync(CancellationToken cancellationToken)
    {
        await Listing.LoadAsync(cancellationToken).ConfigureAwait(false);
        var position = Listing.Newest?.MaxTxid ?? Txid.None;
        // More than any database comes to. To go on behind it would leave no numbers.
        if (position.Value > long.MaxValue)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                $"{Listing.Newest!.FileName} of level {Listing.Newest.Level} at {Status.Location} ends with a transaction that no database comes to"
            )
            {
                Hint = "find out who wrote that file, and delete it; until then nothing is written there",
                Path = Status.Location,
            };
        _services.Log.ReplicaPosition(_feed.Name, _name, Status.Location, position);
        if (!_toldGenerations && await _client.HasGenerationsAsync(cancellationToken).ConfigureAwait(false))
        {
            Status = Status with { HoldsGenerations = true };
            _services.Log.HoldsGenerations(_feed.Name, _name, Status.Location);
        }
        _toldGenerations = true;
        return position;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync().ConfigureAwait(false);
        _gate.Dispose();
    }
}
