using Datasette.Databases;
using Datasette.Defaults;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Cli;

/// <summary>What somebody types wrong is told in a line or two that says what to do; the program never falls over it.</summary>
public sealed class WrongUsageTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public WrongUsageTests()
    {
        using var connection = new SqliteConnection($"Data Source={folder.Combine("data.db")};Pooling=False");
        connection.Open();
        SqlStatement.Execute(connection, "create table t (id integer primary key)");
    }

    public void Dispose() => folder.Dispose();

    private Task<TestProcess> RunAsync(params string[] arguments) =>
        TestProcess.RunAsync(
            Repository.ProgramOf("Datasette.Door"),
            arguments,
            new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = "", ["DATASETTE_SECRET"] = null },
            folder.Path,
            cancellationToken: Ct
        );

    private async Task RefusedAsync(int exitCode, string message, params string[] arguments)
    {
        await using var run = await RunAsync(arguments);
        Assert.True(run.ExitCode == exitCode, $"{run.ExitCode}\n{run.Output}");
        Assert.StartsWith("Error: ", run.Output, StringComparison.Ordinal);
        Assert.Contains(message, run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "Invalid value for '-p' / '--port': 'abc' is not a whole number.", "data.db -p abc")]
    [InlineData(2, "Invalid value for '-p' / '--port': 65536 is not in the range 0 to 65535.", "data.db -p 65536")]
    [InlineData(2, "Invalid value for '-p' / '--port': -1 is not in the range 0 to 65535.", "data.db -p -1")]
    [InlineData(2, "Invalid value for '-e' / '--expires-after': '1h' is not a whole number.", "create-token root --secret x -e 1h")]
    [InlineData(2, "Invalid value for '-e' / '--expires-after': 0 is not in the range", "create-token root --secret x -e 0")]
    [InlineData(2, "is the database data.db itself", "inspect data.db --inspect-file ./data.db")]
    [InlineData(1, "The inspect file nowhere/x.json cannot be written", "inspect data.db --inspect-file nowhere/x.json")]
    [InlineData(2, "--ssl-keyfile needs the certificate as well", "data.db -p 0 --ssl-keyfile data.db")]
    [InlineData(1, "The certificate data.db of --ssl-certfile cannot be used: ", "data.db -p 0 --ssl-certfile data.db")]
    [InlineData(
        1,
        "The certificate data.db of --ssl-certfile with the key data.db of --ssl-keyfile cannot be used: ",
        "data.db -p 0 --ssl-certfile data.db --ssl-keyfile data.db"
    )]
    [InlineData(1, "Cannot listen on the socket nowhere/s: the folder ", "data.db --uds nowhere/s")]
    [InlineData(1, "--actor can only be used with --get", "data.db -p 0 --actor {}")]
    [Trait("Rule", "C002")]
    public Task Arguments(int exitCode, string message, string arguments) => RefusedAsync(exitCode, message, arguments.Split(' '));

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"data": 5}""")]
    [InlineData("""{"data": {"tables": 5}}""")]
    [InlineData("""{"data": {"tables": {"t": 5}}}""")]
    public async Task InspectFiles_ThatAreNone(string text)
    {
        await File.WriteAllTextAsync(folder.Combine("inspect-data.json"), text, Ct);
        await RefusedAsync(1, "inspect-data.json", "-i", "data.db", "--inspect-file", "inspect-data.json", "--get", "/data.json");
        await RefusedAsync(1, "inspect-data.json", ".", "--get", "/data.json");
    }

    [Fact]
    public async Task Configuration_ThatMeansNothing()
    {
        await File.WriteAllTextAsync(folder.Combine("x.yaml"), "databases: 5", Ct);
        await RefusedAsync(1, "x.yaml:1:1: 'databases' must be a mapping", "data.db", "-c", "x.yaml", "--get", "/data.json");
        await RefusedAsync(1, "x.yaml:1:1: 'databases' must be a mapping", "data.db", "-m", "x.yaml", "--get", "/data.json");
    }

    [Fact]
    [Trait("Rule", "H318")]
    public async Task AnEmptySecret_IsNone()
    {
        await RefusedAsync(2, "Missing option '--secret'", "create-token", "root", "--secret", "");
        var forged = SignedTokens
            .Make(new ValueSigner("").Sign, "root", TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(), null, null)
            .Token;
        await using var run = await RunAsync("data.db", "--secret", "", "--token", forged, "--get", "/-/actor.json");
        Assert.Contains("Invalid token signature", run.StandardOutput, StringComparison.Ordinal);
        Assert.Equal(1, run.ExitCode);
    }
}
