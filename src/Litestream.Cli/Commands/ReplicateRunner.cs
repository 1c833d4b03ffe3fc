using System.Runtime.InteropServices;
using Litestream.Cli.Logging;
using Litestream.Replicas;
using Litestream.Replication;
using Litestream.Restore;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Commands;

/// <summary>Runs the engine in the foreground: until a signal, until the child ends, or once.</summary>
internal sealed class ReplicateRunner(CliServices services, ILoggerFactory loggers, StopSignals signals)
{
    private readonly ILogger _log = loggers.CreateLogger("litestream");

    /// <returns>0 when everything arrived on every replica.</returns>
    /// <exception cref="CliException">Something did not arrive, or the child failed.</exception>
    public async Task<int> RunAsync(ReplicateRequest request)
    {
        CheckPresent(request);
        await RestoreMissingAsync(request).ConfigureAwait(false);
        var store = new LitestreamStore(request.Options, services.Stores, services.Time, loggers, services.Files);
        await using var closing = store.ConfigureAwait(false);
        var metrics = request.MetricsAddress is { } address
            ? new MetricsServer(address, store.Metrics.WritePrometheus, services.Time)
            : null;
        try
        {
            if (metrics is not null)
                _log.Info("serving metrics", ("addr", request.MetricsAddress), ("path", "/metrics"));
            return await RunAsync(store, request).ConfigureAwait(false);
        }
        finally
        {
            if (metrics is not null)
                await metrics.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<int> RunAsync(LitestreamStore store, ReplicateRequest request)
    {
        await store.StartAsync(signals.Stop).ConfigureAwait(false);
        foreach (var database in request.Options.Databases)
        foreach (var replica in database.Replicas)
            _log.Info("replicating", ("path", database.Path), ("to", replica.Url.ToString()), ("sync-interval", replica.SyncInterval));

        CliException? failure = null;
        if (request.Once)
            failure = await SyncOnceAsync(store, request).ConfigureAwait(false);
        else if (request.Exec is { } exec)
            failure = await RunChildAsync(exec).ConfigureAwait(false);
        else
            await WaitForSignalAsync().ConfigureAwait(false);

        // Stopping clears causes, and a failure that can never heal needs no patience.
        var before = store.Databases;
        var hopeless = request.Once && failure?.InnerException is LitestreamException { IsTransient: false };
        var complete = await StopAsync(store, hopeless ? new CancellationToken(canceled: true) : signals.AtOnce).ConfigureAwait(false);
        _log.Info("litestream shut down");
        if (!complete)
            throw Missing(store.Databases, before, failure);
        if (request.Once)
            return 0; // What the one try could not bring, the last sync did.
        return failure is null ? 0 : throw failure;
    }

    private static void CheckPresent(ReplicateRequest request)
    {
        foreach (var database in request.Options.Databases)
        {
            if (Directory.Exists(database.Path))
                throw new CliException($"not a database but a folder: {database.Path}") { Hint = "the path of the database file" };
            if (request.Once && !File.Exists(database.Path) && !request.RestoreIfMissing.Contains(database.Path))
                throw new CliException($"database does not exist: {database.Path}")
                {
                    Hint = "its full path; without -once litestream waits for it",
                };
        }
    }

    private async Task RestoreMissingAsync(ReplicateRequest request)
    {
        var runner = new RestoreRunner(services, _log);
        foreach (var database in request.Options.Databases)
        {
            if (!request.RestoreIfMissing.Contains(database.Path) || File.Exists(database.Path))
                continue;
            RestoreRunner.CheckOutput(database.Path, force: false);
            var restored = await runner
                .RestoreAsync(
                    new RestoreRequest
                    {
                        Sources = new Sources(database.Path, database.Path, database.Replicas),
                        OutputPath = database.Path,
                        IfReplicaExists = true,
                    },
                    signals.Stop
                )
                .ConfigureAwait(false);
            if (restored is ({ } replica, { } result))
                _log.Info("restored database", ("path", database.Path), ("from", replica.Url.ToString()), ("txid", result.Txid));
            else
                _log.Info("no backup to restore, starting without one", ("path", database.Path));
        }
    }

    private async Task<CliException?> SyncOnceAsync(LitestreamStore store, ReplicateRequest request)
    {
        try
        {
            foreach (var database in request.Options.Databases)
            {
                _log.Info("syncing database", ("path", database.Path));
                await store.SyncAsync(database.Path, upload: true, signals.Stop).ConfigureAwait(false);
                if (request.ForceSnapshot)
                {
                    _log.Info("taking snapshot", ("path", database.Path));
                    await store.SnapshotAsync(database.Path, signals.Stop).ConfigureAwait(false);
                }
                if (request.EnforceRetention)
                {
                    _log.Info("enforcing retention", ("path", database.Path));
                    await store.EnforceRetentionAsync(database.Path, signals.Stop).ConfigureAwait(false);
                }
            }
            _log.Info("one-shot replication complete");
            return null;
        }
        catch (LitestreamException e)
        {
            return new CliException(e.Message, e) { Hint = e.Hint };
        }
        catch (OperationCanceledException)
        {
            return new CliException("interrupted before all databases were synced");
        }
    }

    // Null when the child ended well.
    private async Task<CliException?> RunChildAsync(string commandLine)
    {
        ChildProcess child;
        try
        {
            child = ChildProcess.Start(commandLine);
        }
        catch (CliException e)
        {
            return e;
        }
        using (child)
        {
            void Forward(PosixSignal signal) => child.Forward(signal);
            signals.Received += Forward;
            try
            {
                if (signals.Stop.IsCancellationRequested)
                    child.Forward(signals.Last);
                var ended = child.WaitAsync();
                if (await Task.WhenAny(ended, WhenCancelled(signals.AtOnce)).ConfigureAwait(false) != ended)
                    child.Kill();
                var exitCode = await ended.ConfigureAwait(false);
                _log.Info("subprocess exited, litestream shutting down", ("exit-code", exitCode));
                return exitCode == 0 ? null : new CliException(ChildProcess.Describe(exitCode)) { ExitCode = exitCode };
            }
            finally
            {
                signals.Received -= Forward;
            }
        }
    }

    private async Task WaitForSignalAsync()
    {
        await WhenCancelled(signals.Stop).ConfigureAwait(false);
        _log.Info("signal received, litestream shutting down; a second signal stops at once", ("signal", signals.Last));
    }

    private static async Task<bool> StopAsync(LitestreamStore store, CancellationToken cancellationToken)
    {
        try
        {
            return await store.StopAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static CliException Missing(
        IReadOnlyList<DatabaseStatus> databases,
        IReadOnlyList<DatabaseStatus> before,
        CliException? failure
    )
    {
        var late = new List<string>();
        foreach (var database in databases)
        {
            var earlier = before.FirstOrDefault(d => d.Path == database.Path);
            foreach (var replica in database.Replicas)
            {
                var cause =
                    replica.Cause
                    ?? database.Cause
                    ?? earlier?.Replicas.FirstOrDefault(r => r.Name == replica.Name)?.Cause
                    ?? earlier?.Cause;
                // One that never answered may lack everything, however little is known of the database.
                var neverReached = replica.LastCurrent is null;
                if (replica.Txid < database.Txid || replica.PendingTransactions > 0 || cause is not null || neverReached)
                    late.Add(Describe(database, replica, cause));
            }
        }
        var parts = new List<string>();
        if (
            failure is not null
            && !late.Exists(l => l.Contains(failure.Message, StringComparison.Ordinal))
            && failure.InnerException is null
        )
            parts.Add(failure.Message);
        if (late.Count > 0)
            parts.Add($"not everything arrived: {string.Join("; ", late)}");
        else
            parts.Add(failure?.InnerException is null ? "the last sync did not end in time" : failure.Message);
        return new CliException(string.Join("; ", parts))
        {
            Hint = failure?.Hint ?? "start litestream again: local files are kept and uploaded then",
        };
    }

    private static string Describe(DatabaseStatus database, ReplicaStatus replica, string? cause) =>
        $"{database.Path} is at {database.Txid}, {replica.Location} has {(replica.Txid.IsNone ? "nothing known" : replica.Txid)}{(cause is null ? "" : $" ({cause})")}";

    private static Task WhenCancelled(CancellationToken cancellationToken)
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cancellationToken.Register(() => source.TrySetResult());
        return source.Task;
    }
}
