using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore.V3;
using Microsoft.Extensions.Logging;

namespace Litestream.Restore;

/// <summary>Makes a database file from a replica: whole and proved, or not at all.</summary>
/// <remarks>Stateless; may run several restores to different outputs at once.</remarks>
public sealed class DatabaseRestorer
{
    private static readonly string[] s_sidecars = ["-wal", "-shm", "-journal"];

    private readonly DurableFiles _files;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    /// <summary>Takes what it works with.</summary>
    /// <param name="files">The disk of the output.</param>
    /// <param name="time">The clock for pauses and durations.</param>
    /// <param name="log">Where messages go.</param>
    public DatabaseRestorer(DurableFiles files, TimeProvider time, ILogger log)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(log);
        _files = files;
        _time = time;
        _log = log;
    }

    /// <summary>Restores a state into a new file, which gets its name only when everything about it is proved.</summary>
    /// <param name="client">The replica; stays the caller's.</param>
    /// <param name="options">Output, state and checks.</param>
    /// <param name="cancellationToken">Ends the restore; nothing is left behind.</param>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.OutputExists"/>, <see cref="LitestreamError.NotFound"/>, <see cref="LitestreamError.Gap"/>,
    /// <see cref="LitestreamError.Corrupt"/> (with level and transactions of the file), <see cref="LitestreamError.IntegrityCheckFailed"/>, or a
    /// failure of store or disk. There is no output then.
    /// </exception>
    public Task<RestoreResult> RestoreAsync(ReplicaClient client, RestoreOptions options, CancellationToken cancellationToken) =>
        RestoreCoreAsync(client, null, options, cancellationToken);

    /// <summary>As the other, with a plan made a moment ago.</summary>
    /// <param name="client">The replica that the plan is of; stays the caller's.</param>
    /// <param name="plan">What to apply. When its files are gone meanwhile, another one is made, as <see cref="RestoreOptions.Target"/> says.</param>
    /// <param name="options">Output, state and checks.</param>
    /// <param name="cancellationToken">Ends the restore; nothing is left behind.</param>
    public Task<RestoreResult> RestoreAsync(
        ReplicaClient client,
        RestorePlan plan,
        RestoreOptions options,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(plan);
        return RestoreCoreAsync(client, plan, options, cancellationToken);
    }

    /// <summary>Restores from the replica that reaches furthest; when that fails, from the next one.</summary>
    /// <param name="clients">Replicas of one database, at least one; they stay the caller's.</param>
    /// <param name="options">Output, state and checks.</param>
    /// <param name="cancellationToken">Ends the restore; nothing is left behind.</param>
    /// <exception cref="LitestreamException">
    /// None could serve. <see cref="LitestreamError.NotFound"/> means that every one was asked and has no such backup.
    /// </exception>
    public async Task<RestoreResult> RestoreAsync(
        IReadOnlyList<ReplicaClient> clients,
        RestoreOptions options,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(clients);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfZero(clients.Count, nameof(clients));
        CheckOutput(Path.GetFullPath(options.OutputPath));
        var failures = new List<LitestreamException>();
        foreach (var offer in await ReplicaChoice.RankAsync(clients, options.Target, _time, cancellationToken).ConfigureAwait(false))
        {
            var failure = offer.Failure;
            try
            {
                if (offer.Plan is { } plan)
                    return await RestoreAsync(clients[offer.Index], plan, options, cancellationToken).ConfigureAwait(false) with
                    {
                        ReplicaIndex = offer.Index,
                    };
            }
            catch (LitestreamException e) when (ReplicaChoice.OthersMayHelp(e) && !cancellationToken.IsCancellationRequested)
            {
                failure = e;
            }
            failures.Add(failure!);
            if (clients.Count > 1)
                Log.ReplicaCannotServe(_log, clients[offer.Index].Store.Location, failure!.Message);
        }
        throw ReplicaChoice.Worst(failures);
    }

    private async Task<RestoreResult> RestoreCoreAsync(
        ReplicaClient client,
        RestorePlan? made,
        RestoreOptions options,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(options);
        var started = _time.GetTimestamp();
        var output = Path.GetFullPath(options.OutputPath);
        CheckOutput(output);
        for (var attempt = 1; ; attempt++)
        {
            // What is to be followed must be what LTX files can go on from.
            var plan =
                made
                ?? await StoreRetries
                    .RunAsync(
                        () =>
                            options.ForFollowing is null
                                ? RestorePlanner.PlanAsync(client, options.Target, cancellationToken)
                                : RestorePlanner.PlanFilesAsync(client, options.Target, cancellationToken),
                        _time,
                        cancellationToken
                    )
                    .ConfigureAwait(false);
            made = null;
            try
            {
                LogStart(output, plan, client);
                if (Path.GetDirectoryName(output) is { Length: > 0 } folder)
                    _files.CreateDirectory(folder);
                var size = await AtomicFile
                    .WriteAsync(
                        _files,
                        output,
                        (stream, cancel) => WriteAsync(client, plan, options, output, stream, cancel),
                        cancellationToken,
                        accessLike: AccessOf(output, options)
                    )
                    .ConfigureAwait(false);
                var duration = _time.GetElapsedTime(started);
                LogEnd(output, plan, size, duration);
                return new RestoreResult(output, plan.Txid, size, duration) { OldBackup = plan.OldBackup };
            }
            catch (LitestreamException exception) when (exception is { Error: LitestreamError.Corrupt, Hint: null, MaxTxid: not null })
            {
                if (await RestorePlanner.HintWithoutAsync(client, exception, cancellationToken).ConfigureAwait(false) is not { } hint)
                    throw;
                throw WithHint(exception, hint);
            }
            catch (LitestreamException exception)
                when (exception.Error == LitestreamError.NotFound
                    && (exception.Level is not null || plan.OldBackup is not null)
                    && attempt == 1
                )
            {
                // Compaction and retention replace files while they are being read; what they held is elsewhere now.
                Log.PlanningAgain(_log, exception.Message);
            }
        }
    }

    /// <summary>Fails when the output, or the remains of another database that SQLite would take for its own, are there.</summary>
    internal void CheckOutput(string output)
    {
        if (_files.DirectoryExists(output))
            throw OutputExists(output, "it is a folder");
        // Never opened: it may be in use, and closing it would drop its locks.
        if (_files.Stat(output) is { SizeBytes: > 0 })
            throw OutputExists(output, "a file is there");
        foreach (var sidecar in s_sidecars)
        {
            if (_files.FileExists(output + sidecar))
                throw OutputExists(
                    output,
                    $"{Path.GetFileName(output)}{sidecar} is there, which SQLite would apply to the restored database"
                );
        }
    }

    private void LogStart(string output, RestorePlan plan, ReplicaClient client)
    {
        if (plan.OldBackup is { } old)
            Log.RestoringOldBackup(
                _log,
                output,
                client.Store.Location,
                old.Generation,
                old.Snapshot.Index,
                old.Index,
                old.Segments.Count,
                old.SizeBytes
            );
        else
            Log.Restoring(_log, output, plan.Txid, client.Store.Location, plan.Files.Count, plan.SizeBytes);
    }

    private void LogEnd(string output, RestorePlan plan, long size, TimeSpan duration)
    {
        if (plan.OldBackup is { } old)
            Log.RestoredOldBackup(_log, output, old.Generation, old.Index, size, (long)duration.TotalMilliseconds);
        else
            Log.Restored(_log, output, plan.Txid, size, (long)duration.TotalMilliseconds);
    }

    private async Task<long> WriteAsync(
        ReplicaClient client,
        RestorePlan plan,
        RestoreOptions options,
        string output,
        Stream stream,
        CancellationToken cancellationToken
    )
    {
        if (AccessOf(output, options) is null && Path.GetDirectoryName(output) is { Length: > 0 } folder)
            _files.CopyOwner(folder, output + AtomicFile.TemporarySuffix);
        var size = plan.OldBackup is { } old
            ? await new V3Restorer(client.Store, options.Parallelism, _time, _log)
                .WriteAsync(old, stream, cancellationToken)
                .ConfigureAwait(false)
            : await WriteFilesAsync(client, plan, options, stream, cancellationToken).ConfigureAwait(false);
        if (options.ForFollowing is not null)
            await DatabaseHeader.SetRollbackModeAsync(stream, cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        await IntegrityCheck.RunAsync(output + AtomicFile.TemporarySuffix, options.IntegrityCheck, cancellationToken).ConfigureAwait(false);
        // A download takes its time: somebody may have made a database there meanwhile.
        CheckOutput(output);
        cancellationToken.ThrowIfCancellationRequested();
        if (options.ForFollowing is { } follow)
            await follow(plan.Txid, cancellationToken).ConfigureAwait(false);
        return size;
    }

    private async Task<long> WriteFilesAsync(
        ReplicaClient client,
        RestorePlan plan,
        RestoreOptions options,
        Stream stream,
        CancellationToken cancellationToken
    )
    {
        var image = new DatabaseImage(stream);
        await using var closing = image.ConfigureAwait(false);
        var downloads = new RestoreDownloads(client, plan.Files, options.Parallelism, _time, cancellationToken);
        LtxHeader? last = null;
        await using (downloads.ConfigureAwait(false))
        {
            foreach (var file in plan.Files)
            {
                try
                {
                    last = await ApplyAsync(downloads, image, file, cancellationToken).ConfigureAwait(false);
                }
                catch (LitestreamException exception)
                    when (exception.Level is null && exception.Error is not (LitestreamError.DiskFull or LitestreamError.LocalStorage))
                {
                    throw About(client, file, exception);
                }
                Log.Applied(_log, file.Level, file.FileName);
            }
        }
        return await image.CompleteAsync(last!).ConfigureAwait(false);
    }

    private static async Task<LtxHeader> ApplyAsync(
        RestoreDownloads downloads,
        DatabaseImage image,
        LtxFileInfo file,
        CancellationToken cancellationToken
    )
    {
        var stream = downloads.Next();
        await using (stream.ConfigureAwait(false))
        {
            var decoder = await LtxDecoder.OpenAsync(stream, file.SizeBytes, cancellationToken).ConfigureAwait(false);
            await using (decoder.ConfigureAwait(false))
            {
                var header = decoder.Header;
                if (header.MinTxid != file.MinTxid || header.MaxTxid != file.MaxTxid)
                    throw new LitestreamException(
                        LitestreamError.Corrupt,
                        $"its name says transactions {file.MinTxid}-{file.MaxTxid}, its header {header.MinTxid}-{header.MaxTxid}"
                    );
                await image.ApplyAsync(decoder, cancellationToken).ConfigureAwait(false);
                return header;
            }
        }
    }

    /// <summary>The file whose mode and owner the output gets; null for the system's mode and the folder's owner.</summary>
    private string? AccessOf(string output, RestoreOptions options) => options.AccessLike ?? (_files.FileExists(output) ? output : null);

    private static LitestreamException WithHint(LitestreamException exception, string hint) =>
        new(exception.Error, exception.Message, exception)
        {
            Hint = hint,
            Path = exception.Path,
            Level = exception.Level,
            MinTxid = exception.MinTxid,
            MaxTxid = exception.MaxTxid,
        };

    /// <summary>The failure with the file that it concerns.</summary>
    internal static LitestreamException About(ReplicaClient client, LtxFileInfo file, LitestreamException exception) =>
        new(exception.Error, $"level {file.Level} file {file.FileName}: {exception.Message}", exception)
        {
            IsTransient = exception.IsTransient,
            Hint = exception.Hint,
            Path = exception.Path ?? client.Layout.Key(file.Level, file.MinTxid, file.MaxTxid),
            Level = file.Level,
            MinTxid = file.MinTxid,
            MaxTxid = file.MaxTxid,
        };

    private static LitestreamException OutputExists(string output, string reason) =>
        new(LitestreamError.OutputExists, $"cannot restore to {output}: {reason}")
        {
            Path = output,
            Hint = "choose another output, or move the database with its -wal, -shm and -journal away",
        };
}
