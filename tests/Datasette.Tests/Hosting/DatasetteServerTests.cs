using System.Net;
using System.Net.Sockets;
using Datasette.Hosting;
using Microsoft.Extensions.Logging;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Starting and stopping.</summary>
public sealed class DatasetteServerTests
{
    [Fact]
    public async Task Start_PortInUse_IsOneLineAndExitCode3()
    {
        using var busy = new TcpListener(IPAddress.Loopback, 0);
        busy.Start();
        var port = ((IPEndPoint)busy.LocalEndpoint).Port;
        var refused = await Assert.ThrowsAsync<StartupException>(() =>
            DatasetteServer.StartAsync(
                new ServeOptions { Memory = true, Port = port },
                [],
                TestContext.Current.CancellationToken,
                logging: Quiet
            )
        );
        Assert.Equal(3, refused.ExitCode);
        Assert.Contains($"port {port}", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public async Task Start_FileThatIsNoDatabase_NamesTheFileAndListensOnNothing()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.Combine("notes.db"), new string('x', 5000), TestContext.Current.CancellationToken);
        var refused = await Assert.ThrowsAsync<StartupException>(() =>
            DatasetteServer.StartAsync(
                new ServeOptions { Files = [folder.Combine("notes.db")], Port = 0 },
                [],
                TestContext.Current.CancellationToken,
                logging: Quiet
            )
        );
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("notes.db", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RootToken_UsedTwice_IsRefusedTheSecondTime()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true });
        var path = "/-/auth-token?token=" + server.App.RootToken;
        Assert.Equal(403, (await server.GetAsync("/-/auth-token?token=wrong")).Status);
        var first = await server.GetAsync(path);
        Assert.Equal(302, first.Status);
        var cookie = first.Header("set-cookie")!.Split(';')[0];
        Assert.Contains("\"root\"", (await server.GetAsync("/-/actor.json", ("Cookie", cookie))).Text, StringComparison.Ordinal);
        var second = await server.GetAsync(path);
        Assert.Equal(403, second.Status);
        Assert.Contains("already been used", second.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Route_EncodedSlash_IsNotASlash()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        var answer = await server.GetAsync("/_memory%2Fx?a=1");
        Assert.Equal(302, answer.Status);
        Assert.Equal("/_memory~2Fx?a=1", answer.Header("location"));
    }

    [Fact]
    public async Task Insert_ThenRead_CommitsOnce()
    {
        using var folder = new TempFolder();
        await using var server = await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [folder.Combine("data.db")],
                Create = true,
                Root = true,
            }
        );
        var database = server.App.Databases["data"]!;
        await database.WriteAsync(
            connection => Datasette.Databases.SqlStatement.Execute(connection, "create table t (id integer primary key, v text)"),
            TestContext.Current.CancellationToken
        );
        var commits = 0;
        database.Committed += _ => commits++;
        var answer = await server.SendAsync("POST", "/data/t/-/insert", "{\"rows\": [{\"v\": \"a\"}, {\"v\": \"b\"}]}", TestServer.Root);
        Assert.Equal(201, answer.Status);
        Assert.Equal(1, commits);
        Assert.Equal("[{\"id\":1,\"v\":\"a\"},{\"id\":2,\"v\":\"b\"}]", (await server.GetAsync("/data/t.json?_shape=array")).Text);
    }

    private static void Quiet(ILoggingBuilder logging) => logging.SetMinimumLevel(LogLevel.None);
}
