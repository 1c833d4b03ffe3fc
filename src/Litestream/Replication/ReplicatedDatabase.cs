using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Sqlite;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>One source database. Its mutable state is behind one gate; its loop is <see cref="StepAsync"/>.</summary>
internal sealed partial class ReplicatedDatabase : IAsyncDisposable
{
    private static readonly TimeSpan MissingFileLook = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DiscoverPatience = TimeSpan.FromSeconds(5);

    private readonly DatabaseOptions _options;
    private readonly EngineServices _services;
    private readonly LocalFiles _files;
    private readonly CheckpointPolicy _checkpointPolicy;
    private readonly BackoffPolicy _backoff = new(TimeSpan.FromSeconds(1));
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Action _wake;
    private readonly DatabaseClock _clock = new();
    private readonly LookSchedule _schedule;
    private readonly DatabaseHealth _health;
    private SourceSession? _session;
    private IDisposable? _engineLock;
    private bool _isAsked;
    private Txid _floor;
    private FullReason? _forceFull;
    private bool _localLoaded;

    /// <summary>Creates it; nothing is opened yet.</summary>
    /// <param name="options">Its settings; the path is absolute.</param>
    /// <param name="replicas">Opened stores of its replicas with their names, in configured order.</param>
    /// <param name="services">Disk, clock, log, counters.</param>
    /// <param name="wake">Makes the scheduler step this database now.</param>
    internal ReplicatedDatabase(
        DatabaseOptions options,
        IReadOnlyList<(string Name, ReplicaOptions Options, ReplicaClient Client)> replicas,
        EngineServices services,
        Action wake
    )
    {
        (_options, _services, _wake) = (options, services, wake);
        _files = new LocalFiles(new LtxDirectory(services.Files, EngineFolder.Of(options)));
        var feed = new ReplicaFeed(options.Path, _files, WriteSnapshotAsync, GoOnBehind, t => SyncAsync(isAsked: false, t));
        Replicas = [.. replicas.Select(r => new Replica(r.Name, r.Options, r.Client, feed, services))];
        Waiters = new ReplicaWaiters(options.Path, Replicas);
        foreach (var replica in Replicas)
            replica.Moved += Waiters.Look;
        _checkpointPolicy = CheckpointPolicy.Of(options);
        _health = new DatabaseHealth(options, services);
        _schedule = new LookSchedule(options, services, _checkpointPolicy, _clock, wake);
        Status = new DatabaseStatus { Path = options.Path, Since = services.Time.GetUtcNow() };
    }

    internal DatabaseOptions Options => _options;

    internal IReadOnlyList<Replica> Replicas { get; }

    /// <summary>Last transaction that every replica has merged into level 1; until then local files save downloads.</summary>
    internal Func<Txid> MergedByAll { get; set; } = static () => new Txid(ulong.MaxValue);

    /// <summary>The local files, for reading.</summary>
    internal LocalFiles Files => _files;

    /// <summary>What the outside may see, without the replicas; swapped whole.</summary>
    internal DatabaseStatus Status { get; private set; }

    /// <summary>Raised, outside the gate, when there is a new local file.</summary>
    internal event Action? FileAdded;

    /// <summary>True while the next commit would be told by an event: a notice from this process is worth a step only then.</summary>
    internal bool IsWatched => _schedule.IsWatched;

