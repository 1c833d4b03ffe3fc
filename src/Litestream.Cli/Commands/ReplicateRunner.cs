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
        if (request.Once)
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

        var complete = await StopAsync(store).ConfigureAwait(false);
        _log.Info("litestream shut down");
        if (!complete)
            throw Missing(store, failure);
        if (request.Once)
            return 0; // What the one try could not bring, the last sync did.
        return failure is null ? 0 : throw failure;
    }

    private static void CheckPresent(ReplicateRequest request)
    {
        foreach (var database in request.Options.Databases)
            if (!File.Exists(database.Path) && !request.RestoreIfMissing.Contains(database.Path))
                throw new CliException($"database does not exist: {database.Path}")
                {
                    Hint = "its full path; without -once litestream waits for it",
                };
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
            }
            _log.Info("one-shot replication complete");
            return null;
        }
        catch (LitestreamException e)
        {
            return new CliException(e.Message) { Hint = e.Hint };
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
                return exitCode == 0 ? null : new CliException(ChildProcess.Describe(exitCode));
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

    private async Task<bool> StopAsync(LitestreamStore store)
    {
        try
        {
            return await store.StopAsync(signals.AtOnce).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static CliException Missing(LitestreamStore store, CliException? failure)
    {
        var late =
            from database in store.Databases
            from replica in database.Replicas
            where replica.Txid < database.Txid || replica.PendingTransactions > 0 || database.Cause is not null || replica.Cause is not null
            select Describe(database, replica);
        var list = late.ToArray();
        var text = list.Length == 0 ? "the last sync did not end in time" : $"not everything arrived: {string.Join("; ", list)}";
        return new CliException(failure is null ? text : $"{failure.Message}; {text}")
        {
            Hint = "start litestream again: local files are kept and uploaded then",
        };
    }

    private static string Describe(DatabaseStatus database, ReplicaStatus replica)
    {
        var cause = replica.Cause ?? database.Cause;
        return $"{database.Path} is at {database.Txid}, {replica.Location} has {(replica.Txid.IsNone ? "nothing known" : replica.Txid)}{(cause is null ? "" : $" ({cause})")}";
    }

    private static Task WhenCancelled(CancellationToken cancellationToken)
    {
        var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cancellationToken.Register(() => source.TrySetResult());
        return source.Task;
    }
}
