using System.Runtime.ExceptionServices;
using Litestream.Diagnostics;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Sqlite;
using Microsoft.Extensions.Logging;

namespace Litestream.Restore;

/// <summary>Keeps a database file at the newest state of a replica, while others read it.</summary>
/// <remarks>
/// <see cref="StartAsync"/> restores the file or goes on with the one that is there; then <see cref="RunAsync"/> looks again and again, or a caller makes
/// the steps itself. Every file is proved before any of its pages is applied, and an apply is one transaction to readers and to a crash. Every loop and
/// step by one caller at a time; <see cref="Status"/> from any thread. The replica stays the caller's.
/// </remarks>
public sealed class DatabaseFollower : IAsyncDisposable
{
    private const int BatchBytes = 16 << 20;
    private const int BatchFiles = 64;
    private static readonly TimeSpan s_tellAgain = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(30);

    private readonly ReplicaClient _client;
    private readonly FollowOptions _options;
    private readonly DurableFiles _files;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly string _path;
    private readonly TxidSidecar _sidecar;
    private readonly FollowLook _look;
    private FollowedDatabase? _database;
    private FollowApplier? _applier;
    private (string? Cause, DateTimeOffset At) _told;

    // Whether the file surely holds the transaction of its -txid: not when another program followed before, which may have died in between.
    private bool _isExact;

