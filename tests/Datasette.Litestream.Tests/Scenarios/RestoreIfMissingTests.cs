using System.Net;
using Testing;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>A fresh machine: only the command line, the configuration and the replica are there.</summary>
public sealed class RestoreIfMissingTests : IDisposable
{
    private const string Config =
        "plugins: {datasette-litestream: {all-replicate: ['file://{{dir}}/bk/$DB_NAME'], restore-if-missing: true}}";

    private readonly TempFolder _folder = new();

    public RestoreIfMissingTests()
    {
        Require.That(File.Exists(DatasetteProcess.Program), "the program datasette", "dotnet build tools/datasette");
        File.WriteAllText(_folder.Combine("c.yaml"), Config.Replace("{{dir}}", _folder.Path, StringComparison.Ordinal));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData()]
    [InlineData("--create")]
    public async Task P065_MissingDatabase_ComesBackFromItsReplica_AndGoesOn(params string[] flags)
    {
        await StoreAsync();
        Directory.Delete(_folder.Combine("here"), recursive: true);

        await using (var process = await StartAsync(flags))
        {
            Assert.Equal("""[{"v":"first"}]""", await RowsAsync(process));
            Assert.Contains("was missing: restored to transaction", process.Errors, StringComparison.Ordinal);
            // It goes on from there: what is written now is on the replica next to what was.
            Assert.Equal(0, await process.StopAsync());
        }
        using (var app = TestDatabase.Open(_folder.Combine("here", "data.db")))
            app.Execute("INSERT INTO t(v) VALUES ('second')");
        await using (var process = await StartAsync(flags))
            await Restored.BecomesAsync(
                _folder.Combine("bk", "data"),
                "SELECT group_concat(v, ',') FROM (SELECT v FROM t ORDER BY id)",
                "first,second"
            );
    }

    [Fact]
    public async Task P065_ExistingDatabase_IsLeftAlone()
    {
        await StoreAsync();
        using (var app = TestDatabase.Open(_folder.Combine("here", "data.db")))
            app.Execute("UPDATE t SET v = 'newer'");

        await using var process = await StartAsync([]);

        Assert.Equal("""[{"v":"newer"}]""", await RowsAsync(process));
    }

    [Fact]
    public async Task P065_NoBackup_IsAnError_UnlessAnEmptyOneIsWished()
    {
        Directory.CreateDirectory(_folder.Combine("here"));

        await using var refused = await DatasetteProcess.RunAsync(_folder, ["here/data.db", "-c", "c.yaml", "--get", "/"]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("no replica holds a backup", refused.Output, StringComparison.Ordinal);
        Assert.Contains("does not exist", refused.Output, StringComparison.Ordinal);

        await using var created = await DatasetteProcess.RunAsync(
            _folder,
            ["here/data.db", "-c", "c.yaml", "--create", "--get", "/data.json"]
        );
        Assert.Equal(0, created.ExitCode);
    }

    [Fact]
    public async Task P065_DamagedBackup_StopsTheStart_RatherThanToBeginAnEmptyDatabase()
    {
        await StoreAsync();
        Directory.Delete(_folder.Combine("here"), recursive: true);
        foreach (var file in Directory.EnumerateFiles(_folder.Combine("bk"), "*.ltx", SearchOption.AllDirectories))
            await File.WriteAllBytesAsync(file, new byte[200], Cancel);

        await using var refused = await DatasetteProcess.RunAsync(
            _folder,
            ["here/data.db", "-c", "c.yaml", "--create", "--get", "/data.json"]
        );

        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("database 'data' is missing and cannot be restored", refused.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.Combine("here", "data.db")));
    }

    private async Task StoreAsync()
    {
        Directory.CreateDirectory(_folder.Combine("here"));
        using (var app = TestDatabase.Open(_folder.Combine("here", "data.db")))
            app.Execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t(v) VALUES ('first')");
        await using var process = await StartAsync([]);
        Assert.Equal(0, await process.StopAsync());
    }

    private Task<DatasetteProcess> StartAsync(string[] flags) =>
        DatasetteProcess.StartAsync(_folder, ["here/data.db", "-c", "c.yaml", .. flags]);

    private static async Task<string> RowsAsync(DatasetteProcess process)
    {
        var (status, body) = await process.SendAsync("GET", "/data/-/query.json?sql=select+v+from+t&_shape=array");
        Assert.Equal(HttpStatusCode.OK, status);
        return body.Replace(" ", "", StringComparison.Ordinal);
    }
}
