using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Defaults;
using Datasette.Plugins;
using Datasette.Text;
using Datasette.Views;
using Microsoft.Extensions.Logging;

namespace Datasette.Hosting;

/// <summary>From options to a running instance: settings and metadata, databases, check, start-up hooks. Listens on nothing.</summary>
internal static partial class DatasetteFactory
{
    public static async Task<DatasetteApp> StartAsync(
        ServeOptions options,
        IReadOnlyList<DatasettePlugin> available,
        ILoggerFactory loggers,
        TimeProvider time,
        CancellationToken ct
    )
    {
        options = ConfigDirectory.Expand(options);
        var config = DatasetteConfig.Load(options.MetadataFile, options.ConfigFile, options.Settings);
        var log = loggers.CreateLogger("Datasette");
        foreach (var warning in config.Warnings)
        {
            LogWarning(log, warning);
        }
        var settings = DatasetteSettings.Parse(config.Root["settings"] as JsonObject, name => config.Locate("settings", name));
        var rights = new InstanceRights { DefaultDeny = options.DefaultDeny };
        var hooks = new PluginHooks([.. PluginLoader.All(available, options.LoadPlugins, options.PluginsDir), .. BuiltIn(rights)]);
        var databases = new DatabaseCollection();
        InternalDatabase? catalog = null;
        DatasetteApp? app = null;
        try
        {
            catalog = await InternalDatabase.OpenAsync(options.InternalPath, new DatabaseOptions { Time = time }, ct);
            app = new DatasetteApp(AppOptions(options, config, settings, rights), databases, catalog, hooks, loggers, time);
            await AttachAsync(app, options, log, ct);
            RequireOwnInternal(catalog, databases);
            await databases.CheckAsync(ct);
            await catalog.RefreshAsync(databases, ct);
            await app.Queries.LoadAsync(ConfiguredQueries(config).ToList(), ct);
            await MetadataTables.FillAsync(catalog, config, ct);
            var (types, problems) = await ColumnTypes.ConfiguredAsync(config, databases, ct);
            foreach (var problem in problems)
            {
                LogWarning(log, problem);
            }
            await app.ColumnTypes.LoadAsync(types, ct);
            await TableCounts.WarmAsync(app, ct);
            await hooks.StartupAsync(app, ct);
            foreach (var unknown in ConfigNames.Unknown(config, [.. app.Actions.Keys], [.. hooks.Plugins.Select(plugin => plugin.Name)]))
            {
                LogWarning(log, unknown);
            }
            foreach (var database in databases)
            {
                await app.AddPluginQueriesAsync(database, ct);
            }
            return app;
        }
        catch (Exception e)
        {
            if (app is not null)
            {
                await StopAsync(app, log, ct);
            }
            else if (catalog is not null)
            {
                await catalog.DisposeAsync();
            }
            if (e is PluginException failed)
            {
                throw new StartupException(failed.Details, innerException: failed);
            }
            throw;
        }
    }

    /// <summary>The way down: plugins first, in reverse order, then the databases they may still need.</summary>
    public static async Task StopAsync(DatasetteApp app, ILogger log, CancellationToken ct)
    {
        try
        {
            await app.Hooks.ShutdownAsync(app, ct);
        }
        catch (Exception e)
        {
            LogShutdown(log, e);
        }
        await app.DisposeAsync();
    }

    public static IReadOnlyList<DatasettePlugin> BuiltIn(InstanceRights rights) =>
        [new ActorCookie(), new SignedTokens(), new DefaultActions(), new DefaultPermissions(rights)];

    private static DatasetteAppOptions AppOptions(
        ServeOptions options,
        DatasetteConfig config,
        DatasetteSettings settings,
        InstanceRights rights
    ) =>
        new()
        {
            Config = config,
            Settings = settings,
            Secret = options.Secret,
            Cors = options.Cors,
            Rights = rights,
            NoCache = options.Reload,
            VersionNote = options.VersionNote,
            StaticMounts = options.StaticMounts,
            TemplateFolder = options.TemplateFolder,
            InspectData = options.InspectFile is { } file ? InspectFile.Read(file) : null,
        };

    private static void RequireOwnInternal(InternalDatabase catalog, DatabaseCollection databases)
    {
        if (
            catalog.Database.Path is { } file
            && databases.FirstOrDefault(d => d.Path is { } path && FileIdentity.IsSame(path, file)) is { } served
        )
        {
            throw new StartupException(
                $"--internal {file} is the file served as {served.Name}: the internal database holds secrets. Give it a file of its own."
            );
        }
    }

    private static async Task AttachAsync(DatasetteApp app, ServeOptions options, ILogger log, CancellationToken ct)
    {
        var open = new DatabaseOptions
        {
            ReaderThreads = app.Settings.NumSqlThreads,
            NoLock = options.NoLock,
            CacheSizeKb = app.Settings.CacheSizeKb,
            TimeLimit = TimeSpan.FromMilliseconds(app.Settings.SqlTimeLimitMs),
            WriteTimeLimit = app.Writes.TimeLimit,
            WriteLockTimeout = app.Writes.LockTimeout,
            MaxQueuedWrites = app.Writes.MaxQueued,
            Extensions = options.Extensions,
            PrepareConnection = (connection, database) => app.Hooks.PrepareConnection(connection, database, app),
            IsConfiguredHidden = app.Config.IsHidden,
            Time = app.Time,
        };
        var files = options.Files.Count + options.Immutables.Count;
        var memory = options.Memory || options.CrossDb || files == 0 ? app.Databases.AddMemory(open) : null;
        foreach (var file in options.Files)
        {
            var path = Path.GetFullPath(file);
            if (!File.Exists(path) && !Directory.Exists(path))
            {
                await app.Hooks.DatabaseMissingAsync(app, app.Databases.FreeName(Path.GetFileNameWithoutExtension(path)), path, ct);
            }
            app.Databases.AddFile(file, open, options.Create);
        }
        foreach (var file in options.Immutables)
        {
            app.Databases.AddFile(file, open with { IsMutable = false });
        }
        if (options.CrossDb && memory is not null && app.Databases.AttachAll(memory) is { Count: > 0 } left)
        {
            LogWarning(log, $"Only ten databases can be attached to _memory; these are left out: {string.Join(", ", left)}.");
        }
    }

    private static IEnumerable<StoredQuery> ConfiguredQueries(DatasetteConfig config)
    {
        foreach (var (database, block) in config.Root["databases"] as JsonObject ?? [])
        {
            foreach (var (name, query) in (block as JsonObject)?["queries"] as JsonObject ?? [])
            {
                if (StoredQuery.OfConfig(database, name, query) is { } stored)
                {
                    yield return stored;
                }
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Text}")]
    private static partial void LogWarning(ILogger logger, string text);

    [LoggerMessage(Level = LogLevel.Error, Message = "A plugin failed to shut down")]
    private static partial void LogShutdown(ILogger logger, Exception failure);
}
