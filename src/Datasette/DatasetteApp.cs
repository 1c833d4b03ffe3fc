using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Responses;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Datasette;

/// <summary>The running instance: databases, rights, plugins, signing. One per host; members are safe on any thread.</summary>
internal sealed class DatasetteApp : IDatasette, IAsyncDisposable
{
    /// <summary>The release of Datasette whose interface this host speaks.</summary>
    public const string CompatibleVersion = "1.0a37";

    private readonly ValueSigner signer;
    private readonly LayoutBuilder layouts;
    private string? rootToken;

    public DatasetteApp(
        DatasetteAppOptions options,
        DatabaseCollection databases,
        InternalDatabase catalog,
        PluginHooks hooks,
        ILoggerFactory loggers,
        TimeProvider time
    )
    {
        Catalog = catalog;
        Queries = new StoredQueryStore(catalog);
        ColumnTypes = new ColumnTypeStore(catalog);
        Rights = new PermissionChecker(this, hooks, options.Rights.Actions, catalog);
        Options = options;
        Writes = WriteConfig.Parse(options.Config);
        Databases = databases;
        Hooks = hooks;
        Loggers = loggers;
        Time = time;
        signer = new ValueSigner(options.Secret ?? RandomNumberGenerator.GetHexString(64, lowercase: true));
        layouts = new LayoutBuilder(this, hooks.Pages);
        rootToken = RandomNumberGenerator.GetHexString(64, lowercase: true);
        foreach (var plugin in hooks.Plugins)
        {
            foreach (var action in HookCall.Run(plugin, nameof(plugin.RegisterActions), p => p.RegisterActions(this).ToList()))
            {
                if (!options.Rights.Actions.TryAdd(action.Name, action))
                {
                    throw new StartupException(
                        $"The plugin '{plugin.Name}' registers the action '{action.Name}', which is registered already. Give it another name, or leave one of the plugins out."
                    );
                }
            }
        }
    }

    public DatasetteAppOptions Options { get; }

    public PluginHooks Hooks { get; }

    public DatabaseCollection Databases { get; }

    public DatasetteConfig Config => Options.Config;

    public DatasetteSettings Settings => Options.Settings;

    /// <summary>Limits of writes, and what must confirm them.</summary>
    public WriteConfig Writes { get; }

    public ILoggerFactory Loggers { get; }

    public TimeProvider Time { get; }

    public IReadOnlyList<DatasettePlugin> Plugins => Hooks.Plugins;

    public IReadOnlyDictionary<string, PermissionAction> Actions => Options.Rights.Actions;

    /// <summary>Whether the actor root has all rights: only while started with --root.</summary>
    public bool RootEnabled
    {
        get => Options.Rights.RootEnabled;
        set => Options.Rights.RootEnabled = value;
    }

    /// <summary>Set by the hosting, asked for by <see cref="RequestStop"/>.</summary>
    public Action? Stop { get; set; }

    public string UrlPath(string path) => Settings.BaseUrl.Length > 1 ? Settings.BaseUrl[..^1] + path : path;

    /// <summary>The address of a table, view, query or database.</summary>
    public string UrlOf(Database database, string? table = null) =>
        UrlPath("/" + database.Route + (table is null ? "" : "/" + TildeEncoding.Encode(table)));

    public Actor? ActorOf(HttpContext context) => RequestState.Of(context).Actor;

