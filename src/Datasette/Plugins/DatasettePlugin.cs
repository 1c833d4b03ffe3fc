using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Permissions;
using Datasette.Tables;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;

namespace Datasette.Plugins;

// All hooks stand on one page, so that whoever writes a plugin reads one file: it may be longer than others.

/// <summary>
/// Everything a plugin may add to the host. Each hook does nothing until it is overridden, and one that is not overridden is never called.
/// </summary>
/// <remarks>
/// Hooks are called in the order in which the plugins were given, those of <c>--plugins-dir</c> after them, the built-in ones last; on any
/// thread. Hooks of requests may run many at once. A hook that throws: <see cref="DatasetteException"/> becomes the answer to the request,
/// <see cref="StartupException"/> stops the start with its one line; anything else stops the start with a line that names plugin, file and hook, or
/// is answered with status 500, names plugin and hook, and is logged. The other plugins and requests go on. docs/guides/plugins.md shows each hook.
/// </remarks>
[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicMethods)]
public abstract class DatasettePlugin
{
    /// <summary>The file of an assembly that <c>--plugins-dir</c> loaded; null for a plugin that was compiled in.</summary>
    internal string? Origin { get; set; }

    /// <summary>The name under which the plugin is configured and listed, such as <c>datasette-litestream</c>. Unique in a host, never empty.</summary>
    public abstract string Name { get; }

    /// <summary>The version shown on <c>/-/plugins</c>; null shows none.</summary>
    public virtual string? Version => null;

    /// <summary>Whether the plugin brings pages of its own, for <c>/-/plugins</c>.</summary>
    public virtual bool HasTemplates => false;

    /// <summary>
    /// A file that the plugin brings for browsers, served at <c>/-/static-plugins/NAME/PATH</c> with its type, ETag and, when the address says
    /// <c>?_hash=</c>, for ever. Asked for once a path; null answers 404. An embedded resource is the simple way:
    /// <c>typeof(MyPlugin).Assembly.GetManifestResourceStream(path)</c>.
    /// </summary>
    /// <param name="path">What stands behind <c>NAME/</c>, decoded, without <c>..</c>.</param>
    /// <returns>The content from its start; the host reads and disposes it.</returns>
    public virtual Stream? OpenStatic(string path) => null;

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

    /// <summary>
    /// Stored queries of a database, in the shape of the <c>queries</c> block of the configuration: a name with SQL, or with a block of
    /// <c>sql</c>, <c>title</c>, <c>write</c> and so on. Asked once for each database after <see cref="StartupAsync"/>, and when one is attached.
    /// A query of the configuration with the same name wins. Null adds none.
    /// </summary>
    public virtual ValueTask<JsonObject?> StoredQueriesAsync(
        IDatasette datasette,
        Database database,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult<JsonObject?>(null);

    /// <summary>
    /// Metadata (title, description, source, license...) of the instance (no names), a database or a table; what the configuration says wins.
    /// Called on every request that needs it: answer from memory. Null adds nothing.
    /// </summary>
    public virtual JsonObject? GetMetadata(IDatasette datasette, string? database, string? table) => null;

    /// <summary>Addresses this plugin answers; asked for once, after <see cref="StartupAsync"/>.</summary>
    public virtual IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) => [];

    /// <summary>
    /// Further formats of tables, rows and queries, chosen by the extension of the address (<c>/db/table.ics</c>); asked for once, after
    /// <see cref="StartupAsync"/>. An extension that two plugins register stops the start.
    /// </summary>
    public virtual IEnumerable<OutputRenderer> RegisterOutputRenderers(IDatasette datasette) => [];

    /// <summary>
    /// Further kinds of facets beside column, array and date; asked for once, after <see cref="StartupAsync"/>. A kind that two plugins register stops the
    /// start.
    /// </summary>
    public virtual IEnumerable<CustomFacet> RegisterFacets(IDatasette datasette) => [];

    /// <summary>
    /// Values of parameters such as <c>:_PREFIX_name</c> in stored queries, which visitors cannot set; asked for once, after
    /// <see cref="StartupAsync"/>. The host's own (actor, cookie, header, now, random) cannot be replaced.
    /// </summary>
    public virtual IEnumerable<MagicParameter> RegisterMagicParameters(IDatasette datasette) => [];

    /// <summary>Filters for the Liquid templates of <c>--template-dir</c>; asked for once, after <see cref="StartupAsync"/>.</summary>
    public virtual IEnumerable<LiquidFilter> RegisterLiquidFilters(IDatasette datasette) => [];

    /// <summary>
    /// Events of the plugin's own, which it reports with <see cref="IDatasette.TrackEventAsync"/>; asked for once, after
    /// <see cref="StartupAsync"/>.
    /// </summary>
    public virtual IEnumerable<EventKind> RegisterEvents(IDatasette datasette) => [];

    /// <summary>
    /// Stands around every request, as middleware does: may answer itself, change headers of the answer before it starts
    /// (<c>context.Response.OnStarting</c>), or measure. Until <paramref name="next"/> is called nobody knows who sends the request. The first
    /// plugin is the outermost.
    /// </summary>
    public virtual Task WrapRequestAsync(IDatasette datasette, HttpContext context, RequestDelegate next) => next(context);

    /// <summary>
    /// Conditions that a table page and its JSON and CSV add to their own, for arguments of the query string that begin with an underscore.
    /// Null or no conditions change nothing.
    /// </summary>
    /// <param name="datasette">The host.</param>
    /// <param name="context">The request; read <c>context.Request.Query</c>.</param>
    /// <param name="database">The database.</param>
    /// <param name="table">The table or view.</param>
    public virtual ValueTask<TableConditions?> FiltersFromRequestAsync(
        IDatasette datasette,
        HttpContext context,
        Database database,
        string table
    ) => ValueTask.FromResult<TableConditions?>(null);

