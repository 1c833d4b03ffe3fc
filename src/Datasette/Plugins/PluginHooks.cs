using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Permissions;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Datasette.Plugins;

/// <summary>
/// Calls a hook on all plugins in order and puts the answers together; those who do not override it are left out from the start. Knows no plugin
/// by name.
/// </summary>
internal sealed partial class PluginHooks
{
    private readonly List<DatasettePlugin> started = [];
    private readonly DatasettePlugin[] startup;
    private readonly DatasettePlugin[] missing;
    private readonly DatasettePlugin[] opened;
    private readonly DatasettePlugin[] closed;
    private readonly DatasettePlugin[] prepareConnection;
    private readonly DatasettePlugin[] actor;
    private readonly DatasettePlugin[] actorsFromIds;
    private readonly DatasettePlugin[] permissions;
    private readonly DatasettePlugin[] forbidden;
    private readonly DatasettePlugin[] exceptions;
    private readonly DatasettePlugin[] copies;
    private readonly DatasettePlugin[] events;
    private readonly DatasettePlugin[] filters;
    private readonly DatasettePlugin[] queries;
    private readonly DatasettePlugin[] metadata;
    private readonly DatasettePlugin[] renderCell;

    public PluginHooks(IReadOnlyList<DatasettePlugin> plugins)
    {
        Plugins = plugins;
        var overriders = new Overriders(plugins);
        Pages = new PageHooks(overriders);
        Wrappers = overriders.Of(nameof(DatasettePlugin.WrapRequestAsync));
        startup = overriders.Of(nameof(DatasettePlugin.StartupAsync));
        missing = overriders.Of(nameof(DatasettePlugin.DatabaseMissingAsync));
        opened = overriders.Of(nameof(DatasettePlugin.DatabaseOpenedAsync));
        closed = overriders.Of(nameof(DatasettePlugin.DatabaseClosedAsync));
        prepareConnection = overriders.Of(nameof(DatasettePlugin.PrepareConnection));
        actor = overriders.Of(nameof(DatasettePlugin.ActorFromRequestAsync));
        actorsFromIds = overriders.Of(nameof(DatasettePlugin.ActorsFromIdsAsync));
        permissions = overriders.Of(nameof(DatasettePlugin.PermissionResourcesSqlAsync));
        forbidden = overriders.Of(nameof(DatasettePlugin.ForbiddenAsync));
        exceptions = overriders.Of(nameof(DatasettePlugin.HandleExceptionAsync));
        copies = overriders.Of(nameof(DatasettePlugin.DurableCopiesOf));
        events = overriders.Of(nameof(DatasettePlugin.TrackEventAsync));
        filters = overriders.Of(nameof(DatasettePlugin.FiltersFromRequestAsync));
        queries = overriders.Of(nameof(DatasettePlugin.StoredQueriesAsync));
        metadata = overriders.Of(nameof(DatasettePlugin.GetMetadata));
        renderCell = overriders.Of(nameof(DatasettePlugin.RenderCell));
    }

    public IReadOnlyList<DatasettePlugin> Plugins { get; }

    /// <summary>Hooks of pages.</summary>
    public PageHooks Pages { get; }

    /// <summary>Those that stand around requests, the outermost first.</summary>
    public IReadOnlyList<DatasettePlugin> Wrappers { get; }

    /// <summary>What the plugins registered; empty until <see cref="StartupAsync"/> is done.</summary>
    public PluginRegistry Registered { get; private set; } = PluginRegistry.Empty;

