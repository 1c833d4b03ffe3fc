using System.Diagnostics;
using Testing;
using Testing.Oracles;
using Testing.Servers;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>The README's two examples against a real S3 server, read back by our command and by the genuine Litestream 0.5.17.</summary>
public sealed class ReadmeExamplesTests(ITestOutputHelper output) : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task P070_FirstExample_ARowOfTheApi_IsInOurRestoreAndInTheGenuineProgram()
    {
        var server = await ServerAsync();
        var bucket = await server.CreateBucketAsync();
        MakeDatabase("my_database.db");
        await WriteMetadataAsync(
            $$"""
            databases:
              my_database:
                plugins:
                  datasette-litestream:
                    replicas:
                    - url: {{Url(server, bucket, "my_database")}}
            """
        );
        await using var process = await DatasetteProcess.StartAsync(
            _folder,
            ["my_database.db", "-m", "metadata.yaml", "--root"],
            Keys(server)
        );
        await UntilAsync(() => RestoredAsync(server, bucket, "my_database"), "first"); // the first snapshot is there

        var worst = TimeSpan.Zero;
        for (var i = 0; i < 3; i++)
        {
            var clock = Stopwatch.StartNew();
            await InsertAsync(process, "my_database", $"row {i}");
            await UntilAsync(() => GenuineAsync(server, bucket, "my_database"), $"row {i}");
            var genuine = clock.Elapsed;
            await UntilAsync(() => RestoredAsync(server, bucket, "my_database"), $"row {i}");
            output.WriteLine(
                $"row {i}: genuine 0.5.17 shows it after {genuine.TotalMilliseconds:F0} ms (its start included), our restore after {clock.Elapsed.TotalMilliseconds:F0} ms"
            );
            worst = clock.Elapsed > worst ? clock.Elapsed : worst;
        }
        Assert.True(worst < TimeSpan.FromSeconds(20), $"a row took {worst}");
        Assert.Equal(0, await process.StopAsync());
    }

    [Fact]
    public async Task P071_SecondExample_TwoDatabases_GoToTwoDestinations()
    {
        var server = await ServerAsync();
        var bucket = await server.CreateBucketAsync();
        MakeDatabase("one.db");
        MakeDatabase("two.db");
        await WriteMetadataAsync(
            $$"""
            plugins:
              datasette-litestream:
                all-replicate:
                - {{Url(server, bucket, "$DB_NAME")}}
            """
        );
        await using var process = await DatasetteProcess.StartAsync(
            _folder,
            ["one.db", "two.db", "-m", "metadata.yaml", "--root"],
            Keys(server)
        );
        await InsertAsync(process, "one", "into one");
        await InsertAsync(process, "two", "into two");
        foreach (var name in new[] { "one", "two" })
        {
            await UntilAsync(() => GenuineAsync(server, bucket, name), $"into {name}");
            await UntilAsync(() => RestoredAsync(server, bucket, name), $"into {name}");
        }
        Assert.Equal(0, await process.StopAsync());
    }

    private static async Task<RadosGateway> ServerAsync()
    {
        Litestream05.RequireIt();
        Require.That(RadosGateway.IsInstalled, "an S3 server (radosgw)", "apt-get install " + RadosGateway.Packages);
        return await RadosGateway.GetAsync();
    }

    private static string Url(RadosGateway server, string bucket, string path) =>
        $"s3://{bucket}/{path}?endpoint={server.Endpoint}&region=us-east-1&forcePathStyle=true";

    private static Dictionary<string, string?> Keys(RadosGateway server) =>
        new() { ["AWS_ACCESS_KEY_ID"] = server.AccessKeyId, ["AWS_SECRET_ACCESS_KEY"] = server.SecretAccessKey };

    private void MakeDatabase(string name)
    {
        using var connection = TestDatabase.Open(_folder.Combine(name));
        connection.Execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes(text) VALUES('first')");
    }

    private Task WriteMetadataAsync(string text) =>
        File.WriteAllTextAsync(_folder.Combine("metadata.yaml"), text, TestContext.Current.CancellationToken);

    private static async Task InsertAsync(DatasetteProcess process, string database, string text)
    {
        var (status, body) = await process.SendAsync(
            "POST",
            $"/{database}/notes/-/insert",
            DatasetteProcess.CookieOf("root"),
            $$$"""{"row": {"text": "{{{text}}}"}}"""
        );
        Assert.True(status == System.Net.HttpStatusCode.Created, body);
    }

    /// <summary>The newest note, as the genuine program reads the bucket.</summary>
    private static async Task<string?> GenuineAsync(RadosGateway server, string bucket, string path)
    {
        await using var genuine = await Litestream05.OpenAsync(Url(server, bucket, path), Keys(server));
        return (await genuine.QueryAsync("SELECT text FROM notes ORDER BY id DESC LIMIT 1;"))[0];
    }

    /// <summary>The newest note, as <c>litestream restore -o x.db s3://…</c> gives it.</summary>
    private async Task<string?> RestoredAsync(RadosGateway server, string bucket, string path)
    {
        var file = _folder.Combine($"restored-{Guid.NewGuid():n}.db");
        var program = Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door");
        var command = await TestProcess.RunAsync(program, ["restore", "-o", file, Url(server, bucket, path)], Keys(server));
        if (command.ExitCode != 0)
            return command.Output;
        using var restored = TestDatabase.Open(file, readOnly: true);
        return restored.Scalar("SELECT text FROM notes ORDER BY id DESC LIMIT 1");
    }

    private static async Task UntilAsync(Func<Task<string?>> read, string expected)
    {
        string? last = null;
        for (var tries = 0; tries < 40; tries++)
        {
            last = await read();
            if (last == expected)
                return;
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
        Assert.Equal(expected, last);
    }
}
