using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Testing;
using Xunit;

namespace Litestream.Tests.Cli;

/// <summary>The foreground program: signals, child, metrics, what did not arrive. Signals and children need a process of their own.</summary>
public sealed class ReplicateCommandTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Replicate_StoppedBySigterm_BringsTheLastCommitAndExits0()
    {
        var database = MakeDatabase();
        await using var process = Start("replicate", database, _folder.Combine("replica"));
        await process.WaitForLineAsync(new Regex("msg=replicating"), s_patience, cancellationToken: Token);
        using (var connection = TestDatabase.Open(database))
            connection.Execute("INSERT INTO t VALUES ('last')");
        Assert.Equal(0, await process.StopAsync(PosixSignal.SIGTERM, s_patience));
        Assert.Equal("", process.StandardError);
        Assert.Equal("3", await RestoredCountAsync());
    }

    [Fact]
    [Trait("Scenario", "L12")]
    public async Task Replicate_ReplicaCannotBeWritten_Exits1AndNamesIt()
    {
        var database = MakeDatabase();
        File.WriteAllText(_folder.Combine("file"), "not a folder");
        var config = Config($"shutdown-sync-timeout: 0s\ndbs: [{{path: {database}, replica: {{path: {_folder.Combine("file", "sub")}}}}}]");
        await using var process = Start("replicate", "-config", config);
        await process.WaitForLineAsync(new Regex("msg=replicating"), s_patience, cancellationToken: Token);
        Assert.Equal(1, await process.StopAsync(PosixSignal.SIGINT, s_patience));
        Assert.StartsWith("Error: not everything arrived: ", process.StandardError, StringComparison.Ordinal);
        Assert.Contains(_folder.Combine("file", "sub"), process.StandardError, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scenario", "stop-with-unreachable-replica")]
    public async Task Replicate_OneOfThreeReplicasCannotBeWritten_Exits1AndNamesItsDatabase()
    {
        File.WriteAllText(_folder.Combine("file"), "not a folder");
        var paths = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            paths.Add(_folder.Combine($"app{i}.db"));
            using var connection = TestDatabase.Open(paths[i]);
            connection.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        }
        string Place(int i) => i == 1 ? _folder.Combine("file", "sub") : _folder.Combine($"replica{i}");
        var dbs = string.Join(", ", paths.Select((p, i) => $"{{path: {p}, replica: {{path: {Place(i)}}}}}"));
        await using var process = Start("replicate", "-config", Config($"shutdown-sync-timeout: 0s\ndbs: [{dbs}]"));
        await process.WaitForLineAsync(new Regex("msg=replicating.*app2"), s_patience, cancellationToken: Token);
        Assert.Equal(1, await process.StopAsync(PosixSignal.SIGTERM, s_patience));
        Assert.Contains(paths[1], process.StandardError, StringComparison.Ordinal);
        Assert.DoesNotContain(paths[0], process.StandardError, StringComparison.Ordinal);
        Assert.DoesNotContain(paths[2], process.StandardError, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scenario", "L5")]
    public async Task Replicate_SecondSignal_StopsAtOnce()
    {
        var database = MakeDatabase();
        File.WriteAllText(_folder.Combine("file"), "not a folder");
        var config = Config($"shutdown-sync-timeout: 1h\ndbs: [{{path: {database}, replica: {{path: {_folder.Combine("file", "sub")}}}}}]");
        await using var process = Start("replicate", "-config", config);
        await process.WaitForLineAsync(new Regex("msg=replicating"), s_patience, cancellationToken: Token);
        Processes.Signal(process.Id, PosixSignal.SIGTERM);
        await process.WaitForLineAsync(new Regex("shutting down"), s_patience, cancellationToken: Token);
        Assert.False(process.HasExited);
        Assert.Equal(1, await process.StopAsync(PosixSignal.SIGTERM, s_patience));
    }

    [Fact]
    [Trait("Scenario", "L8")]
    public async Task Replicate_ChildEnds_StopsAfterTheLastSync()
    {
        var database = MakeDatabase();
        Require.Program("sqlite3");
        await using var process = Start(
            "replicate",
            "-exec",
            $"sqlite3 {database} \"INSERT INTO t VALUES ('child')\"",
            database,
            _folder.Combine("replica")
        );
        Assert.Equal(0, await process.WaitForExitAsync(s_patience, Token));
        Assert.Equal("3", await RestoredCountAsync());
    }

    [Fact]
    public async Task L8_ChildFails_ItsExitCodeIsOurs_AfterTheLastSync()
    {
        await using var process = Start("replicate", "-exec", "sh -c 'exit 3'", MakeDatabase(), _folder.Combine("replica"));
        Assert.Equal(3, await process.WaitForExitAsync(s_patience, Token));
        Assert.Equal("Error: exit status 3\n", process.StandardError);
        Assert.Equal("2", await RestoredCountAsync());
    }

    [Fact]
    public async Task L5_SecondSignalWhileAnUploadHangs_StopsAtOnce_AndSaysWhatIsMissing()
    {
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        var endpoint = $"http://127.0.0.1:{((System.Net.IPEndPoint)silent.LocalEndpoint).Port}";
        var database = MakeDatabase();
        var replica = $"{{type: s3, bucket: b, path: p, endpoint: '{endpoint}', region: r, access-key-id: k, secret-access-key: s}}";
        var config = Config($"shutdown-sync-timeout: 1h\ndbs: [{{path: {database}, replica: {replica}}}]");
        await using var process = Start("replicate", "-config", config);
        using var connection = await silent.AcceptTcpClientAsync(Token);
        await process.WaitForLineAsync(new Regex("msg=replicating"), s_patience, cancellationToken: Token);
        Processes.Signal(process.Id, PosixSignal.SIGTERM);
        await process.WaitForLineAsync(new Regex("shutting down"), s_patience, cancellationToken: Token);
        Assert.False(process.HasExited);
        Assert.Equal(1, await process.StopAsync(PosixSignal.SIGTERM, s_patience));
        Assert.StartsWith("Error: not everything arrived: ", process.StandardError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task L11_Once_IsOnePass_AndTheEngineEnds()
    {
        var database = MakeDatabase();
        using var app = TestDatabase.Open(database); // its WAL stays between the passes, and proves that nothing came
        app.Execute("INSERT INTO t VALUES('three')");
        for (var pass = 1; pass <= 2; pass++)
        {
            var run = await CliRun.Of("replicate", "-once", database, _folder.Combine("replica"));
            Assert.Equal((0, ""), (run.Exit, run.Error));
            Assert.Single(Directory.GetFiles(_folder.Combine("replica", "ltx", "0"))); // nothing new: nothing written
        }
        Assert.Equal("3", await RestoredCountAsync());
        var exec = await CliRun.Of("replicate", "-once", "-exec", "true", database, _folder.Combine("replica"));
        Assert.Equal(1, exec.Exit);
        Assert.Contains("-once", exec.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replicate_ChildCannotStart_SaysWhich()
    {
        await using var process = Start("replicate", "-exec", "/no/such/program", MakeDatabase(), _folder.Combine("replica"));
        Assert.Equal(1, await process.WaitForExitAsync(s_patience, Token));
        Assert.StartsWith("Error: cannot start '/no/such/program': ", process.StandardError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replicate_SignalWhileChildRuns_IsHandedOnFirst()
    {
        var script = _folder.Combine("child.sh");
        File.WriteAllText(script, "trap 'echo child got it; exit 0' TERM\necho child runs\nwhile :; do sleep 0.05; done\n");
        await using var process = Start("replicate", "-exec", $"sh {script}", MakeDatabase(), _folder.Combine("replica"));
        await process.WaitForLineAsync(new Regex("child runs"), s_patience, cancellationToken: Token);
        Assert.Equal(0, await process.StopAsync(PosixSignal.SIGTERM, s_patience));
        Assert.Contains("child got it", process.StandardOutput, StringComparison.Ordinal);
        Assert.True(Directory.Exists(_folder.Combine("replica")));
    }

    [Fact]
    public async Task Replicate_WithMetricsAddress_ServesThem()
    {
        var database = MakeDatabase();
        var port = Processes.FreePort();
        var config = Config($"addr: 127.0.0.1:{port}\ndbs: [{{path: {database}, replica: {_folder.Combine("replica")}}}]");
        await using var process = Start("replicate", "-config", config);
        await process.WaitForLineAsync(new Regex("msg=replicating"), s_patience, cancellationToken: Token);
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), Token);
        Assert.Contains($"litestream_txid{{db=\"{database}\"}}", text, StringComparison.Ordinal);
        await using var second = Start("replicate", "-config", config);
        Assert.Equal(1, await second.WaitForExitAsync(s_patience, Token));
        Assert.StartsWith($"Error: addr: cannot listen on 127.0.0.1:{port}", second.StandardError, StringComparison.Ordinal);
        Assert.Equal(0, await process.StopAsync(PosixSignal.SIGTERM, s_patience));
    }

    [Fact]
    [Trait("Scenario", "L11")]
    public async Task Replicate_MissingDatabaseWithBackup_IsRestoredFirst()
    {
        var database = MakeDatabase();
        var once = await CliRun.Of("replicate", "-once", database, _folder.Combine("replica"));
        Assert.Equal((0, ""), (once.Exit, once.Error));
        var other = _folder.Combine("other.db");
        var run = await CliRun.Of("replicate", "-once", "-restore-if-db-not-exists", other, _folder.Combine("replica"));
        Assert.Equal((0, ""), (run.Exit, run.Error));
        Assert.Contains("msg=\"restored database\"", run.Out, StringComparison.Ordinal);
        using var connection = TestDatabase.Open(other);
        Assert.Equal("2", connection.Scalar("SELECT count(*) FROM t"));
    }

    [Fact]
    [Trait("Scenario", "L11")]
    [Trait("Scenario", "L12")]
    public async Task Replicate_OnceToAReplicaThatCannotBeWritten_Exits1()
    {
        File.WriteAllText(_folder.Combine("file"), "not a folder");
        var config = Config(
            $"shutdown-sync-timeout: 0s\ndbs: [{{path: {MakeDatabase()}, replica: {{path: {_folder.Combine("file", "sub")}}}}}]"
        );
        var run = await CliRun.Of("replicate", "-once", "-config", config);
        Assert.Equal(1, run.Exit);
        Assert.StartsWith("Error: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replicate_OnceOfAFileThatIsNoDatabase_SaysSoWithoutWaiting()
    {
        var text = _folder.Combine("notes.txt");
        File.WriteAllText(text, new string('x', 5000));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var run = await CliRun.Of("replicate", "-once", text, _folder.Combine("replica"));
        Assert.Equal(1, run.Exit);
        Assert.Contains("not a database", run.Error, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"took {clock.Elapsed}");
    }

    [Fact]
    public async Task Replicate_JsonLog_IsJsonOnEveryLine()
    {
        var config = Config(
            $"logging: {{type: json, level: debug}}\nvalidation: {{interval: 1h}}\ndbs: [{{path: {MakeDatabase()}, replica: {_folder.Combine("replica")}}}]"
        );
        var run = await CliRun.Of("replicate", "-once", "-config", config);
        Assert.Equal((0, ""), (run.Exit, run.Error));
        var lines = run.Out.TrimEnd('\n').Split('\n').Select(l => JsonNode.Parse(l)!).ToArray();
        Assert.All(lines, l => Assert.NotNull(l["msg"]));
        Assert.Contains(
            lines,
            l => (string)l["level"]! == "WARN" && ((string)l["msg"]!).Contains("validation is not yet in effect", StringComparison.Ordinal)
        );
    }

    private string MakeDatabase()
    {
        var path = _folder.Combine("app.db");
        using var connection = TestDatabase.Open(path);
        connection.Execute("PRAGMA journal_mode=wal; CREATE TABLE t(x); INSERT INTO t VALUES('one'),('two');");
        return path;
    }

    private string Config(string text)
    {
        var path = _folder.Combine("litestream.yml");
        File.WriteAllText(path, text);
        return path;
    }

    private async Task<string?> RestoredCountAsync()
    {
        var output = _folder.Combine("restored.db");
        var run = await CliRun.Of("restore", "-integrity-check", "full", "-o", output, "file://" + _folder.Combine("replica"));
        Assert.Equal((0, ""), (run.Exit, run.Error));
        using var connection = TestDatabase.Open(output);
        return connection.Scalar("SELECT count(*) FROM t");
    }

    private static TestProcess Start(params string[] args) => TestProcess.Start("dotnet", [Program(), .. args]);

    // The program is built beside the tests.
    private static string Program()
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Name;
        return Repository.PathOf("artifacts", "bin", "Litestream.Door", configuration, "Litestream.Door.dll");
    }
}