    public async ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        foreach (var plugin in Plugins)
        {
            // Before the call, and all of them: one that fails half-way is told to clean up as well, and one that only ends is told of the end.
            started.Add(plugin);
            if (startup.Contains(plugin))
            {
                await HookCall.RunAsync(plugin, nameof(plugin.StartupAsync), p => p.StartupAsync(datasette, cancellationToken));
            }
        }
        Registered = PluginRegistry.Collect(Plugins, datasette);
    }

    /// <summary>Every plugin is told, in reverse order, even if another one fails; the first failure is thrown at the end.</summary>
    public async ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        var failures = new List<Exception>();
        for (var i = started.Count - 1; i >= 0; i--)
        {
            try
            {
                await HookCall.RunAsync(
                    started[i],
                    nameof(DatasettePlugin.ShutdownAsync),
                    plugin => plugin.ShutdownAsync(datasette, cancellationToken)
                );
            }
            catch (Exception e)
            {
                failures.Add(e);
            }
        }
        started.Clear();
        if (failures.Count > 0)
        {
            throw failures.Count == 1 ? failures[0] : new AggregateException(failures);
        }
    }

    /// <summary>Asks for a missing file until it is there.</summary>
    public async ValueTask DatabaseMissingAsync(IDatasette datasette, string name, string path, CancellationToken cancellationToken)
    {
        foreach (var plugin in missing)
        {
            await HookCall.RunAsync(
                plugin,
                nameof(plugin.DatabaseMissingAsync),
                p => p.DatabaseMissingAsync(datasette, name, path, cancellationToken)
            );
            if (File.Exists(path))
            {
                return;
            }
        }
    }

    public async ValueTask DatabaseOpenedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        foreach (var plugin in opened)
        {
            await HookCall.RunAsync(
                plugin,
                nameof(plugin.DatabaseOpenedAsync),
                p => p.DatabaseOpenedAsync(datasette, database, cancellationToken)
            );
        }
    }

    public async ValueTask DatabaseClosedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        foreach (var plugin in closed)
        {
            await HookCall.RunAsync(
                plugin,
                nameof(plugin.DatabaseClosedAsync),
                p => p.DatabaseClosedAsync(datasette, database, cancellationToken)
            );
        }
    }

    public void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette)
    {
        foreach (var plugin in prepareConnection)
        {
            try
            {
                plugin.PrepareConnection(connection, database, datasette);
            }
            catch (Exception e) when (PluginException.IsMistake(e))
            {
                throw new PluginException(plugin, nameof(plugin.PrepareConnection), e);
            }
        }
    }

    public async ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context)
    {
        Actor? found = null;
        foreach (var plugin in actor)
        {
            // All are asked: a later one may reject the request as a whole (a bearer token that is not valid).
            var one = await HookCall.RunAsync(
                plugin,
                nameof(plugin.ActorFromRequestAsync),
                p => p.ActorFromRequestAsync(datasette, context)
            );
            found ??= one;
        }
        return found;
    }

    public async ValueTask<IReadOnlyDictionary<string, Actor>> ActorsFromIdsAsync(
        IDatasette datasette,
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    )
    {
        IReadOnlyDictionary<string, Actor>? known = null;
        foreach (var plugin in actorsFromIds)
        {
            known ??= await HookCall.RunAsync(
                plugin,
                nameof(plugin.ActorsFromIdsAsync),
                p => p.ActorsFromIdsAsync(datasette, ids, cancellationToken)
            );
        }
        return ids.Distinct(StringComparer.Ordinal)
            .ToDictionary(id => id, id => known?.GetValueOrDefault(id) ?? Actor.WithId(id), StringComparer.Ordinal);
    }

    public async ValueTask<IReadOnlyList<PermissionSql>> PermissionSqlAsync(
        IDatasette datasette,
        Actor? actor,
        string action,
        CancellationToken cancellationToken
    )
    {
        var all = new List<PermissionSql>();
        foreach (var plugin in permissions)
        {
            all.AddRange(
                await HookCall.RunAsync(
                    plugin,
                    nameof(plugin.PermissionResourcesSqlAsync),
                    p => p.PermissionResourcesSqlAsync(datasette, actor, action, cancellationToken)
                )
            );
        }
        return all;
    }

    /// <summary>The first answer of a plugin to a missing right; null when the host is to answer.</summary>
    public async ValueTask<IResult?> ForbiddenAsync(IDatasette datasette, HttpContext context, string message)
    {
        foreach (var plugin in forbidden)
        {
            if (
                await HookCall.RunAsync(plugin, nameof(plugin.ForbiddenAsync), p => p.ForbiddenAsync(datasette, context, message)) is
                { } answer
            )
            {
                return answer;
            }
        }
        return null;
    }

    /// <summary>The first answer of a plugin to a failure; null when the host is to answer. Never throws for a plugin's mistake.</summary>
    public async ValueTask<IResult?> HandleExceptionAsync(IDatasette datasette, HttpContext context, Exception failure)
    {
        foreach (var plugin in exceptions)
        {
            try
            {
                if (await plugin.HandleExceptionAsync(datasette, context, failure) is { } answer)
                {
                    return answer;
                }
            }
            catch (Exception e) when (PluginException.IsMistake(e))
            {
                Log(datasette, new PluginException(plugin, nameof(plugin.HandleExceptionAsync), e));
            }
        }
        return null;
    }

    /// <summary>The first plugin that copies the database answers for all; null when none does.</summary>
    public DurableCopies? DurableCopiesOf(IDatasette datasette, Database database)
    {
        foreach (var plugin in copies)
        {
            if (HookCall.Run(plugin, nameof(plugin.DurableCopiesOf), p => p.DurableCopiesOf(datasette, database)) is { } found)
            {
                return found;
            }
        }
        return null;
    }

    /// <summary>What has happened cannot fail any more: a plugin that does is logged.</summary>
    public async ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken)
    {
        foreach (var plugin in events)
        {
            try
            {
                await plugin.TrackEventAsync(datasette, happened, cancellationToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                Log(datasette, new PluginException(plugin, nameof(plugin.TrackEventAsync), e));
            }
        }
    }

    public async ValueTask<IReadOnlyList<TableConditions>> FiltersFromRequestAsync(
        IDatasette datasette,
        HttpContext context,
        Database database,
        string table
    )
    {
        if (filters.Length == 0)
        {
            return [];
        }
        var all = new List<TableConditions>();
        foreach (var plugin in filters)
        {
            var found = await HookCall.RunAsync(
                plugin,
                nameof(plugin.FiltersFromRequestAsync),
                p => p.FiltersFromRequestAsync(datasette, context, database, table)
            );
            if (found is { Conditions.Count: > 0 })
            {
                all.Add(found);
            }
        }
        return all;
    }

    /// <summary>The stored queries of plugins for a database: name and definition, those of earlier plugins first.</summary>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, JsonNode?>>> StoredQueriesAsync(
        IDatasette datasette,
        Database database,
        CancellationToken cancellationToken
    )
    {
        var all = new List<KeyValuePair<string, JsonNode?>>();
        foreach (var plugin in queries)
        {
            all.AddRange(
                await HookCall.RunAsync(
                    plugin,
                    nameof(plugin.StoredQueriesAsync),
                    p => p.StoredQueriesAsync(datasette, database, cancellationToken)
                ) ?? []
            );
        }
        return all;
    }

    /// <summary>What plugins say of the instance, a database or a table; an earlier plugin wins over a later one.</summary>
    public IEnumerable<JsonObject> Metadata(IDatasette datasette, string? database, string? table)
    {
        foreach (var plugin in metadata)
        {
            if (HookCall.Run(plugin, nameof(plugin.GetMetadata), p => p.GetMetadata(datasette, database, table)) is { } found)
            {
                yield return found;
            }
        }
    }

    public IHtmlContent? RenderCell(IDatasette datasette, in CellContext cell)
    {
        foreach (var plugin in renderCell)
        {
            try
            {
                if (plugin.RenderCell(datasette, cell) is { } html)
                {
                    return html;
                }
            }
            catch (Exception e) when (PluginException.IsMistake(e))
            {
                throw new PluginException(plugin, nameof(plugin.RenderCell), e);
            }
        }
        return null;
    }

    private static void Log(IDatasette datasette, PluginException failure) =>
        LogFailure(datasette.Loggers.CreateLogger("Datasette"), failure.InnerException!, failure.Details);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Text}")]
    private static partial void LogFailure(ILogger logger, Exception failure, string text);
}