    /// <summary>Style sheets of a page, after the host's own.</summary>
    public virtual ValueTask<IReadOnlyList<ExtraAsset>> ExtraCssUrlsAsync(IDatasette datasette, PageContext page) => NoAssets;

    /// <summary>Scripts of a page, after the host's own.</summary>
    public virtual ValueTask<IReadOnlyList<ExtraAsset>> ExtraJsUrlsAsync(IDatasette datasette, PageContext page) => NoAssets;

    /// <summary>Script text at the end of a page; null adds none. It is not escaped, and must not hold <c>&lt;/script</c>.</summary>
    public virtual ValueTask<BodyScript?> ExtraBodyScriptAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<BodyScript?>(null);

    /// <summary>
    /// Further variables for the Liquid templates of <c>--template-dir</c>: null, text, numbers, bool, lists and dictionaries of these.
    /// </summary>
    public virtual ValueTask<IReadOnlyDictionary<string, object?>?> ExtraTemplateVarsAsync(IDatasette datasette, PageContext page) =>
        ValueTask.FromResult<IReadOnlyDictionary<string, object?>?>(null);

    /// <summary>HTML at the top of the home page, below its heading; null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopHomepageAsync(IDatasette datasette, PageContext page) => NoHtml;

    /// <summary>HTML at the top of a database page, below its heading; null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopDatabaseAsync(IDatasette datasette, PageContext page) => NoHtml;

    /// <summary>HTML at the top of the page of a table or view, below its heading; null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopTableAsync(IDatasette datasette, PageContext page) => NoHtml;

    /// <summary>HTML at the top of a row page, below its heading; null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopRowAsync(IDatasette datasette, PageContext page) => NoHtml;

    /// <summary>HTML at the top of the page of SQL typed by hand, below its heading; null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopQueryAsync(IDatasette datasette, PageContext page) => NoHtml;

    /// <summary>HTML at the top of the page of a stored query, below its heading; null shows nothing.</summary>
    public virtual ValueTask<IHtmlContent?> TopStoredQueryAsync(IDatasette datasette, PageContext page) => NoHtml;

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

    /// <summary>
    /// Things that the jump menu (<c>/-/jump</c>) finds beside databases, tables and queries. The host keeps those whose label or search text holds the
    /// words that were typed; a plugin with very many may look at them itself. Only what <paramref name="actor"/> may see.
    /// </summary>
    /// <param name="datasette">The host.</param>
    /// <param name="actor">Who looks.</param>
    /// <param name="text">What was typed; empty shows the first ones.</param>
    /// <param name="context">The request.</param>
    public virtual ValueTask<IReadOnlyList<JumpItem>> JumpItemsAsync(
        IDatasette datasette,
        Actor? actor,
        string text,
        HttpContext context
    ) => ValueTask.FromResult<IReadOnlyList<JumpItem>>([]);

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

    /// <summary>
    /// What is known of actors by their ids, for pages that show who did something (<see cref="IDatasette.ActorsFromIdsAsync"/>). The first plugin that does
    /// not answer null is the one that knows; without any, an actor is its id.
    /// </summary>
    public virtual ValueTask<IReadOnlyDictionary<string, Actor>?> ActorsFromIdsAsync(
        IDatasette datasette,
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult<IReadOnlyDictionary<string, Actor>?>(null);

    /// <summary>An answer for a visitor who may not do something, such as a page to sign in; null leaves it to the next plugin, then to the host.</summary>
    public virtual ValueTask<IResult?> ForbiddenAsync(IDatasette datasette, HttpContext context, string message) =>
        ValueTask.FromResult<IResult?>(null);

    /// <summary>
    /// An answer for a request that failed in any way (an unknown address is <see cref="DatasetteException"/> with status 404), or just a note of it;
    /// null leaves it to the next plugin, then to <see cref="ForbiddenAsync"/> and the host. One that throws is logged and passed over.
    /// </summary>
    public virtual ValueTask<IResult?> HandleExceptionAsync(IDatasette datasette, HttpContext context, Exception failure) =>
        ValueTask.FromResult<IResult?>(null);

    /// <summary>Commands added to <c>datasette</c> by a plugin that was compiled in; asked for once, before anything else exists.</summary>
    public virtual IEnumerable<Command> RegisterCommands() => [];

    /// <summary>Shows one cell in its own way; null leaves it to the next plugin, then to the host. Called for every cell of a page: be quick.</summary>
    public virtual IHtmlContent? RenderCell(IDatasette datasette, in CellContext cell) => null;

    /// <summary>
    /// Asked when a write wants more than a commit on this machine's disk: what confirms it. Null when this plugin does not copy the database.
    /// </summary>
    public virtual DurableCopies? DurableCopiesOf(IDatasette datasette, Database database) => null;

    /// <summary>
    /// Called after something was written, someone logged in or out, or a plugin reported something. What happened has happened: a plugin
    /// that throws here is logged, and the request goes on.
    /// </summary>
    public virtual ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    private static ValueTask<IReadOnlyList<MenuLink>> NoLinks => ValueTask.FromResult<IReadOnlyList<MenuLink>>([]);

    private static ValueTask<IReadOnlyList<ExtraAsset>> NoAssets => ValueTask.FromResult<IReadOnlyList<ExtraAsset>>([]);

    private static ValueTask<IHtmlContent?> NoHtml => ValueTask.FromResult<IHtmlContent?>(null);
}
