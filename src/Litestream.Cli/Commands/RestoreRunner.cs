using Litestream.Cli.Logging;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Commands;

/// <summary>Restores from the best of several replicas that can serve the request.</summary>
internal sealed class RestoreRunner(CliServices services, ILogger log)
{
    private static readonly string[] s_sidecars = ["-wal", "-shm", "-journal"];

    /// <summary>Refuses an output that a restore would damage, or that would damage it.</summary>
    /// <exception cref="CliException">It does.</exception>
    public static void CheckOutput(string path, bool force)
    {
        if (Directory.Exists(path))
            throw new CliException($"cannot restore, output path is a directory: {path}");
        if (force)
            return;
        if (new FileInfo(path) is { Exists: true, Length: > 0 })
            throw new CliException($"cannot restore, output path already exists: {path}") { Hint = "another -o, or -force to replace it" };
        foreach (var sidecar in s_sidecars)
            if (File.Exists(path + sidecar))
                throw new CliException(
                    $"cannot restore, {path}{sidecar} of another database lies beside the output and would be mixed into it"
                )
                {
                    Hint = "another -o, or -force to remove it",
                };
    }

    /// <summary>Restores from the replica that reaches furthest; when it fails, from the next.</summary>
    /// <returns>What was done; null when there is no backup and the request allows that.</returns>
    public Task<(ReplicaOptions Replica, RestoreResult Result)?> RestoreAsync(
        RestoreRequest request,
        CancellationToken cancellationToken
    ) => FirstAsync(request, (client, plan, token) => RestoreAsync(client, plan, request, token), cancellationToken);

    /// <summary>Plans the same restore without doing it.</summary>
    public Task<(ReplicaOptions Replica, RestorePlan Plan)?> PlanAsync(RestoreRequest request, CancellationToken cancellationToken) =>
        FirstAsync(request, (_, plan, _) => Task.FromResult(plan), cancellationToken);

    private async Task<(ReplicaOptions, T)?> FirstAsync<T>(
        RestoreRequest request,
        Func<ReplicaClient, RestorePlan, CancellationToken, Task<T>> work,
        CancellationToken cancellationToken
    )
    {
        var opened = new OpenReplicas(request.Sources.Replicas, services);
        await using var closing = opened.ConfigureAwait(false);
        var failures = new List<Exception>();
        var empty = 0;
        foreach (var offer in await opened.RankAsync(request.Target, cancellationToken).ConfigureAwait(false))
        {
            var failure = offer.Failure;
            try
            {
                if (offer is { Client: { } client, Plan: { } plan })
                    return (offer.Replica, await work(client, plan, cancellationToken).ConfigureAwait(false));
                if (offer is { Client: { } other, Failure: LitestreamException { Error: LitestreamError.NotFound } notFound })
                {
                    var hasBackup = await HasBackupAsync(other, cancellationToken).ConfigureAwait(false);
                    empty += hasBackup ? 0 : 1;
                    failure = hasBackup ? NoMatch(notFound, request) : NoBackup(request, offer.Replica);
                }
            }
            catch (Exception e)
                when (e is CliException
                    || e
                        is LitestreamException
                        {
                            Error: not (LitestreamError.OutputExists or LitestreamError.DiskFull or LitestreamError.LocalStorage)
                        }
                )
            {
                failure = e;
            }
            failures.Add(failure!);
            if (request.Sources.Replicas.Count > 1)
                log.Warn("replica cannot serve this restore", ("replica", offer.Replica.Url.ToString()), ("error", failure!.Message));
        }
        if (empty == request.Sources.Replicas.Count && request.IfReplicaExists)
            return null;
        // "No backup" is the answer only when every replica gives it.
        throw empty == failures.Count ? failures[0] : failures.First(f => f is not CliException { IsNoBackup: true });
    }

    private async Task<RestoreResult> RestoreAsync(
        ReplicaClient client,
        RestorePlan plan,
        RestoreRequest request,
        CancellationToken cancellationToken
    )
    {
        var output = request.OutputPath;
        var files = services.Files;
        if (Path.GetDirectoryName(output) is { Length: > 0 } folder && !files.DirectoryExists(folder))
            files.CreateDirectory(folder);
        // With -force the old database stays until the new one is whole.
        var replacing = request.Force && (File.Exists(output) || s_sidecars.Any(s => File.Exists(output + s)));
        var target = replacing ? $"{output}.{Environment.ProcessId}.restored" : output;
        var restorer = new DatabaseRestorer(files, services.Time, log);
        var result = await restorer
            .RestoreAsync(
                client,
                plan,
                new RestoreOptions
                {
                    OutputPath = target,
                    Target = request.Target,
                    IntegrityCheck = request.IntegrityCheck,
                    Parallelism = request.Parallelism,
                    AccessLike = replacing && File.Exists(output) ? output : null,
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        if (!replacing)
            return result;
        Replace(files, target, output);
        return result with { OutputPath = output };
    }

    // The sidecars go first: beside the new file they would be replayed into it.
    private static void Replace(DurableFiles files, string from, string to)
    {
        try
        {
            foreach (var sidecar in s_sidecars)
                files.Delete(to + sidecar);
            files.Rename(from, to);
            files.FlushDirectory(Path.GetDirectoryName(to)!);
        }
        catch (LitestreamException)
        {
            files.Delete(from);
            throw;
        }
    }

    private static async Task<bool> HasBackupAsync(ReplicaClient client, CancellationToken cancellationToken)
    {
        for (var level = LtxFileInfo.SnapshotLevel; level >= LtxFileInfo.MinLevel; level--)
            await foreach (var _ in client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, cancellationToken).ConfigureAwait(false))
                return true;
        return await client.HasGenerationsAsync(cancellationToken).ConfigureAwait(false);
    }

    private static CliException NoBackup(RestoreRequest request, ReplicaOptions replica) =>
        new("no matching backup files available")
        {
            Hint = replica.Url.Path.Length > 0 ? $"litestream ltx -level all {request.Sources.Shown}" : null,
            IsNoBackup = true,
        };

    private static Exception NoMatch(LitestreamException e, RestoreRequest request) =>
        request.Target switch
        {
            { Generation: not null } => e,
            { Timestamp: not null } => new CliException("timestamp does not exist"),
            { Txid: not null } => new CliException("no matching backup files available"),
            _ => e,
        };
}
