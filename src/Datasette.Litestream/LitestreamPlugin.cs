using System.Collections.Concurrent;
using System.CommandLine;
using Datasette.Databases;
using Datasette.Litestream.Configuration;
using Datasette.Litestream.Status;
using Datasette.Permissions;
using Datasette.Plugins;
using Litestream;
using Litestream.Cli;
using Litestream.Replicas;
using Litestream.S3;
using Microsoft.AspNetCore.Html;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Datasette.Litestream;

/// <summary>
/// The plugin datasette-litestream: replicates the host's databases with the engine inside the host's process.
/// Safe for several hosts in one process; each has its own replication.
/// </summary>
public sealed class LitestreamPlugin : DatasettePlugin
{
    private readonly ConcurrentDictionary<IDatasette, HostReplication> _replications = new(ReferenceEqualityComparer.Instance);
    private readonly ObjectStoreFactory _stores;
    private readonly LitestreamStatusView _view;

    /// <summary>Knows folders and S3-compatible stores.</summary>
    public LitestreamPlugin()
        : this(S3ObjectStore.Backend) { }

    /// <summary>Knows folders and the given backends.</summary>
    /// <param name="backends">Storage backends.</param>
    public LitestreamPlugin(params IEnumerable<ObjectStoreBackend> backends)
    {
        _stores = new ObjectStoreFactory(backends);
        _view = new LitestreamStatusView(Of);
    }

    /// <summary>What the engine is told besides the databases: how long a stop may take.</summary>
    internal LitestreamOptions Options { get; init; } = new();

    /// <inheritdoc/>
    public override string Name => LitestreamPluginConfig.PluginName;

    /// <inheritdoc/>
    public override string Version => typeof(LitestreamPlugin).Assembly.GetName().Version?.ToString(3) ?? "0";

    /// <inheritdoc/>
    public override bool HasTemplates => true;

    /// <inheritdoc/>
    public override ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken) =>
        StartAsync(datasette, isFirst: true, cancellationToken);

    private async ValueTask StartAsync(IDatasette datasette, bool isFirst, CancellationToken cancellationToken)
    {
        if (await HostReplication.StartAsync(datasette, _stores, Options, isFirst, cancellationToken) is { } replication)
            _replications[datasette] = replication;
    }

    /// <inheritdoc/>
    public override async ValueTask DatabaseMissingAsync(
        IDatasette datasette,
        string name,
        string path,
        CancellationToken cancellationToken
    ) => await MissingDatabase.RestoreAsync(datasette, _stores, name, path, cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken)
    {
        if (_replications.TryRemove(datasette, out var replication))
            await replication.DisposeAsync();
    }

    /// <inheritdoc/>
    public override async ValueTask DatabaseOpenedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        if (Of(datasette) is { } replication)
            await replication.OpenedAsync(database, cancellationToken);
        else
            await StartLateAsync(datasette, database, cancellationToken);
    }

    /// <inheritdoc/>
    public override async ValueTask DatabaseClosedAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        if (Of(datasette) is { } replication)
            await replication.ClosedAsync(database, cancellationToken);
    }

    /// <inheritdoc/>
    public override IEnumerable<PermissionAction> RegisterActions(IDatasette datasette) =>
        [new(LitestreamStatusView.Action, null, "See how Litestream replicates the databases", ResourceKind.Global, false, null)];

    /// <inheritdoc/>
    public override IEnumerable<PluginRoute> RegisterRoutes(IDatasette datasette) => _view.Routes();

    /// <inheritdoc/>
    public override IEnumerable<Command> RegisterCommands() => [LitestreamCommand.Create()];

    /// <inheritdoc/>
    public override async ValueTask<IReadOnlyList<MenuLink>> MenuLinksAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        await MaySeeAsync(datasette, actor, context)
            ? [new MenuLink("Litestream Status", datasette.UrlPath(LitestreamStatusView.Path))]
            : [];

    /// <inheritdoc/>
    public override async ValueTask<IHtmlContent?> TopRightAsync(IDatasette datasette, Actor? actor, HttpContext context)
    {
        if (!await MaySeeAsync(datasette, actor, context) || Of(datasette) is not { } replication)
            return null;
        return StatusHtml.Flag(replication.Verdict(), datasette.UrlPath(LitestreamStatusView.Path));
    }

    /// <inheritdoc/>
    public override async ValueTask<IHtmlContent?> DatabaseStateAsync(
        IDatasette datasette,
        Actor? actor,
        Database database,
        HttpContext context
    )
    {
        if (!await MaySeeAsync(datasette, actor, context) || Of(datasette)?.StateOf(database.Name) is not { } state)
            return null;
        return StatusHtml.State(state.Word, state.Tone, datasette.UrlPath(LitestreamStatusView.Path));
    }

    /// <inheritdoc/>
    public override DurableCopies? DurableCopiesOf(IDatasette datasette, Database database) => Of(datasette)?.CopiesOf(database.Name);

    /// <summary>Nothing was replicated at the start, but this database may have a block of its own. A mistake in it must not hurt the running host.</summary>
    private async Task StartLateAsync(IDatasette datasette, Database database, CancellationToken cancellationToken)
    {
        try
        {
            await StartAsync(datasette, isFirst: false, cancellationToken);
        }
        catch (StartupException e)
        {
            Log.NotReplicated(datasette.Loggers.CreateLogger(Name), database.Name, e.Message);
        }
    }

    private async ValueTask<bool> MaySeeAsync(IDatasette datasette, Actor? actor, HttpContext context) =>
        Of(datasette) is not null && await datasette.AllowedAsync(LitestreamStatusView.Action, null, actor, context.RequestAborted);

    internal HostReplication? Of(IDatasette datasette) => _replications.GetValueOrDefault(datasette);
}
