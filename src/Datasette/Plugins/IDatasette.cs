using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Permissions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Datasette.Plugins;

/// <summary>What a plugin may ask of the running host. One instance per host, usable from any thread for the host's whole life.</summary>
public interface IDatasette
{
    /// <summary>The attached databases, in attach order. Owned by the host.</summary>
    DatabaseCollection Databases { get; }

    /// <summary>The merged configuration and metadata.</summary>
    DatasetteConfig Config { get; }

    /// <summary>The checked settings.</summary>
    DatasetteSettings Settings { get; }

    /// <summary>Where to log; messages reach the host's standard error.</summary>
    ILoggerFactory Loggers { get; }

    /// <summary>The clock.</summary>
    TimeProvider Time { get; }

    /// <summary>All plugins, given ones first, then the built-in ones.</summary>
    IReadOnlyList<DatasettePlugin> Plugins { get; }

    /// <summary>Puts <c>base_url</c> in front of a path that starts with a slash.</summary>
    string UrlPath(string path);

    /// <summary>Who sends this request; null for an anonymous visitor. Found out once per request, before any handler runs.</summary>
    Actor? ActorOf(HttpContext context);

    /// <summary>Whether an actor may do something. An unknown action is not allowed.</summary>
    /// <param name="action">Such as <c>view-table</c>, or the name of a plugin's own action.</param>
    /// <param name="resource">What to do it to; null for actions that concern the whole instance.</param>
    /// <param name="actor">Who; null for an anonymous visitor.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    ValueTask<bool> AllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken);

    /// <summary>As <see cref="AllowedAsync"/>, but throws a <see cref="DatasetteException"/> with status 403 that names the action.</summary>
    ValueTask EnsureAllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken);

    /// <summary>
    /// A plugin's configuration with <c>$env</c> and <c>$file</c> resolved; null when there is none. With a database name the database's own
    /// block is looked at first, and the top level only if <paramref name="fallback"/>; with a table name as well, the table's block before these.
    /// </summary>
    JsonNode? PluginConfig(string plugin, string? database = null, string? table = null, bool fallback = true);

    /// <summary>What is known of actors, by id: what the first plugin says that knows, else an actor that is only an id. Every id is in the answer.</summary>
    ValueTask<IReadOnlyDictionary<string, Actor>> ActorsFromIdsAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken);

    /// <summary>Tells all plugins that something happened. A plugin that fails over it is logged.</summary>
    /// <exception cref="ArgumentException">Nobody registered an event of this name.</exception>
    ValueTask TrackEventAsync(DatasetteEvent happened, CancellationToken cancellationToken);

    /// <summary>Signs JSON text with the host's secret, for one purpose.</summary>
    string Sign(string json, string @namespace);

    /// <summary>Checks and opens what <see cref="Sign"/> made for the same purpose; false for anything else.</summary>
    bool TryUnsign(string text, string @namespace, out string json);

    /// <summary>Shows a message on the next page this visitor sees.</summary>
    void AddMessage(HttpContext context, string text, MessageKind kind = MessageKind.Info);

    /// <summary>The model of the host's page frame, for a plugin's own slice that uses the host's layout.</summary>
    /// <param name="context">The request.</param>
    /// <param name="title">The page's title.</param>
    /// <param name="bodyClass">Classes of <c>body</c>, separated by spaces.</param>
    /// <param name="crumbs">The way to this page; null gives the link home alone.</param>
    ValueTask<LayoutModel> LayoutAsync(HttpContext context, string title, string bodyClass, IReadOnlyList<MenuLink>? crumbs = null);

    /// <summary>Attaches one more database while the host runs and tells the plugins.</summary>
    ValueTask AddDatabaseAsync(Database database, CancellationToken cancellationToken);

    /// <summary>Detaches a database, closes it and tells the plugins; false if there is none of that name.</summary>
    ValueTask<bool> RemoveDatabaseAsync(string name, CancellationToken cancellationToken);

    /// <summary>Stops the host as SIGTERM would.</summary>
    void RequestStop();
}
