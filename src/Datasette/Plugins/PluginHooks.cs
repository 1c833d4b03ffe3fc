using Datasette.Databases;
using Datasette.Permissions;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Plugins;

/// <summary>Calls a hook on all plugins in order and puts the answers together. Knows no plugin by name.</summary>
internal sealed class PluginHooks(IReadOnlyList<DatasettePlugin> plugins)
{
    private readonly List<DatasettePlugin> started = [];

    public IReadOnlyList<DatasettePlugin> Plugins => plugins;

    public async ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        foreach (var plugin in plugins)
        {
            // Before the call: a plugin that fails half-way is told to clean up as well.
            started.Add(plugin);
            await plugin.StartupAsync(datasette, cancellationToken);
        }
    }

    /// <summary>Every plugin is told, in reverse order, even if another one fails; the first failure is thrown at the end.</summary>
    public async ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        var failures = new List<Exception>();
        for (var i = started.Count - 1; i >= 0; i--)
        {
            try
            {
                await started[i].ShutdownAsync(datasette, cancellationToken);
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
        foreach (var plugin in plugins)
        {
            await plugin.DatabaseMissingAsync(datasette, name, path, cancellationToken);
            if (File.Exists(path))
            {
                return;
            }
        }
    }

    public async ValueTask DatabaseOpenedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        foreach (var plugin in plugins)
        {
            await plugin.DatabaseOpenedAsync(datasette, database, cancellationToken);
        }
    }

    public async ValueTask DatabaseClosedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        foreach (var plugin in plugins)
        {
            await plugin.DatabaseClosedAsync(datasette, database, cancellationToken);
        }
    }

    public void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette)
    {
        foreach (var plugin in plugins)
        {
            plugin.PrepareConnection(connection, database, datasette);
        }
    }

    public async ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context)
    {
        Actor? found = null;
        foreach (var plugin in plugins)
        {
            // All are asked: a later one may reject the request as a whole (a bearer token that is not valid).
            var actor = await plugin.ActorFromRequestAsync(datasette, context);
            found ??= actor;
        }
        return found;
    }

    public async ValueTask<IReadOnlyList<PermissionSql>> PermissionSqlAsync(
        IDatasette datasette,
        Actor? actor,
        string action,
        CancellationToken cancellationToken
    )
    {
        var all = new List<PermissionSql>();
        foreach (var plugin in plugins)
        {
            all.AddRange(await plugin.PermissionResourcesSqlAsync(datasette, actor, action, cancellationToken));
        }
        return all;
    }

    public async ValueTask<IReadOnlyList<MenuLink>> LinksAsync(Func<DatasettePlugin, ValueTask<IReadOnlyList<MenuLink>>> hook)
    {
        var all = new List<MenuLink>();
        foreach (var plugin in plugins)
        {
            all.AddRange(await hook(plugin));
        }
        return all;
    }

    public async ValueTask<IReadOnlyList<IHtmlContent>> HtmlAsync(Func<DatasettePlugin, ValueTask<IHtmlContent?>> hook)
    {
        var all = new List<IHtmlContent>();
        foreach (var plugin in plugins)
        {
            if (await hook(plugin) is { } html)
            {
                all.Add(html);
            }
        }
        return all;
    }

    public IHtmlContent? RenderCell(IDatasette datasette, in CellContext cell)
    {
        foreach (var plugin in plugins)
        {
            if (plugin.RenderCell(datasette, cell) is { } html)
            {
                return html;
            }
        }
        return null;
    }

    public async ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken)
    {
        foreach (var plugin in plugins)
        {
            await plugin.TrackEventAsync(datasette, happened, cancellationToken);
        }
    }
}
