using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Datasette.Databases;
using Datasette.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Rules of the command line, with the program as a second process.</summary>
public sealed class CommandLineRuleTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static string Program => Repository.ProgramOf("Datasette.Door");

    public void Dispose() => folder.Dispose();

    private string Make(string name, params string[] statements)
    {
        var file = folder.Combine(name);
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        foreach (var sql in statements.Append("create table t (id integer primary key, a)"))
        {
            SqlStatement.Execute(connection, sql);
        }
        return file;
    }

    private static Dictionary<string, string?> Plain(params (string Name, string Value)[] more)
    {
        var environment = new Dictionary<string, string?> { ["DATASETTE_LOAD_PLUGINS"] = "" };
        foreach (var (name, value) in more)
        {
            environment[name] = value;
        }
        return environment;
    }

    private static async Task<JsonNode> GetAsync(string path, params string[] arguments)
    {
        await using var run = await TestProcess.RunAsync(Program, [.. arguments, "--get", path], Plain(), cancellationToken: Ct);
        Assert.True(run.ExitCode == 0, run.StandardOutput + run.Output);
        return JsonNode.Parse(run.StandardOutput)!;
    }

    private static async Task WaitAsync(TestProcess process, string text)
    {
        for (var i = 0; i < 600 && !process.Output.Contains(text, StringComparison.Ordinal) && !process.HasExited; i++)
        {
            await Task.Delay(50, Ct);
        }
        Assert.Contains(text, process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C014_Uds_ListensOnAUnixSocket()
    {
        var socket = folder.Combine("s");
        await using var server = TestProcess.Start(Program, ["--memory", "--uds", socket], Plain());
        await WaitAsync(server, "listening");
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, ct) =>
            {
                var connected = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connected.ConnectAsync(new UnixDomainSocketEndPoint(socket), ct);
                return new NetworkStream(connected, ownsSocket: true);
            },
        };
        using var client = new HttpClient(handler);
        Assert.Contains("_memory", await client.GetStringAsync(new Uri("http://localhost/-/databases.json"), Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C030_C032_VersionNote_IsShown_AndPdbMeansNothing()
    {
        var versions = await GetAsync("/-/versions.json", "--memory", "--version-note", "a note", "--pdb");
        Assert.Equal("a note", (string)versions["datasette"]!["note"]!);
    }

    [Theory]
    [InlineData(false, 1, false, "/one/t")]
    [InlineData(true, 1, false, "/one")]
    [InlineData(false, 2, false, "/")]
    [InlineData(false, 1, true, "/-/auth-token?token=")]
    public async Task C033_Open_ShowsThePageThatOneWants(bool twoTables, int databases, bool root, string page)
    {
        var opened = folder.Combine("opened");
        var browser = Path.Combine(folder.CreateFolder("bin"), "xdg-open");
        await File.WriteAllTextAsync(browser, $"#!/bin/sh\necho \"$1\" > '{opened}'\n", Ct);
        await using var chmod = await TestProcess.RunAsync(Require.Program("chmod"), ["+x", browser], cancellationToken: Ct);
        List<string> arguments = ["-p", "0", "-o", Make("one.db", twoTables ? ["create table u (a)"] : [])];
        if (databases == 2)
        {
            arguments.Add(Make("two.db"));
        }
        if (root)
        {
            arguments.Add("--root");
        }
        var path = Path.GetDirectoryName(browser) + ":" + Environment.GetEnvironmentVariable("PATH");
        await using var server = TestProcess.Start(Program, arguments, Plain(("PATH", path)));
        await WaitAsync(server, "listening");
        for (var i = 0; i < 200 && !(File.Exists(opened) && new FileInfo(opened).Length > 0); i++)
        {
            await Task.Delay(50, Ct);
        }
        var url = new Uri((await File.ReadAllTextAsync(opened, Ct)).Trim());
        Assert.StartsWith(page, url.PathAndQuery, StringComparison.Ordinal);
        Assert.True(root || url.PathAndQuery == page, url.PathAndQuery);
    }

    [Fact]
    public async Task C035_CrossDb_AttachesTenAndSaysWhatIsLeftOut()
    {
        var files = Enumerable.Range(0, 11).Select(i => Make($"d{i:00}.db", $"create table only{i} (a)")).ToList();
        const string sql = "/_memory/-/query.json?_shape=arrays&sql=select+name+from+pragma_database_list+where+name+like+'d%25'";
        await using var run = await TestProcess.RunAsync(Program, ["--crossdb", .. files, "--get", sql], Plain(), cancellationToken: Ct);
        Assert.Equal(10, JsonNode.Parse(run.StandardOutput)!["rows"]!.AsArray().Count);
        Assert.Contains("d10", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C037_SslFiles_MakeItHttps()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var (keyFile, certFile) = (folder.Combine("key.pem"), folder.Combine("cert.pem"));
        await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem(), Ct);
        await File.WriteAllTextAsync(certFile, certificate.ExportCertificatePem(), Ct);
        var port = Processes.FreePort();
        await using var server = TestProcess.Start(
            Program,
            ["--memory", "-p", $"{port}", "--ssl-keyfile", keyFile, "--ssl-certfile", certFile],
            Plain()
        );
        await WaitAsync(server, $"https://127.0.0.1:{port}/");
        using var handler = new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = (_, seen, _, _) => seen?.Thumbprint == certificate.Thumbprint,
        };
        using var client = new HttpClient(handler);
        Assert.Contains(
            "_memory",
            await client.GetStringAsync(new Uri($"https://127.0.0.1:{port}/-/databases.json"), Ct),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task C063_NameThatIsNoSetting_IsAKeyOfTheConfiguration()
    {
        var config = await GetAsync("/-/config.json", "--memory", "-s", "something", "5", "-s", "plugins.some-plugin.depth", "{\"a\": 1}");
        Assert.Equal(5, (int)config["something"]!);
        Assert.Equal(1, (int)config["plugins"]!["some-plugin"]!["depth"]!["a"]!);
    }

    [Theory]
    [InlineData("hash_urls")]
    [InlineData("default_cache_ttl_hashed")]
    public async Task C064_ObsoleteNames_AreRefusedInFilesWithAWord(string name)
    {
        var config = folder.Combine("datasette.json");
        await File.WriteAllTextAsync(config, $"{{\"settings\": {{\"{name}\": true}}}}", Ct);
        await using var run = await TestProcess.RunAsync(Program, ["--memory", "-c", config, "--get", "/"], Plain(), cancellationToken: Ct);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(name, run.Output, StringComparison.Ordinal);
        Assert.Contains("obsolete", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C093_RestrictedToken_CannotUndoADenyAbove()
    {
        var config = folder.Combine("datasette.json");
        await File.WriteAllTextAsync(
            config,
            """{"databases": {"data": {"allow": {"id": "boss"}, "tables": {"t": {"allow": {"id": "worker"}}}}}}""",
            Ct
        );
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Make("data.db")], ConfigFile = config });
        var worker = new JsonObject { ["id"] = "worker" };
        Assert.Equal(200, (await server.GetAsync("/data/t.json", TestServer.Cookie(worker))).Status);
        worker = new JsonObject
        {
            ["id"] = "worker",
            ["_r"] = new JsonObject { ["a"] = new JsonArray("vt") },
        };
        Assert.Equal(403, (await server.GetAsync("/data.json", TestServer.Cookie(worker))).Status);
        worker = new JsonObject
        {
            ["id"] = "worker",
            ["_r"] = new JsonObject { ["a"] = new JsonArray("vd") },
        };
        Assert.Equal(403, (await server.GetAsync("/data/t.json", TestServer.Cookie(worker))).Status);
        worker = new JsonObject
        {
            ["id"] = "other",
            ["_r"] = new JsonObject { ["a"] = new JsonArray("vt") },
        };
        Assert.Equal(403, (await server.GetAsync("/data/t.json", TestServer.Cookie(worker))).Status);
    }

    [Fact]
    public async Task C101_SettingOption_AddsToTheFileOfTheFolder()
    {
        var home = folder.CreateFolder("home");
        await File.WriteAllTextAsync(
            Path.Combine(home, "datasette.json"),
            """{"settings": {"default_page_size": 7, "max_csv_mb": 3}}""",
            Ct
        );
        var settings = await GetAsync("/-/settings.json", home, "-s", "max_csv_mb", "9");
        Assert.Equal((7, 9), ((int)settings["default_page_size"]!, (int)settings["max_csv_mb"]!));
    }

    [Fact]
    public async Task C131_SqlErrors_AreLogged_SecretsAreNot()
    {
        var port = Processes.FreePort();
        await using var server = TestProcess.Start(
            Program,
            [Make("data.db"), "-p", $"{port}", "--secret", "very-secret", "-s", "plugins.x.password", "hidden-word", "--root"],
            Plain()
        );
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, Ct);
        var cookie = ("Cookie", "ds_actor=" + new Datasette.Text.ValueSigner("very-secret").Sign("""{"a":{"id":"root"}}""", "actor"));
        var headers = new[] { new KeyValuePair<string, string>(cookie.Item1, cookie.Item2) };
        await Conformance.Answer.SendAsync(port, "GET", "/data/-/query.json?sql=select+no_such_thing", headers, null, Ct);
        var slow =
            "/data/-/query.json?sql=with+recursive+c(x)+as+(select+1+union+all+select+x+from+c)+select+count(*)+from+c&_timelimit=20";
        await Conformance.Answer.SendAsync(port, "GET", slow, headers, null, Ct);
        await WaitAsync(server, "no such column: no_such_thing");
        await WaitAsync(server, "20ms");
        Assert.DoesNotContain("very-secret", server.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden-word", server.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(cookie.Item2, server.Output, StringComparison.Ordinal);
    }
}
