using System.Text.Json.Nodes;
using Datasette.Configuration;
using Datasette.Databases;
using Datasette.Pages;
using Datasette.Permissions;
using Datasette.Plugins;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;

namespace Datasette.Litestream.Tests;

/// <summary>A host without web: real databases, real configuration, the plugin and the real engine. In a folder of its own.</summary>
internal sealed class FakeHost : IDatasette, IAsyncDisposable
{
    private readonly DatabaseOptions _options = new();
    private bool _started;

    private FakeHost(TempFolder folder, string configText, LitestreamPlugin plugin)
    {
        Folder = folder;
        Plugin = plugin;
        var file = folder.Combine("datasette.yaml");
        File.WriteAllText(file, configText.Replace("{{dir}}", folder.Path, StringComparison.Ordinal));
        Config = DatasetteConfig.Load(null, file, []);
        Settings = DatasetteSettings.Parse(null);
    }

    public TempFolder Folder { get; }

    public LitestreamPlugin Plugin { get; }

    public DatabaseCollection Databases { get; } = [];

    public DatasetteConfig Config { get; }

    public DatasetteSettings Settings { get; }

    public ILoggerFactory Loggers => NullLoggerFactory.Instance;

    public TimeProvider Time => TimeProvider.System;

    public IReadOnlyList<DatasettePlugin> Plugins => [Plugin];

    public HostReplication? Replication => Plugin.Of(this);

    /// <summary>A host that has not started; each named database has a table t(id, v) with one row.</summary>
    public static FakeHost Create(string configText, string[] databases, LitestreamPlugin? plugin = null, TempFolder? folder = null)
    {
        var host = new FakeHost(folder ?? new TempFolder(), configText, plugin ?? new LitestreamPlugin());
        foreach (var name in databases)
            host.Databases.AddFile(host.NewFile(name), host._options);
        return host;
    }

    public static async Task<FakeHost> StartAsync(string configText, params string[] databases)
    {
        var host = Create(configText, databases);
        await host.StartAsync();
        return host;
    }

    public async Task StartAsync()
    {
        await Plugin.StartupAsync(this, TestContext.Current.CancellationToken);
        _started = true;
    }

    public string NewFile(string name)
    {
        var path = Folder.Combine(name + ".db");
        using var connection = TestDatabase.Open(path);
        connection.Execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
        connection.Execute("INSERT INTO t(v) VALUES ('first')");
        return path;
    }

    public async Task<Database> AttachAsync(string name, bool mutable = true)
    {
        var database = Databases.AddFile(NewFile(name), _options with { IsMutable = mutable });
        await Plugin.DatabaseOpenedAsync(this, database, TestContext.Current.CancellationToken);
        return database;
    }

    public async Task DetachAsync(string name)
    {
        await Plugin.DatabaseClosedAsync(this, Databases[name]!, TestContext.Current.CancellationToken);
        await Databases.RemoveAsync(name);
    }

    public Task<int> InsertAsync(string database, string value) =>
        Databases[database]!.WriteAsync(
            connection => Execute(connection, $"INSERT INTO t(v) VALUES ('{value}')"),
            TestContext.Current.CancellationToken
        );

    public Task<long> PragmaOfWriterAsync(string database, string pragma) =>
        Databases[database]!.WriteAsync(
            connection =>
            {
                using var command = connection.CreateCommand();
                command.CommandText = "PRAGMA " + pragma;
                return (long)command.ExecuteScalar()!;
            },
            TestContext.Current.CancellationToken
        );

    public string UrlPath(string path) => path;

    public Actor? ActorOf(HttpContext context) => null;

    public ValueTask<bool> AllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken) =>
        ValueTask.FromResult(actor is not null);

    public ValueTask EnsureAllowedAsync(string action, Resource? resource, Actor? actor, CancellationToken cancellationToken) =>
        actor is not null ? ValueTask.CompletedTask : throw new DatasetteException(403, $"Permission denied for {action}");

    public JsonNode? PluginConfig(string plugin, string? database = null, string? table = null, bool fallback = true) =>
        Config.PluginConfig(plugin, database, table, fallback);

    public ValueTask<IReadOnlyDictionary<string, Actor>> ActorsFromIdsAsync(
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public ValueTask TrackEventAsync(DatasetteEvent happened, CancellationToken cancellationToken) => throw new NotSupportedException();

    public string Sign(string json, string @namespace) => throw new NotSupportedException();

    public bool TryUnsign(string text, string @namespace, out string json) => throw new NotSupportedException();

    public void AddMessage(HttpContext context, string text, MessageKind kind = MessageKind.Info) => throw new NotSupportedException();

    public ValueTask<LayoutModel> LayoutAsync(
        HttpContext context,
        string title,
        string bodyClass,
        IReadOnlyList<MenuLink>? crumbs = null
    ) => throw new NotSupportedException();

    public ValueTask AddDatabaseAsync(Database database, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<bool> RemoveDatabaseAsync(string name, CancellationToken cancellationToken) => throw new NotSupportedException();

    public void RequestStop() => throw new NotSupportedException();

    public async Task StopAsync()
    {
        if (_started)
            await Plugin.ShutdownAsync(this, CancellationToken.None);
        _started = false;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Databases.DisposeAsync();
        Folder.Dispose();
    }

    private static int Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }
}