    public async ValueTask<bool> AllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken) =>
        Actions.ContainsKey(action) && await Rights.AllowedAsync(action, resource, actor, cancellationToken);

    public async ValueTask EnsureAllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken)
    {
        if (!await AllowedAsync(action, resource, actor, cancellationToken))
        {
            throw new DatasetteException(StatusCodes.Status403Forbidden, action);
        }
    }

    /// <summary>Answers questions about rights from everyone's rules.</summary>
    public PermissionChecker Rights { get; }

    /// <summary>The stored queries of configuration and users.</summary>
    public StoredQueryStore Queries { get; }

    /// <summary>Types that were given to columns.</summary>
    public ColumnTypeStore ColumnTypes { get; }

    /// <summary>The host's own database.</summary>
    public InternalDatabase Catalog { get; }

    public JsonNode? PluginConfig(string plugin, string? database = null, string? table = null, bool fallback = true) =>
        Config.PluginConfig(plugin, database, table, fallback);

    public ValueTask<IReadOnlyDictionary<string, Actor>> ActorsFromIdsAsync(
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    ) => Hooks.ActorsFromIdsAsync(this, ids, cancellationToken);

    public ValueTask TrackEventAsync(DatasetteEvent happened, CancellationToken cancellationToken) =>
        Hooks.Registered.Events.ContainsKey(happened.Name)
            ? Hooks.TrackEventAsync(this, happened, cancellationToken)
            : throw new ArgumentException($"Nobody registered the event '{happened.Name}'; do so in RegisterEvents.", nameof(happened));

    public string Sign(string json, string @namespace) => signer.Sign(json, @namespace);

    public bool TryUnsign(string text, string @namespace, out string json)
    {
        var valid = signer.TryUnsign(text, @namespace, out var found);
        json = found ?? "";
        return valid;
    }

    public void AddMessage(HttpContext context, string text, MessageKind kind = MessageKind.Info) =>
        RequestState.Of(context).NewMessages.Add(new(text, kind));

    public ValueTask<LayoutModel> LayoutAsync(
        HttpContext context,
        string title,
        string bodyClass,
        IReadOnlyList<MenuLink>? crumbs = null
    ) => layouts.MakeAsync(context, title, bodyClass, crumbs);

    public async ValueTask AddDatabaseAsync(Database database, CancellationToken cancellationToken)
    {
        Databases.Add(database.Name, _ => database);
        await AddPluginQueriesAsync(database, cancellationToken);
        await Hooks.DatabaseOpenedAsync(this, database, cancellationToken);
    }

    public async ValueTask<bool> RemoveDatabaseAsync(string name, CancellationToken cancellationToken)
    {
        if (Databases[name] is not { } database)
        {
            return false;
        }
        await Hooks.DatabaseClosedAsync(this, database, cancellationToken);
        return await Databases.RemoveAsync(name);
    }

    /// <summary>Adds the stored queries that plugins have for a database; those of configuration and users stay.</summary>
    public async Task AddPluginQueriesAsync(Database database, CancellationToken cancellationToken)
    {
        foreach (var (name, node) in await Hooks.StoredQueriesAsync(this, database, cancellationToken))
        {
            if (Queries.Find(database.Name, name) is null && StoredQuery.OfConfig(database.Name, name, node) is { } query)
            {
                await Queries.SaveAsync(query with { Source = "plugin" }, cancellationToken);
            }
        }
    }

    public void RequestStop() => Stop?.Invoke();

    /// <summary>The token of the one-time login link.</summary>
    public string? RootToken => rootToken;

    /// <summary>Uses the login token up: true for the first caller who knows it. Compares in constant time.</summary>
    public LoginResult UseRootToken(string given)
    {
        var expected = rootToken;
        if (expected is null)
        {
            return LoginResult.Used;
        }
        var same = CryptographicOperations.FixedTimeEquals(
            System.Text.Encoding.UTF8.GetBytes(given),
            System.Text.Encoding.UTF8.GetBytes(expected)
        );
        if (!same)
        {
            return LoginResult.Wrong;
        }
        return Interlocked.CompareExchange(ref rootToken, null, expected) == expected ? LoginResult.Ok : LoginResult.Used;
    }

    public async ValueTask DisposeAsync()
    {
        await Databases.DisposeAsync();
        await Catalog.DisposeAsync();
    }
}

/// <summary>What became of a login token.</summary>
internal enum LoginResult
{
    Ok,
    Wrong,
    Used,
}

/// <summary>What an instance is made from.</summary>
internal sealed record DatasetteAppOptions
{
    public required DatasetteConfig Config { get; init; }

    public required DatasetteSettings Settings { get; init; }

    /// <summary>Signing secret; null takes a new one, which dies with the process.</summary>
    public string? Secret { get; init; }

    public bool Cors { get; init; }

    /// <summary>What the start decided about rights.</summary>
    public required InstanceRights Rights { get; init; }

    /// <summary>No cache headers, because everything may change at any time (--reload).</summary>
    public bool NoCache { get; init; }

    public string? VersionNote { get; init; }

    /// <summary>Folders served as they are, by the first segments of the path.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> StaticMounts { get; init; } = [];

    /// <summary>Folder with the user's templates and custom pages; null without one.</summary>
    public string? TemplateFolder { get; init; }

    /// <summary>Row counts of immutable databases, by database and table, from the inspect file.</summary>
    public JsonObject? InspectData { get; init; }
}
