using Datasette.Litestream.Configuration;
using Datasette.Litestream.Credentials;
using Datasette.Plugins;
using Litestream;
using Litestream.Replicas;
using Litestream.Replication;
using Microsoft.Extensions.Logging;

namespace Datasette.Litestream;

/// <summary>Key <c>restore-if-missing</c>: a database of the command line whose file does not exist comes from its replicas before the host opens it.</summary>
internal static class MissingDatabase
{
    /// <summary>Restores the newest state that a replica has; does nothing when the configuration does not ask for it or nothing is stored yet.</summary>
    /// <param name="datasette">The host.</param>
    /// <param name="stores">The backends that are known.</param>
    /// <param name="name">The name that the database will have.</param>
    /// <param name="path">Where it is missing.</param>
    /// <param name="cancellationToken">Ends the restore; no file is left.</param>
    /// <exception cref="StartupException">
    /// A replica could not be asked, its backup is damaged, or remains of another database lie there: to begin an empty one now would hide that.
    /// </exception>
    public static async Task RestoreAsync(
        IDatasette datasette,
        ObjectStoreFactory stores,
        string name,
        string path,
        CancellationToken cancellationToken
    )
    {
        var config = HostDatabases.ReadConfigOf(datasette, stores, name, path);
        if (config.Databases is not [{ Options: { RestoreIfMissing: true, Replicas.Count: > 0 } options }])
            return;
        var log = new EngineLog(datasette.Loggers, datasette.Time);
        log.Use(config.Redactor);
        var logger = log.CreateLogger("Datasette.Litestream");
        var store = new LitestreamStore(new LitestreamOptions(), stores, datasette.Time, log);
        await using var closing = store;
        if (config.Credentials is { } changing)
        {
            var credentials = await RefreshingCredentials.StartAsync(
                changing,
                datasette.Time,
                logger,
                read => log.Use(config.Redactor.Plus(new[] { read.SecretAccessKey, read.AccessKeyId, read.SessionToken }.OfType<string>())),
                cancellationToken,
                datasette.Databases.MayBeLive
            );
            await using var closingCredentials = credentials;
            options = config.With(credentials, stores).Databases[0].Options;
            await RestoreAsync(store, options, name, logger, config.Redactor, cancellationToken);
            return;
        }
        await RestoreAsync(store, options, name, logger, config.Redactor, cancellationToken);
    }

    private static async Task RestoreAsync(
        LitestreamStore store,
        DatabaseOptions options,
        string name,
        ILogger logger,
        Redactor redactor,
        CancellationToken cancellationToken
    )
    {
        try
        {
            if (await store.RestoreIfMissingAsync(options, cancellationToken) is { } restored)
                Log.Restored(
                    logger,
                    name,
                    restored.Txid.ToString(),
                    restored.SizeBytes,
                    options.Replicas[restored.ReplicaIndex].Url.ToString()
                );
            else
                Log.NothingToRestore(logger, name);
        }
        catch (LitestreamException e)
        {
            var hint = e.Hint is null ? "" : $" ({e.Hint})";
            throw new StartupException(
                $"{LitestreamPluginConfig.PluginName}: database '{name}' is missing and cannot be restored: {redactor.Text(e.Message + hint)}",
                innerException: e
            );
        }
    }
}
