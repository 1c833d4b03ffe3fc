using Litestream.Cli.Logging;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;
using Litestream.Restore;
using Microsoft.Extensions.Logging;

namespace Litestream.Cli.Commands;

/// <summary>Restores from the first of several replicas that can serve the request.</summary>
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

    /// <summary>Restores.</summary>
    /// <returns>What was done; null when there is no backup and the request allows that.</returns>
    public Task<(ReplicaOptions Replica, RestoreResult Result)?> RestoreAsync(
        RestoreRequest request,
        CancellationToken cancellationToken
    ) => FirstAsync(request, (client, token) => RestoreAsync(client, request, token), cancellationToken);

    /// <summary>Plans the same restore without doing it.</summary>
    public Task<(ReplicaOptions Replica, RestorePlan Plan)?> PlanAsync(RestoreRequest request, CancellationToken cancellationToken) =>
        FirstAsync(request, (client, token) => RestorePlanner.PlanAsync(client, request.Target, token), cancellationToken);

    private async Task<(ReplicaOptions, T)?> FirstAsync<T>(
        RestoreRequest request,
        Func<ReplicaClient, CancellationToken, Task<T>> work,
        CancellationToken cancellationToken
    )
    {
        Exception? first = null;
        var empty = 0;
        foreach (var replica in request.Sources.Replicas)
        {
            Exception failure;
            try
            {
                ReplicaConfig.CheckAvailable(replica, services.Stores);
                var client = services.Stores.Open(replica);
                await using var closing = client.ConfigureAwait(false);
                try
                {
                    return (replica, await work(client, cancellationToken).ConfigureAwait(false));
                }
                catch (LitestreamException e) when (e.Error == LitestreamError.NotFound)
                {
                    var hasBackup = await HasBackupAsync(client, cancellationToken).ConfigureAwait(false);
                    empty += hasBackup ? 0 : 1;
                    failure = hasBackup ? NoMatch(e, request) : NoBackup(request, replica);
                }
            }
            catch (Exception e) when (e is CliException || e is LitestreamException { Error: not LitestreamError.OutputExists })
            {
                failure = e;
            }
            first ??= failure;
            if (request.Sources.Replicas.Count > 1)
                log.Warn("replica cannot serve this restore", ("replica", replica.Url.ToString()), ("error", failure.Message));
        }
        if (empty == request.Sources.Replicas.Count && request.IfReplicaExists)
            return null;
        throw first!;
    }

    private async Task<RestoreResult> RestoreAsync(ReplicaClient client, RestoreRequest request, CancellationToken cancellationToken)
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
                new RestoreOptions
                {
                    OutputPath = target,
                    Target = request.Target,
                    IntegrityCheck = request.IntegrityCheck,
                    Parallelism = request.Parallelism,
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
        if (await client.HasGenerationsAsync(cancellationToken).ConfigureAwait(false))
            throw new CliException($"backup of litestream 0.3 in {client.Store.Location}: this version cannot restore it yet")
            {
                Hint = "litestream 0.3.13 restore",
            };
        return false;
    }

    private static CliException NoBackup(RestoreRequest request, ReplicaOptions replica) =>
        new("no matching backup files available")
        {
            Hint = replica.Url.Path.Length > 0 ? $"litestream ltx -level all {request.Sources.Shown}" : null,
        };

    private static Exception NoMatch(LitestreamException e, RestoreRequest request) =>
        request.Target switch
        {
            { Timestamp: not null } => new CliException("timestamp does not exist"),
            { Txid: not null } => new CliException("no matching backup files available"),
            _ => e,
        };
}
