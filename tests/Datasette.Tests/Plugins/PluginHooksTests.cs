using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Hosting;
using Testing;
using Xunit;

namespace Datasette.Tests.Plugins;

/// <summary>When plugins are called, and what becomes of their failures.</summary>
public sealed class PluginHooksTests
{
    private sealed class Recorder(string name, List<string> calls) : DatasettePlugin
    {
        public Exception? Fails { get; init; }

        public override string Name => name;

        public override ValueTask StartupAsync(IDatasette datasette, CancellationToken cancellationToken)
        {
            calls.Add($"{name} start with {datasette.Databases.Count}");
            return Fails is null ? ValueTask.CompletedTask : throw Fails;
        }

        public override async ValueTask ShutdownAsync(IDatasette datasette, CancellationToken cancellationToken)
        {
            // Databases are still usable: an engine reads its last changes here.
            foreach (var database in datasette.Databases)
            {
                await database.ExecuteAsync("select 1", ct: cancellationToken);
            }
            calls.Add($"{name} stop");
        }
    }

    [Fact]
    public async Task Shutdown_IsAwaited_InReverseOrder_BeforeDatabasesClose()
    {
        var calls = new List<string>();
        await using (await TestServer.StartAsync(new ServeOptions { Memory = true }, new Recorder("a", calls), new Recorder("b", calls)))
        {
            Assert.Equal(["a start with 1", "b start with 1"], calls);
        }
        Assert.Equal(["b stop", "a stop"], calls.Skip(2));
    }

    [Fact]
    [Trait("Rule", "C042")]
    public async Task Startup_PluginRefuses_StopsTheStartAndTellsThoseThatStarted()
    {
        var calls = new List<string>();
        var refusing = new Recorder("b", calls) { Fails = new StartupException("the replica of 'data' has no scheme") };
        var refused = await Assert.ThrowsAsync<StartupException>(() =>
            TestServer.StartAsync(new ServeOptions { Memory = true }, new Recorder("a", calls), refusing, new Recorder("c", calls))
        );
        Assert.Equal("the replica of 'data' has no scheme", refused.Message);
        Assert.Equal(["a start with 1", "b start with 1", "b stop", "a stop"], calls);
    }

    [Fact]
    public void Select_UnknownName_NamesWhatIsThere()
    {
        var refused = Assert.Throws<StartupException>(() => PluginLoader.Select([new Recorder("a", [])], "a, nope"));
        Assert.Contains("'nope'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Available: a", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestStop_EndsTheWait()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        var wait = server.Server.WaitAsync(TestContext.Current.CancellationToken);
        server.App.RequestStop();
        await wait.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task AddDatabase_WhileRunning_IsServed()
    {
        using var folder = new TempFolder();
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [folder.Combine("one.db")], Create = true });
        var two = Datasette.Databases.Database.PrivateMemory("two", new Datasette.Databases.DatabaseOptions());
        await server.App.AddDatabaseAsync(two, TestContext.Current.CancellationToken);
        Assert.Equal(200, (await server.GetAsync("/two.json")).Status);
        Assert.True(await server.App.RemoveDatabaseAsync("two", TestContext.Current.CancellationToken));
        Assert.Equal(404, (await server.GetAsync("/two.json")).Status);
    }
}
