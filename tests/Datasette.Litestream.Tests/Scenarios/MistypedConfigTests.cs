using Testing;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>Who believes that a database is replicated, and is wrong, hears it at the start.</summary>
public sealed class MistypedConfigTests
{
    [Theory]
    [InlineData(
        "databases:\n  dtaa:\n    plugins:\n      datasette-litestream:\n        replicas: [file:///nowhere/x]\n",
        "dtaa: configured for replication, but no database of this name is attached; there are: data"
    )]
    [InlineData(
        "plugins:\n  datasette-litestraem:\n    all-replicate: [file:///nowhere/x]\n",
        "no plugin is called 'datasette-litestraem' here, so its configuration has no effect. Did you mean 'datasette-litestream'?"
    )]
    public async Task ANameThatIsWrong_IsWarnedAbout_ThoughNothingElseIsConfigured(string yaml, string warning)
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder.Combine("x.yaml"), yaml, TestContext.Current.CancellationToken);
        var process = await DatasetteProcess.RunAsync(folder, ["data.db", "--create", "-c", "x.yaml", "--get", "/-/versions.json"]);
        Assert.Equal(0, process.ExitCode);
        Assert.Contains(warning, process.Output, StringComparison.Ordinal);
        Assert.Contains("x.yaml:", process.Output, StringComparison.Ordinal);
    }
}