    /// <summary>Takes what it works with; nothing is opened yet.</summary>
    /// <param name="client">The replica.</param>
    /// <param name="options">What to follow into.</param>
    /// <param name="files">The disk of the output.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where messages go.</param>
    public DatabaseFollower(ReplicaClient client, FollowOptions options, DurableFiles files, TimeProvider time, ILogger log)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(log);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.Interval, TimeSpan.Zero, nameof(options));
        (_client, _options, _files, _time, _log) = (client, options, files, time, log);
        _path = Path.GetFullPath(options.OutputPath);
        _sidecar = new TxidSidecar(files, _path);
        _look = new FollowLook(client, options.Interval, time);
        Status = new FollowStatus { Path = _path, Since = time.GetUtcNow() };
    }

    /// <summary>How it is doing.</summary>
    public FollowStatus Status { get; private set; }

    /// <summary>Restores the file when it is missing, else goes on from the state that <c>-txid</c> beside it names.</summary>
    /// <returns>The restore; null when the file was there.</returns>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.OutputExists"/>: a file is there that does not follow. <see cref="LitestreamError.Corrupt"/>: its <c>-txid</c> is
    /// malformed. Else as of <see cref="DatabaseRestorer.RestoreAsync(ReplicaClient, RestoreOptions, CancellationToken)"/>.
    /// </exception>
    public async Task<RestoreResult?> StartAsync(CancellationToken cancellationToken)
    {
        if (_files.DirectoryExists(_path))
            throw new LitestreamException(LitestreamError.OutputExists, $"cannot follow into {_path}: it is a folder") { Path = _path };
        var stat = _files.Stat(_path);
        var txid = stat is null ? null : _sidecar.Read();
        RestoreResult? restored = null;
        if (txid is null)
        {
            if (stat is { SizeBytes: > 0 })
                throw new LitestreamException(
                    LitestreamError.OutputExists,
                    $"cannot follow into {_path}: a database is there, but no {_sidecar.Path} that says which state it holds"
                )
                {
                    Path = _path,
                    Hint = "choose another output, or remove the file to have it restored",
                };
            _sidecar.ForgetAnnounced();
            restored = await RestoreAsync(cancellationToken).ConfigureAwait(false);
            txid = restored.Txid;
        }
        _files.Delete(StagingPath);
        _database = FollowedDatabase.Open(_path, _files, _options.BusyTimeout);
        if (_sidecar.ReadAnnounced(_database.ChangeCounter) is { } reached && reached != txid)
        {
            // The last process died when it had changed the database and not yet said so.
            await _sidecar.WriteAsync(reached, cancellationToken).ConfigureAwait(false);
            txid = reached;
        }
        _isExact = restored is not null || _sidecar.HasAnnounced;
        _applier = new FollowApplier(_database, _sidecar, _options, _time);
        await _applier.PrepareAsync(cancellationToken).ConfigureAwait(false);
        Status = Status with { Txid = txid.Value, ReplicaTxid = txid.Value };
        Log.Following(_log, _path, txid.Value, _client.Store.Location, restored is null);
        return restored;
    }

    /// <summary>Looks at the replica and applies what is new.</summary>
    /// <returns>When to look again. What can heal is told by <see cref="Status"/> and tried again.</returns>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.Conflict"/>: somebody else changed, removed or replaced the file, so that it cannot follow any more.
    /// </exception>
    public async ValueTask<DateTimeOffset> StepAsync(CancellationToken cancellationToken)
    {
        if (_database is null)
            throw new InvalidOperationException("not started");
        try
        {
            if (_database.HasMoved)
                throw new LitestreamException(LitestreamError.Conflict, $"{_path} was removed or replaced while it followed")
                {
                    Path = _path,
                };
            await FollowAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Error != LitestreamError.Conflict && !cancellationToken.IsCancellationRequested)
        {
            if (e.Error == LitestreamError.Corrupt && !_isExact)
                _look.StartOver("another program followed before, and which transaction it left in the file is not sure");
            var blocked = e.Error == LitestreamError.Busy;
            Failed(blocked ? FollowState.Blocked : FollowState.Failing, Describe(e), backsOff: !blocked);
        }
        return _time.GetUtcNow() + Pause();
    }

    /// <summary>Follows until cancelled; then the file holds the state that its <c>-txid</c> says.</summary>
    /// <exception cref="LitestreamException">As of <see cref="StepAsync"/>.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var due = await StepAsync(cancellationToken).ConfigureAwait(false);
                var pause = due - _time.GetUtcNow();
                if (pause > TimeSpan.Zero)
                    await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Become(FollowState.Stopped, null);
            Log.FollowStopped(_log, _path, Status.Txid);
        }
    }

    /// <summary>Gauges of this follower.</summary>
    public IReadOnlyList<MetricSample> Samples() => FollowMetrics.Of(Status, _time.GetUtcNow());

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _database?.Dispose();
        _database = null;
        return ValueTask.CompletedTask;
    }

    private string StagingPath => $"{_path}-follow{AtomicFile.TemporarySuffix}";

    private Task<RestoreResult> RestoreAsync(CancellationToken cancellationToken) =>
        new DatabaseRestorer(_files, _time, _log).RestoreAsync(
            _client,
            new RestoreOptions
            {
                OutputPath = _path,
                IntegrityCheck = _options.IntegrityCheck,
                Parallelism = _options.Parallelism,
                // Before the file has its name: with a name and no -txid it could never follow.
                ForFollowing = (txid, cancel) =>
                    txid.IsNone
                        ? throw new LitestreamException(
                            LitestreamError.InvalidConfiguration,
                            $"{_client.Store.Location} holds its newest state as a backup of Litestream 0.3, which cannot be followed"
                        )
                        {
                            Hint = "restore it without following",
                        }
                        : _sidecar.WriteAsync(txid, cancel),
            },
            cancellationToken
        );

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        var look = await _look.AtAsync(Status.Txid, cancellationToken).ConfigureAwait(false);
        if (look.StartsOver is { } reason)
            Log.FollowStartsOver(_log, _path, Status.Txid, look.Plan.Newest, reason);
        try
        {
            await CarryOutAsync(look.Plan, cancellationToken).ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Error is LitestreamError.NotFound or LitestreamError.Corrupt && e.Level is not null)
        {
            // Compaction took the file away, or it is damaged: another level may hold the same.
            Log.FollowingAnotherWay(_log, _path, e.Message);
            look = await _look.WithoutAsync(e, Status.Txid, cancellationToken).ConfigureAwait(false);
            await CarryOutAsync(look.Plan, cancellationToken).ConfigureAwait(false);
            if (Status.Txid < e.MaxTxid)
                throw;
        }
        Seen(look);
    }

    private async Task CarryOutAsync(FollowPlan plan, CancellationToken cancellationToken)
    {
        if (plan.Newest > Status.ReplicaTxid || plan.Files.Count > 0)
            Status = Status with { ReplicaTxid = plan.Newest, Lag = Age(plan.OldestPending) };
        if (plan.Files.Count == 0)
            return;
        if (Status.State is FollowState.Current or FollowState.Starting)
            Become(FollowState.CatchingUp, null);
        var downloads = new RestoreDownloads(_client, plan.Files, _options.Parallelism, _time, cancellationToken);
        await using var closing = downloads.ConfigureAwait(false);
        var batch = new List<StagedFile>();
        try
        {
            ExceptionDispatchInfo? broken = null;
            foreach (var info in plan.Files)
            {
                if (batch.Count > 0 && !Fits(batch, info))
                    await ApplyAsync(batch, cancellationToken).ConfigureAwait(false);
                try
                {
                    var file = await StageAsync(downloads, info, cancellationToken).ConfigureAwait(false);
                    if (batch.Count > 0 && file.Header.PageSize != batch[0].Header.PageSize)
                        await ApplyAsync(batch, cancellationToken).ConfigureAwait(false);
                    batch.Add(file);
                }
                catch (LitestreamException e) when (!cancellationToken.IsCancellationRequested)
                {
                    // What came whole before it is applied first.
                    broken = ExceptionDispatchInfo.Capture(e);
                    break;
                }
            }
            if (batch.Count > 0)
                await ApplyAsync(batch, cancellationToken).ConfigureAwait(false);
            broken?.Throw();
        }
        finally
        {
            foreach (var file in batch)
                await file.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static bool Fits(List<StagedFile> batch, LtxFileInfo next) =>
        batch.Count < BatchFiles
        && next.SizeBytes <= StagedFile.MemoryLimit
        && !batch[^1].IsLarge
        && batch.Sum(f => f.Info.SizeBytes) + next.SizeBytes <= BatchBytes;

    private async Task<StagedFile> StageAsync(RestoreDownloads downloads, LtxFileInfo info, CancellationToken cancellationToken)
    {
        try
        {
            var content = downloads.Next();
            await using var closing = content.ConfigureAwait(false);
            return await StagedFile.StageAsync(info, content, _files, StagingPath, cancellationToken).ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Level is null && e.Error is not (LitestreamError.DiskFull or LitestreamError.LocalStorage))
        {
            throw DatabaseRestorer.About(_client, info, e);
        }
    }

    private async Task ApplyAsync(List<StagedFile> batch, CancellationToken cancellationToken)
    {
        await _applier!.ApplyAsync(batch, cancellationToken).ConfigureAwait(false);
        var (txid, count) = (batch[^1].Header.MaxTxid, batch.Count);
        foreach (var file in batch)
            await file.DisposeAsync().ConfigureAwait(false);
        batch.Clear();
        // The change is durable; whoever stops now must not leave the note of it behind.
        await _sidecar.WriteAsync(txid, CancellationToken.None).ConfigureAwait(false);
        _isExact = true;
        Status = Status with { Txid = txid, LastApply = _time.GetUtcNow() };
        Log.FollowApplied(_log, _path, txid, count);
    }

    /// <summary>Judges a look that was carried out as far as it went.</summary>
    private void Seen(FollowLook.Result look)
    {
        Status = Status with { LastLook = _time.GetUtcNow() };
        if (look.Problem is { } problem)
        {
            Status = Status with
            {
                MissingFrom = look.Plan.MissingFrom,
                MissingTo = look.Plan.MissingTo,
                Lag = Age(look.Plan.OldestPending),
            };
            Failed(FollowState.Failing, problem, backsOff: false);
            return;
        }
        Status = Status with { MissingFrom = null, MissingTo = null, Lag = TimeSpan.Zero, Failures = 0, ReplicaTxid = Status.Txid };
        Become(FollowState.Current, null);
    }

    private void Failed(FollowState state, string cause, bool backsOff = true)
    {
        Status = Status with { Failures = backsOff ? Status.Failures + 1 : 0 };
        Become(state, cause);
        var now = _time.GetUtcNow();
        if (cause == _told.Cause && now - _told.At < s_tellAgain)
            return;
        _told = (cause, now);
        Log.FollowFailed(_log, _path, Status.Txid, Status.LagTransactions, cause);
    }

    private void Become(FollowState state, string? cause)
    {
        if (state == FollowState.Current && _told.Cause is not null)
        {
            _told = default;
            Log.FollowRecovered(_log, _path, Status.Txid);
        }
        Status = Status with { State = state, Cause = cause, Since = state == Status.State ? Status.Since : _time.GetUtcNow() };
    }

    private TimeSpan Age(DateTimeOffset? time) =>
        time is { } moment && _time.GetUtcNow() - moment is var age && age > TimeSpan.Zero ? age : TimeSpan.Zero;

    /// <summary>The usual pause; after failures of the store twice as long each time, up to half a minute.</summary>
    private TimeSpan Pause()
    {
        var pause = _options.Interval;
        for (var i = 1; i < Status.Failures && pause < s_longestPause; i++)
            pause *= 2;
        return pause < s_longestPause ? pause
            : _options.Interval > s_longestPause ? _options.Interval
            : s_longestPause;
    }

    private static string Describe(LitestreamException e) => e.Hint is null ? e.Message : $"{e.Message} ({e.Hint})";
}
