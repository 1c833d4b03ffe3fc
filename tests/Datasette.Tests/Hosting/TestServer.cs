using System.Text.Json.Nodes;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Text;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>A host on a free port, in this process.</summary>
internal sealed class TestServer(DatasetteServer server) : IAsyncDisposable
{
    public const string Secret = "a secret of the tests";

    public DatasetteApp App => server.App;

    public DatasetteServer Server => server;

    public static Task<TestServer> StartAsync(ServeOptions options, params DatasettePlugin[] plugins) =>
        StartAsync(options, TimeProvider.System, plugins);

    public static async Task<TestServer> StartAsync(ServeOptions options, TimeProvider time, params DatasettePlugin[] plugins)
    {
        var started = await DatasetteServer.StartAsync(
            options with
            {
                Port = 0,
                Secret = Secret,
            },
            plugins,
            TestContext.Current.CancellationToken,
            time,
            logging: log => log.SetMinimumLevel(LogLevel.None)
        );
        return new TestServer(started);
    }

    public Task<Answer> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync("GET", path, null, headers);

    public Task<Answer> SendAsync(string method, string path, string? body, params (string Name, string Value)[] headers) =>
        Answer.SendAsync(
            server.Port,
            method,
            path,
            headers.Select(header => new KeyValuePair<string, string>(header.Name, header.Value)),
            body is null ? null : System.Text.Encoding.UTF8.GetBytes(body),
            TestContext.Current.CancellationToken
        );

    public static (string Name, string Value) Cookie(JsonObject actor) =>
        ("Cookie", "ds_actor=" + new ValueSigner(Secret).Sign(new JsonObject { ["a"] = actor }.ToJsonString(), "actor"));

    public static (string Name, string Value) Root => Cookie(new JsonObject { ["id"] = "root" });

    public ValueTask DisposeAsync() => server.DisposeAsync();
}
