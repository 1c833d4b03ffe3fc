using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Rules of forms, tokens, stored queries and the write interface that no recorded line shows.</summary>
public sealed class WriteRuleTests : IDisposable
{
    private const string FormType = "application/x-www-form-urlencoded";
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private Task<TestServer> StartAsync(DatasettePlugin[] plugins, params string[] statements)
    {
        var file = folder.Combine("data.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False;Foreign Keys=False"))
        {
            connection.Open();
            foreach (var sql in statements)
            {
                SqlStatement.Execute(connection, sql);
            }
        }
        return TestServer.StartAsync(new ServeOptions { Files = [file], Root = true }, plugins);
    }

    private static JsonNode Json(Conformance.Answer answer) => JsonNode.Parse(answer.Text)!;

    private static Task<Conformance.Answer> PostAsync(TestServer server, string path, string body, string type = "application/json") =>
        server.SendAsync("POST", path, body, TestServer.Root, ("Content-Type", type));

    [Theory]
    [InlineData("/-/create-token", "expire_type", "")]
    [InlineData("/-/messages", "message", "Hello")]
    [InlineData("/-/permissions", "permission", "view-instance")]
    public async Task H015_Forms_ComeInTwoEncodingsAndNoOther(string path, string field, string value)
    {
        await using var server = await StartAsync([]);
        Assert.InRange((await PostAsync(server, path, $"{field}={value}", FormType)).Status, 200, 302);
        var multipart = $"--b\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n--b--\r\n";
        Assert.InRange((await PostAsync(server, path, multipart, "multipart/form-data; boundary=b")).Status, 200, 302);
        Assert.Equal(400, (await PostAsync(server, path, $"{field}={value}", "text/plain")).Status);
        Assert.Equal(400, (await server.SendAsync("POST", path, $"{field}={value}", TestServer.Root)).Status);
        var many = string.Join('&', Enumerable.Range(0, 1001).Select(i => $"f{i}=x"));
        var parts = string.Concat(
            Enumerable.Range(0, 1001).Select(i => $"--b\r\nContent-Disposition: form-data; name=\"f{i}\"\r\n\r\nx\r\n")
        );
        Assert.Equal(400, (await PostAsync(server, path, parts + "--b--\r\n", "multipart/form-data; boundary=b")).Status);
        Assert.NotEqual(500, (await PostAsync(server, path, many, FormType)).Status);
    }

    [Fact]
    public async Task H027_UnstableAnswers_SaySo()
    {
        await using var server = await StartAsync([], "create table t (a)");
        var stored = await PostAsync(server, "/data/-/queries/store", """{"query": {"name": "q", "sql": "select :x"}}""");
        Assert.Equal(201, stored.Status);
        var answers = new List<Conformance.Answer> { stored };
        foreach (
            var path in new[]
            {
                "/.json",
                "/data/-/queries/analyze?sql=select+1",
                "/data/q/-/definition",
                "/data/-/query/parameters?sql=select+:x",
                "/data/-/execute-write/analyze?sql=delete+from+t",
                "/-/check.json?action=view-instance",
            }
        )
        {
            answers.Add(await server.GetAsync(path, TestServer.Root));
        }
        answers.Add(await PostAsync(server, "/-/permissions", "actor=%7B%22id%22%3A%22root%22%7D&permission=view-instance", FormType));
        Assert.All(
            answers,
            answer =>
            {
                Assert.InRange(answer.Status, 200, 201);
                Assert.NotEmpty((string)Json(answer)["unstable"]!);
            }
        );
    }

    [Fact]
    public async Task H237_StoredQuery_IsShownWithAllItsKeys()
    {
        await using var server = await StartAsync([], "create table t (a)");
        await PostAsync(server, "/data/-/queries/store", """{"query": {"name": "q", "sql": "select :x", "title": "T"}}""");
        var definition = Json(await server.GetAsync("/data/q/-/definition", TestServer.Root))["query"]!.AsObject();
        string[] keys =
        [
            "database",
            "name",
            "sql",
            "title",
            "description",
            "description_html",
            "hide_sql",
            "fragment",
            "parameters",
            "is_write",
            "is_private",
            "is_trusted",
            "source",
            "owner_id",
            "on_success_message",
            "on_success_message_sql",
            "on_success_redirect",
            "on_error_message",
            "on_error_redirect",
        ];
        Assert.Empty(keys.Except(definition.Select(pair => pair.Key)));
        Assert.Equal("user", (string)definition["source"]!);
        Assert.Equal("root", (string)definition["owner_id"]!);
        var listed = Json(await server.GetAsync("/data/-/queries.json", TestServer.Root))["queries"]![0]!.AsObject();
        Assert.True(listed.ContainsKey("private"));
    }

    [Theory]
    [InlineData("GET", "/data/-/queries/analyze?sql=select+1")]
    [InlineData("GET", "/data/-/queries/store")]
    [InlineData("GET", "/data/q/-/edit")]
    [InlineData("POST", "/data/q/-/update")]
    [InlineData("GET", "/data/q/-/delete")]
    [InlineData("GET", "/data/-/execute-write")]
    [InlineData("GET", "/data/-/execute-write/analyze?sql=select+1")]
    public async Task H244_QueryManagement_ForbidsFraming(string method, string path)
    {
        await using var server = await StartAsync([], "create table t (a)");
        await PostAsync(server, "/data/-/queries/store", """{"query": {"name": "q", "sql": "select 1"}}""");
        var body = method == "POST" ? """{"update": {"title": "T"}}""" : null;
        var answer = await server.SendAsync(method, path, body, TestServer.Root);
        Assert.Equal(200, answer.Status);
        Assert.Contains("frame-ancestors 'none'", answer.Header("content-security-policy"));
        Assert.Equal("DENY", answer.Header("x-frame-options"));
    }

    [Theory]
    [InlineData("""{"columns": [{"name": "a"}]}""", "Table is required")]
    [InlineData("""{"table": "sqlite_x", "columns": [{"name": "a"}]}""", "Invalid table name")]
    [InlineData("""{"table": 5, "columns": [{"name": "a"}]}""", "Invalid table name")]
    [InlineData("[]", "JSON must be an object")]
    [InlineData("""{"table": "n", "columns": [{"name": "a"}], "rows": [{}]}""", "Cannot specify columns with rows or row")]
    [InlineData("""{"table": "n", "row": {"a": 1}, "rows": [{"a": 1}]}""", "Cannot specify both rows and row")]
    [InlineData("""{"table": "n"}""", "columns, rows or row is required")]
    [InlineData("""{"table": "n", "columns": {"name": "a"}}""", "columns must be a list")]
    [InlineData("""{"table": "n", "columns": ["a"]}""", "columns must be a list of objects")]
    [InlineData("""{"table": "n", "columns": [{"type": "text"}]}""", "Column name is required")]
    [InlineData("""{"table": "n", "columns": [{"name": "a", "type": "money"}]}""", "Unsupported column type: money")]
    [InlineData("""{"table": "n", "columns": [{"name": "a"}, {"name": "a"}]}""", "Duplicate column name: a")]
    [InlineData("""{"table": "n", "rows": {"a": 1}}""", "rows must be a list")]
    [InlineData("""{"table": "n", "rows": [1]}""", "rows must be a list of objects")]
    [InlineData("""{"table": "n", "rows": [{"a": 1}], "pk": 5}""", "pk must be a string")]
    [InlineData("""{"table": "n", "rows": [{"a": 1}], "pk": "a", "pks": ["a"]}""", "Cannot specify both pk and pks")]
    [InlineData("""{"table": "n", "rows": [{"a": 1}], "pks": "a"}""", "pks must be a list")]
    [InlineData("""{"table": "n", "rows": [{"a": 1}], "pks": [1]}""", "pks must be a list of strings")]
    [InlineData(
        """{"table": "n", "rows": [{"a": 1}], "pk": "a", "ignore": true, "replace": true}""",
        "ignore and replace are mutually exclusive"
    )]
    [InlineData("""{"table": "n", "columns": [{"name": "a"}], "pk": "a", "ignore": true}""", "ignore and replace require row or rows")]
    [InlineData("""{"table": "n", "rows": [{"a": 1}], "ignore": true}""", "ignore and replace require pk or pks")]
    [InlineData("""{"table": "t", "rows": [{"id": 1}], "pk": "other"}""", "pk cannot be changed for existing table")]
    [InlineData("""{"table": "n", "columns": [{"name": "a"}], "zzz": 1}""", "Invalid keys: zzz")]
    [InlineData("""{"table": "n", "columns": [{"name": "a", "fk_table": "two"}]}""", "Could not detect single primary key for table 'two'")]
    [InlineData("""{"table": "n", "columns": [{"name": "a", "default": 1, "default_expr": "current_time"}]}""", "Cannot specify both")]
    public async Task H259_CreateErrors_HaveTheirText(string body, string error)
    {
        await using var server = await StartAsync(
            [],
            "create table t (id integer primary key)",
            "create table two (a, b, primary key (a, b))"
        );
        var answer = await PostAsync(server, "/data/-/create", body);
        Assert.Equal(400, answer.Status);
        Assert.StartsWith(error, (string)Json(answer)["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task H260_ComputedDefaults_AreThoseOfTheMoment()
    {
        await using var server = await StartAsync([]);
        var names = new[] { "current_timestamp", "current_date", "current_time", "current_unixtime", "current_unixtime_ms" };
        var columns = string.Join(',', names.Select(name => $"{{\"name\": \"{name}\", \"default_expr\": \"{name}\"}}"));
        var made = await PostAsync(
            server,
            "/data/-/create",
            $"{{\"table\": \"n\", \"columns\": [{{\"name\": \"id\", \"type\": \"integer\"}},{columns}], \"pk\": \"id\"}}"
        );
        Assert.Equal(201, made.Status);
        var row = Json(await PostAsync(server, "/data/n/-/insert", """{"row": {"id": 1}}"""))["rows"]![0]!;
        Assert.Matches(@"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", (string)row["current_timestamp"]!);
        Assert.Matches(@"^\d{4}-\d\d-\d\d$", (string)row["current_date"]!);
        Assert.Matches(@"^\d\d:\d\d:\d\d$", (string)row["current_time"]!);
        Assert.Matches(@"^\d{10}$", row["current_unixtime"]!.ToString());
        Assert.Matches(@"^\d{13}$", row["current_unixtime_ms"]!.ToString());
        var unknown = await PostAsync(
            server,
            "/data/-/create",
            """{"table": "m", "columns": [{"name": "a", "default_expr": "random()"}]}"""
        );
        Assert.Equal(400, unknown.Status);
    }

    [Fact]
    public async Task H269_Events_AreToldAfterSuccess()
    {
        var events = new EventPlugin();
        await using var server = await StartAsync([events]);
        var requests = new (string Path, string Body)[]
        {
            ("/data/-/create", """{"table": "t", "columns": [{"name": "id", "type": "integer"}, {"name": "a"}], "pk": "id"}"""),
            ("/data/t/-/insert", """{"row": {"id": 1, "a": "x"}}"""),
            ("/data/t/-/upsert", """{"rows": [{"id": 1, "a": "y"}]}"""),
            ("/data/t/1/-/update", """{"update": {"a": "z"}}"""),
            ("/data/t/1/-/delete", "{}"),
            ("/data/t/-/alter", """{"operations": [{"op": "add_column", "args": {"name": "b"}}]}"""),
            ("/data/t/-/alter", """{"operations": [{"op": "rename_table", "args": {"to": "u"}}]}"""),
            ("/data/u/-/insert", """{"row": {"nothing": 1}}"""),
            ("/data/u/-/drop", """{"confirm": true}"""),
        };
        foreach (var (path, body) in requests)
        {
            await PostAsync(server, path, body);
        }
        await PostAsync(server, "/-/create-token", "expire_type=", FormType);
        await PostAsync(server, "/-/logout", "", FormType);
        await server.GetAsync($"/-/auth-token?token={server.App.RootToken}");
        Assert.Equal(
            [
                "create-table t",
                "insert-rows t",
                "upsert-rows t",
                "update-row t",
                "delete-row t",
                "alter-table t",
                "rename-table u",
                "drop-table u",
                "create-token ",
                "logout ",
                "login ",
            ],
            events.Names
        );
    }

    private sealed class EventPlugin : DatasettePlugin
    {
        public List<string> Names { get; } = [];

        public override string Name => "events";

        public override ValueTask TrackEventAsync(IDatasette datasette, DatasetteEvent happened, CancellationToken cancellationToken)
        {
            Names.Add($"{happened.Name} {happened.Table}");
            return ValueTask.CompletedTask;
        }
    }

    [Fact]
    public async Task H317_TokenPage_MakesLimitedTokens_ForPeopleOnly()
    {
        await using var server = await StartAsync([], "create table \"a b\" (id integer primary key)");
        Assert.Equal(403, (await server.GetAsync("/-/create-token")).Status);
        Assert.Equal(403, (await server.GetAsync("/-/create-token", TestServer.Cookie([]))).Status);
        var form = new HtmlParser().ParseDocument((await server.GetAsync("/-/create-token", TestServer.Root)).Text);
        Assert.NotNull(form.QuerySelector("select[name=expire_type]"));
        Assert.NotNull(form.QuerySelector("input[name=expire_duration]"));
        Assert.NotNull(form.QuerySelector("input[name='all:insert-row']"));
        Assert.NotNull(form.QuerySelector("input[name='database:data:insert-row']"));
        Assert.NotNull(form.QuerySelector("input[name='resource:data:a+b:insert-row']"));
        var made = await PostAsync(
            server,
            "/-/create-token",
            "expire_type=hours&expire_duration=2&resource%3Adata%3Aa%2Bb%3Ainsert-row=1",
            FormType
        );
        var token = System.Text.RegularExpressions.Regex.Match(made.Text, "dstok_[A-Za-z0-9_.-]+").Value;
        Assert.True(new ValueSigner(TestServer.Secret).TryUnsign(token["dstok_".Length..], "token", out var json));
        var content = JsonNode.Parse(json)!;
        Assert.Equal("root", (string)content["a"]!);
        Assert.Equal(7200, (int)content["d"]!);
        Assert.Equal("""{"data":{"a b":["ir"]}}""", content["_r"]!["r"]!.ToJsonString());
        var bearer = ("Authorization", "Bearer " + token);
        Assert.Equal(403, (await server.GetAsync("/-/create-token", bearer)).Status);
        Assert.Equal(201, (await server.SendAsync("POST", "/data/a+b/-/insert", "{\"row\": {}}", bearer)).Status);
        Assert.Equal(403, (await server.SendAsync("POST", "/data/a+b/-/drop", "{}", bearer)).Status);
    }

    [Fact]
    public async Task H335_Playground_RemembersChecksAndAnswersThem()
    {
        await using var server = await StartAsync([], "create table t (a)");
        await server.GetAsync("/data/t");
        var page = await server.GetAsync("/-/permissions", TestServer.Root);
        Assert.Contains("view-table", page.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await server.GetAsync("/-/permissions?filter=only-yours", TestServer.Root)).Status);
        var answer = Json(
            await PostAsync(
                server,
                "/-/permissions",
                "actor=%7B%22id%22%3A%22x%22%7D&permission=drop-table&resource_1=data&resource_2=t",
                FormType
            )
        );
        Assert.Equal("drop-table", (string)answer["action"]!);
        Assert.False((bool)answer["allowed"]!);
        var match = await server.GetAsync("/-/allow-debug?actor=%7B%22id%22%3A%22x%22%7D&allow=%7B%22id%22%3A%22x%22%7D", TestServer.Root);
        Assert.Contains("Result: allow", match.Text, StringComparison.Ordinal);
    }
}
