using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>One database that cannot be read: a clear answer for it, and the others go on.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Locked_SaysSo_AndTheOthersGoOn()
    {
        await using var server = await StartAsync();
        using var locker = new SqliteConnection($"Data Source={folder.Combine("bad.db")};Pooling=False");
        locker.Open();
        SqlStatement.Execute(locker, "begin exclusive");
        var answer = await server.GetAsync("/bad/t.json");
        Assert.Equal(400, answer.Status);
        Assert.Contains("database is locked", answer.Text, StringComparison.Ordinal);
        await OthersGoOnAsync(server);
        SqlStatement.Execute(locker, "rollback");
        Assert.Equal(200, (await server.GetAsync("/bad/t.json")).Status);
    }

    [Fact]
    public async Task Corrupted_SaysSo_AndTheOthersGoOn()
    {
        await using var server = await StartAsync();
        // Another process writes over the file, as a bad copy would.
        await using var copy = await TestProcess.RunAsync(
            "/bin/sh",
            ["-c", "head -c 20000 /dev/urandom > bad.db"],
            workingDirectory: folder.Path,
            cancellationToken: Ct
        );
        Assert.Equal(0, copy.ExitCode);
        var answer = await server.GetAsync("/bad/t.json");
        Assert.Equal(400, answer.Status);
        Assert.Contains("file is not a database", answer.Text, StringComparison.Ordinal);
        var page = await server.GetAsync("/bad/t");
        Assert.Equal(400, page.Status);
        Assert.Contains("file is not a database", page.Text, StringComparison.Ordinal);
        await OthersGoOnAsync(server);
    }

    [Fact]
    public async Task Deleted_SaysSo_AndTheOthersGoOn()
    {
        await using var server = await StartAsync();
        File.Delete(folder.Combine("bad.db"));
        // A file is looked at once a second.
        await Task.Delay(TimeSpan.FromMilliseconds(1100), Ct);
        var answer = await server.GetAsync("/bad/t.json");
        Assert.Equal(400, answer.Status);
        Assert.Contains("no longer there", answer.Text, StringComparison.Ordinal);
        await OthersGoOnAsync(server);
    }

    private async Task<TestServer> StartAsync()
    {
        foreach (var name in new[] { "good.db", "bad.db" })
        {
            using var connection = new SqliteConnection($"Data Source={folder.Combine(name)};Pooling=False");
            connection.Open();
            SqlStatement.Execute(connection, "create table t (id integer primary key, a text)");
            SqlStatement.Execute(connection, "insert into t (a) values ('x'), ('y')");
        }
        var server = await TestServer.StartAsync(new ServeOptions { Files = [folder.Combine("good.db"), folder.Combine("bad.db")] });
        Assert.Equal(200, (await server.GetAsync("/bad/t.json")).Status);
        return server;
    }

    private static async Task OthersGoOnAsync(TestServer server)
    {
        // Longer than a schema is taken for fresh, so that all databases are looked at again.
        await Task.Delay(TimeSpan.FromMilliseconds(1100), Ct);
        Assert.Equal(200, (await server.GetAsync("/good/t.json")).Status);
        Assert.Equal(200, (await server.GetAsync("/good/t")).Status);
        Assert.Equal(200, (await server.GetAsync("/good")).Status);
        var index = await server.GetAsync("/");
        Assert.Equal(200, index.Status);
        Assert.Contains("good", index.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await server.GetAsync("/.json")).Status);
        Assert.Equal(200, (await server.GetAsync("/-/databases.json")).Status);
        Assert.Equal(200, (await server.GetAsync("/-/jump.json?q=good")).Status);
        Assert.Equal(200, (await server.GetAsync("/-/schema.json")).Status);
    }
}
