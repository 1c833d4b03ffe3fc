using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Tests.Hosting;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>A file that is open as a database is opened by nobody but SQLite, whatever it is called: closing a second descriptor drops its locks.</summary>
public sealed class LiveFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task HardLink_OfAnAttachedDatabase_IsNotAttachedAgain_NotEvenAsImmutable()
    {
        var path = Make("live.db");
        var link = await LinkAsync(path, "twin.db");
        await using var databases = new DatabaseCollection();
        databases.AddFile(path, new DatabaseOptions());
        var failure = Assert.Throws<StartupException>(() => databases.AddFile(link, new DatabaseOptions { IsMutable = false }));
        Assert.Contains("Duplicate database file", failure.Message, StringComparison.Ordinal);
        Assert.Contains(path, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InternalDatabase_IsNotServed()
    {
        var path = Make("both.db");
        var failure = await Assert.ThrowsAsync<StartupException>(() =>
            TestServer.StartAsync(new ServeOptions { Immutables = [path], InternalPath = path })
        );
        Assert.Contains("--internal", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StaticFolder_WithAHardLinkOfALiveDatabase_DoesNotOpenIt()
    {
        var path = Make("live.db");
        Directory.CreateDirectory(_folder.Combine("public"));
        await LinkAsync(path, "public/copy.bin");
        await File.WriteAllTextAsync(_folder.Combine("public/plain.txt"), "hello", Ct);
        await using var host = await TestServer.StartAsync(
            new ServeOptions { Files = [path], StaticMounts = [new("static", _folder.Combine("public"))] }
        );
        Assert.Equal(200, (await host.GetAsync("/static/plain.txt")).Status);
        Assert.Equal(404, (await host.GetAsync("/static/copy.bin")).Status);
    }

    [Fact]
    public async Task MayBeLive_KnowsADatabaseUnderEveryName_AndWhatLiesBesideOne()
    {
        var path = Make("live.db");
        var other = Make("other.db");
        await using var databases = new DatabaseCollection();
        databases.AddFile(path, new DatabaseOptions());
        File.CreateSymbolicLink(_folder.Combine("soft.txt"), path);
        await File.WriteAllTextAsync(_folder.Combine("plain.txt"), "hello", Ct);
        await File.WriteAllTextAsync(_folder.Combine("some.db-shm"), "", Ct);
        Assert.True(databases.MayBeLive(path));
        Assert.True(databases.MayBeLive(await LinkAsync(path, "hard.txt")));
        Assert.True(databases.MayBeLive(_folder.Combine("soft.txt")));
        Assert.True(databases.MayBeLive(_folder.Combine("some.db-shm")));
        Assert.False(databases.MayBeLive(_folder.Combine("plain.txt")));
        Assert.False(databases.MayBeLive(other));
        using var elsewhere = TestDatabase.Open(other);
        elsewhere.Execute("PRAGMA journal_mode=wal; INSERT INTO t VALUES(2)");
        Assert.True(databases.MayBeLive(other));
    }

    [Fact]
    public async Task TemplateThatIncludesALiveDatabase_SaysSo_AndDoesNotOpenIt()
    {
        var folder = _folder.Combine("templates");
        Directory.CreateDirectory(folder);
        var path = Make("templates/live.db");
        await File.WriteAllTextAsync(Path.Combine(folder, "index.html"), "{% include 'live.db' %}", Ct);
        await using var host = await TestServer.StartAsync(new ServeOptions { Files = [path], TemplateFolder = folder });
        var answer = await host.GetAsync("/");
        Assert.Equal(500, answer.Status);
        Assert.Contains("it is a database", answer.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await host.GetAsync("/live/t.json")).Status);
    }

    [Fact]
    public async Task TemplateThatIsALiveDatabase_StopsTheStart_ByName()
    {
        Directory.CreateDirectory(_folder.Combine("templates"));
        var options = new ServeOptions { Files = [Make("templates/live.html")], TemplateFolder = _folder.Combine("templates") };
        var failure = await Assert.ThrowsAsync<StartupException>(() => TestServer.StartAsync(options));
        Assert.Contains("live.html: it is a database", failure.Message, StringComparison.Ordinal);
    }

    private string Make(string name)
    {
        var path = _folder.Combine(name);
        using var connection = TestDatabase.Open(path);
        connection.Execute("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
        return path;
    }

    private async Task<string> LinkAsync(string path, string name)
    {
        var link = _folder.Combine(name);
        await using var made = await TestProcess.RunAsync("ln", [path, link], cancellationToken: Ct);
        Assert.Equal(0, made.ExitCode);
        return link;
    }
}
