using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Hosting;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Xunit;

namespace Datasette.Tests.Properties;

/// <summary>A host without a socket: requests go straight to it, so that thousands of them take seconds.</summary>
internal sealed class TestInstance : IAsyncDisposable
{
    private readonly TempFolder folder;
    private readonly DatasetteApp app;
    private readonly InProcessClient client;

    private TestInstance(TempFolder folder, DatasetteApp app)
    {
        this.folder = folder;
        this.app = app;
        client = new InProcessClient(app);
    }

    public Database Database => app.Databases["data"]!;

    /// <summary>Serves a new database <c>data</c>.</summary>
    /// <param name="fill">Makes what is in it.</param>
    /// <param name="settings">Settings by name.</param>
    public static async Task<TestInstance> StartAsync(Action<SqliteConnection> fill, params (string, string)[] settings)
    {
        var folder = new TempFolder();
        var file = folder.Combine("data.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            fill(connection);
        }
        var app = await DatasetteFactory.StartAsync(
            new ServeOptions
            {
                Files = [file],
                Settings = [("settings.sql_time_limit_ms", "60000"), .. settings.Select(pair => ("settings." + pair.Item1, pair.Item2))],
            },
            [],
            NullLoggerFactory.Instance,
            TimeProvider.System,
            TestContext.Current.CancellationToken
        );
        return new(folder, app);
    }

    public Task<InProcessAnswer> GetAsync(string target) => client.GetAsync(target, [], TestContext.Current.CancellationToken);

    public async Task<string> TextAsync(string target)
    {
        var answer = await GetAsync(target);
        var text = System.Text.Encoding.UTF8.GetString(answer.Body);
        Assert.True(answer.Status == 200, $"{target} -> {answer.Status}\n{text}");
        return text;
    }

    public async Task<JsonObject> JsonAsync(string target) => JsonNode.Parse(await TextAsync(target))!.AsObject();

    public async ValueTask DisposeAsync()
    {
        await DatasetteFactory.StopAsync(app, NullLogger.Instance, CancellationToken.None);
        folder.Dispose();
    }
}