    /// <summary>Looks at the WAL and does what is due: open, copy, checkpoint.</summary>
    /// <returns>When to be called again.</returns>
    internal async ValueTask<DateTimeOffset?> StepAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        var before = _files.Max;
        try
        {
            _schedule.BeginLook();
            if (_clock.RetryAt is { } retry && _services.Time.GetUtcNow() < retry)
                return retry;
            var next = await OpenIfNeededAsync(cancellationToken).ConfigureAwait(false)
                ? await LookAsync(cancellationToken).ConfigureAwait(false)
                : _services.Time.GetUtcNow() + MissingFileLook;
            Succeeded();
            return next;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return Failed(e);
        }
        finally
        {
            _gate.Release();
            if (_files.Max != before)
                FileAdded?.Invoke();
        }
    }

    /// <summary>Copies everything that is committed now, whatever the intervals say.</summary>
    internal Task SyncAsync(CancellationToken cancellationToken) => SyncAsync(isAsked: true, cancellationToken);

    /// <param name="isAsked">By a person or at the end, who may have the whole database copied as often as they like.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async Task SyncAsync(bool isAsked, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        var before = _files.Max;
        try
        {
            _isAsked = isAsked;
            if (!await OpenIfNeededAsync(cancellationToken).ConfigureAwait(false))
                return;
            await CopyAsync(cancellationToken).ConfigureAwait(false);
            Succeeded();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Failed(e);
            throw;
        }
        finally
        {
            _isAsked = false;
            _gate.Release();
            if (_files.Max != before)
                FileAdded?.Invoke();
        }
    }

    private async Task<DateTimeOffset?> LookAsync(CancellationToken cancellationToken)
    {
        var source = _session!.Source;
        var now = _services.Time.GetUtcNow();
        var end = source.Look();
        PassOn(_session);
        if (_clock.See(end, now))
            _schedule.CommitSeen();
        _session.FollowRestart(end);
        if (_checkpointPolicy.IsDone(end, _clock.LastCycle))
            _health.Blocks.Forget();
        else if (_health.Blocks.IsGone(end.EndOffset))
            _clock.Hurry();
        var isCopied = _session.IsCopied(end);
        if (_clock.NextCycle <= now && _checkpointPolicy.IsDueBySize(end, _clock.LastCycle))
            await CheckpointAsync(end, _checkpointPolicy.IsSilence(now - _clock.LastNews), cancellationToken).ConfigureAwait(false);
        else if (!isCopied && now - _clock.LastShip >= _schedule.ShipInterval)
            await CopyAsync(cancellationToken).ConfigureAwait(false);
        else if (isCopied && _clock.NextCycle <= now && _checkpointPolicy.IsDueBySilence(end, _clock.LastCycle, now - _clock.LastNews))
            await CheckpointAsync(end, inSilence: true, cancellationToken).ConfigureAwait(false);
        else if (isCopied && _clock.WantsTruncate && _checkpointPolicy.IsSilence(now - _clock.LastNews))
            _clock.WantsTruncate = !new Checkpointer(source, SyncSessionAsync, _services.Time).TryTruncate();
        end = source.Look();
        return _session.IsCopied(end) ? _schedule.AfterEverythingIsCopied(source, end) : _schedule.WhileWriting(end);
    }

    private async Task CopyAsync(CancellationToken cancellationToken)
    {
        _clock.LastShip = _services.Time.GetUtcNow();
        await SyncSessionAsync(cancellationToken).ConfigureAwait(false);
        TrimLocalFiles();
    }

    /// <summary>Tells the session what replicas and earlier sessions have found out: then something is to be copied even in silence.</summary>
    private void PassOn(SourceSession session)
    {
        (session.Floor, session.ForceFull) = (_floor > session.Floor ? _floor : session.Floor, _forceFull ?? session.ForceFull);
        session.BeforeFull = _isAsked ? null : _health.RequireCalm;
    }

    private async Task SyncSessionAsync(CancellationToken cancellationToken)
    {
        var session = _session!;
        PassOn(session);
        var start = _services.Time.GetTimestamp();
        await session.SyncAsync(cancellationToken).ConfigureAwait(false);
        _forceFull = null;
        _services.Metrics.Of(_options.Path).Synced(_services.Time.GetElapsedTime(start));
    }

    private async Task CheckpointAsync(WalIndexHeader end, bool inSilence, CancellationToken cancellationToken)
    {
        var start = _services.Time.GetTimestamp();
        var checkpointer = new Checkpointer(_session!.Source, SyncSessionAsync, _services.Time);
        var cycle = await checkpointer.RunAsync(cancellationToken).ConfigureAwait(false);
        var outcome = cycle.Outcome;
        _health.Blocks.CycleEnded(outcome, end.EndOffset);
        if (outcome == CheckpointOutcome.Complete)
        {
            _health.Proved(_session.CompareMovedPages());
            _clock.WantsTruncate = _checkpointPolicy.IsLong(_session.Source.Wal.LengthBytes, end.PageSize);
            if (inSilence && _clock.WantsTruncate)
                _clock.WantsTruncate = !checkpointer.TryTruncate();
        }
        var now = _services.Time.GetUtcNow();
        _clock.LastShip = now;
        _clock.CycleDone(outcome, _session.Source.Look(), now);
        var elapsed = _services.Time.GetElapsedTime(start);
        _services.Metrics.Of(_options.Path).Checkpointed(outcome == CheckpointOutcome.Complete, elapsed);
        _services.Log.Checkpointed(_options.Path, cycle, elapsed);
        TrimLocalFiles();
    }

    private void TrimLocalFiles()
    {
        var confirmed = _files.Max;
        foreach (var replica in Replicas)
            if (replica.NeedsNothingUpTo < confirmed)
                confirmed = replica.NeedsNothingUpTo;
        // What goes on behind a snapshot that is streaming must stay until it is there, or the next one would come too late as well.
        var limit = Replicas.Any(r => r.IsTakingSnapshot) ? long.MaxValue : _options.MaxLocalBytes;
        var dropped = _files.Trim(confirmed, MergedByAll(), limit);
        if (dropped > 0)
            _services.Log.LocalFilesDropped(_options.Path, dropped, _options.MaxLocalBytes);
    }

    /// <returns>False when there is no database yet.</returns>
    private async Task<bool> OpenIfNeededAsync(CancellationToken cancellationToken)
    {
        if (_session is { Source.HasMoved: false })
            return true;
        if (_session is not null)
        {
            _services.Log.Replaced(_options.Path);
            CloseSession();
            _health.Blocks.Forget();
            Waiters.Fail(Replaced(), isForGood: false);
            _forceFull = FullReason.DatabaseReplaced;
        }
        if (!SourceConnection.Exists(_options.Path))
        {
            SetState(ReplicationState.Starting, "the file is not there yet");
            return false;
        }
        _engineLock ??= EngineFolder.Lock(_services.Files, _options);
        if (!_localLoaded)
        {
            _files.Directory.CreateLevel(LtxFileInfo.MinLevel);
            _files.Directory.RemoveTemporaryFiles();
            _files.Load();
            _localLoaded = true;
        }
        if (_files.Max.IsNone)
            await AskReplicasAsync(cancellationToken).ConfigureAwait(false);
        _session = await SourceSession.OpenAsync(_options, _services, _files, Copied, cancellationToken).ConfigureAwait(false);
        _health.Blocks.Readable();
        var txid = _session.Position?.Txid ?? Txid.None;
        _services.Log.Opened(_options.Path, txid, _session.Source.PageSize, _session.Source.Wal.Path);
        return true;
    }

    /// <summary>Without local files only the replicas know which transaction is next. One that cannot be reached is asked again later.</summary>
    private async Task AskReplicasAsync(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(DiscoverPatience, _services.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        foreach (var replica in Replicas)
        {
            try
            {
                await replica.DiscoverAsync(both.Token).ConfigureAwait(false);
                GoOnBehind(replica.Confirmed);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                _services.Log.ReplicaFailed(_options.Path, replica.Status.Name, e.Message, TimeSpan.Zero);
            }
        }
    }

    private void GoOnBehind(Txid txid)
    {
        if (txid <= _floor || txid < _files.Max)
            return;
        _floor = txid;
        _wake();
    }

    private void Copied(SyncResult result)
    {
        var metrics = _services.Metrics.Of(_options.Path);
        metrics.Copied(result.WalBytes, result.Full?.ToString());
        if (result.Full is { } reason)
        {
            _services.Log.NewRun(_options.Path, result.File.MaxTxid, reason);
            _health.FullWritten(reason);
            Status = Status with { LastFullReason = reason.ToString(), FullFiles = Status.FullFiles + 1 };
        }
        else
        {
            _services.Log.Synced(_options.Path, result.File.MaxTxid, result.File.SizeBytes);
        }
    }

    /// <summary>Streams the whole database at its present position to a replica.</summary>
    internal async Task<LtxFileInfo> WriteSnapshotAsync(ReplicaClient client, Action<Txid> begins, CancellationToken cancellationToken)
    {
        var (snapshot, position) = await OpenSnapshotAsync(begins, cancellationToken).ConfigureAwait(false);
        using (snapshot)
            return await SnapshotWriter
                .WriteAsync(client, snapshot, position, _options.LegacyPageFrames, cancellationToken)
                .ConfigureAwait(false);
    }

    /// <summary>A reader that shows the database at exactly the position of the newest local file.</summary>
    private async Task<(SourceSnapshot Snapshot, SyncPosition Position)> OpenSnapshotAsync(
        Action<Txid> begins,
        CancellationToken cancellationToken
    )
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        var before = _files.Max;
        try
        {
            if (!await OpenIfNeededAsync(cancellationToken).ConfigureAwait(false))
                throw new LitestreamException(LitestreamError.NotFound, $"{_options.Path} is not there") { IsTransient = true };
            for (var tries = 0; ; tries++)
            {
                await SyncSessionAsync(cancellationToken).ConfigureAwait(false);
                // A writer that never pauses always commits in between; then hold it for the moment that opening the reader takes.
                var barrier = tries >= 3 && _session!.Source.TryBarrier();
                try
                {
                    if (barrier)
                        await SyncSessionAsync(cancellationToken).ConfigureAwait(false);
                    var snapshot = _session!.Source.OpenSnapshot();
                    if (_session.IsCopied(snapshot.At))
                    {
                        begins(_session.Position!.Txid); // under the gate: from now on nothing behind it is trimmed
                        Succeeded();
                        return (snapshot, _session.Position);
                    }
                    snapshot.Dispose();
                }
                finally
                {
                    if (barrier)
                        _session!.Source.ReleaseBarrier();
                }
            }
        }
        finally
        {
            _gate.Release();
            if (_files.Max != before)
                FileAdded?.Invoke();
        }
    }

    /// <summary>Leaves the database so that the next start can prove that nothing happened meanwhile. After the last sync.</summary>
    internal async Task SealAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_session is { Source.HasMoved: false } session)
                session.Seal();
        }
        catch (LitestreamException e)
        {
            // Only the proof is missing: the next start may have to copy everything.
            _services.Log.StepFailed(_options.Path, e.Message, TimeSpan.Zero);
        }
        finally
        {
            _gate.Release();
        }
    }

    private void CloseSession()
    {
        _session?.Dispose();
        _session = null;
    }

    /// <summary>Closes the connections and lets go of the database; the WAL stays as it is.</summary>
    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false); // for good
        await _ended.CancelAsync().ConfigureAwait(false);
        CloseSession();
        try
        {
            TrimLocalFiles();
        }
        catch (LitestreamException e)
        {
            // Only room is lost: the next start trims again. The lock must go in any case.
            _services.Log.StepFailed(_options.Path, e.Message, TimeSpan.Zero);
        }
        _engineLock?.Dispose();
        _engineLock = null;
        SetState(ReplicationState.Stopped, null);
        Waiters.Fail(Stopped(), isForGood: true);
        foreach (var replica in Replicas)
            await replica.DisposeAsync().ConfigureAwait(false);
    }
}
