using System.Text;
using System.Text.Json;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Responses;
using Datasette.Tests.Hosting;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>JSON of visitors and in cells that is no proper text, or names a key twice: never a failure of the server.</summary>
public sealed class ForeignJsonTests : IDisposable
{
    private const string FormType = "application/x-www-form-urlencoded";
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    private async Task<TestServer> StartAsync()
    {
        var file = folder.Combine("data.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            SqlStatement.Execute(connection, "create table t (id integer primary key, j text)");
            SqlStatement.Execute(
                connection,
                """insert into t values (1, '{"a":1,"a":[2]}'), (2, '"\ud800"'), (3, '{"\ud800":1}'), (4, '{"a":1e400}')"""
            );
            SqlStatement.Execute(connection, "create table u (id integer primary key, t_id integer references t(id))");
            SqlStatement.Execute(connection, "insert into u values (1, 1), (2, 2)");
        }
        var config = folder.Combine("datasette.yaml");
        await File.WriteAllTextAsync(
            config,
            "databases: {data: {tables: {t: {column_types: {j: json}}}, queries: {w: {sql: 'insert into t (j) values (:j)', write: true}}}}"
        );
        return await TestServer.StartAsync(
            new ServeOptions
            {
                Files = [file],
                ConfigFile = config,
                Root = true,
            }
        );
    }

    [Theory]
    [InlineData("/data/t/-/insert", """{"row": {"j": "\ud800"}}""")]
    [InlineData("/data/t/-/insert", """{"row": {"\uDC00": "x"}}""")]
    [InlineData("/data/t/-/insert", "{\"row\": {\"j\": \"\u0001\"}}")]
    [InlineData("/data/t/-/upsert", """{"rows": [{"id": 1, "j": "\udfff\ud800"}]}""")]
    [InlineData("/data/t/1/-/update", """{"update": {"\ud800": 1}}""")]
    [InlineData("/data/t/-/alter", """{"operations": [{"op": "\ud800", "args": {}}]}""")]
    [InlineData("/data/t/-/set-column-type", """{"column": "\ud800", "column_type": {"type": "json"}}""")]
    [InlineData("/data/-/create", """{"table": "\ud800", "columns": [{"name": "a"}]}""")]
    [InlineData("/data/-/execute-write", """{"sql": "delete from t where j = '\ud800'"}""")]
    [InlineData("/data/-/queries/store", """{"query": {"name": "\ud800", "sql": "select 1"}}""")]
    [InlineData("/data/w", """{"j": "\ud800"}""")]
    [Trait("Rule", "H022")]
    public async Task BodyThatIsNoText_IsABadRequest(string path, string body)
    {
        await using var server = await StartAsync();
        var answer = await server.SendAsync("POST", path, body, TestServer.Root, ("Content-Type", "application/json"));
        Assert.True(answer.Status == 400, $"{answer.Status} {answer.Text}");
        Assert.Contains("Invalid JSON", answer.Text, StringComparison.Ordinal);
        Assert.Contains("\"count\":4", (await server.GetAsync("/data/t.json?_extra=count")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABodyThatIsNoJson_ConfirmsNothing()
    {
        await using var server = await StartAsync();
        var answer = await server.SendAsync(
            "POST",
            "/data/t/-/drop",
            """{"confirm": "\ud800"}""",
            TestServer.Root,
            ("Content-Type", "application/json")
        );
        Assert.Equal(200, answer.Status);
        Assert.Equal(200, (await server.GetAsync("/data/t")).Status);
    }

    [Theory]
    [InlineData("/data/t.json?_json=j&_shape=array", 200)]
    [InlineData("/data/t.json?id__in=[\"\\ud800\"]", 400)]
    [InlineData("/data/t.json?_facet_array={\"column\":\"id\",\"column\":\"nope\"}", 400)]
    [InlineData("/data/t.json?_facet={\"a\":1,\"a\":2}", 400)]
    [InlineData("/data/t.json?_facet_array=[1]", 400)]
    [InlineData("/data/t.json?_facet={\"column\":[1]}", 400)]
    [InlineData("/data/t.json?_through={\"table\":\"\\ud800\",\"column\":\"id\",\"value\":\"1\"}", 400)]
    [InlineData("/data/t", 200)]
    [InlineData("/data/t/1", 200)]
    [InlineData("/data/t/2", 200)]
    [InlineData("/data/t/3", 200)]
    [InlineData("/-/allow-debug?allow={\"id\":\"a\",\"id\":\"b\"}&actor={\"id\":\"b\"}", 200)]
    [InlineData("/-/allow-debug?allow={\"id\":[\"\\ud800\"]}&actor={\"id\":\"a\"}", 200)]
    public async Task WhatIsLookedAt_IsAnsweredOrRefused(string path, int status)
    {
        await using var server = await StartAsync();
        var at = path.IndexOf('?', StringComparison.Ordinal);
        var query =
            at < 0
                ? ""
                : "?"
                    + string.Join(
                        '&',
                        path[(at + 1)..]
                            .Split('&')
                            .Select(pair => pair.Split('=', 2))
                            .Select(pair => $"{pair[0]}={QueryArgs.Escape(pair[1])}")
                    );
        var answer = await server.GetAsync((at < 0 ? path : path[..at]) + query, TestServer.Root);
        Assert.True(answer.Status == status, $"{answer.Status} {answer.Text}");
    }

    [Theory]
    [InlineData("""{"id": "a", "id": "b"}""", 200)]
    [InlineData("""{"id": "\ud800"}""", 400)]
    public async Task Permissions_AreAskedForOddActors(string actor, int status)
    {
        await using var server = await StartAsync();
        var body = $"actor={QueryArgs.Escape(actor)}&permission=view-instance";
        var answer = await server.SendAsync("POST", "/-/permissions", body, TestServer.Root, ("Content-Type", FormType));
        Assert.True(answer.Status == status, $"{answer.Status} {answer.Text}");
    }

    [Fact]
    public async Task OfAKeyTwice_TheLastCounts()
    {
        await using var server = await StartAsync();
        var through = QueryArgs.Escape("""{"table": "u", "column": "id", "value": "1", "value": "2"}""");
        Assert.Contains(
            "\"id\":2",
            (await server.GetAsync("/data/t.json?_shape=array&_col=id&_through=" + through)).Text,
            StringComparison.Ordinal
        );
        Assert.Contains(
            """{"id":1,"j":{"a":[2]}}""",
            (await server.GetAsync("/data/t.json?_shape=array&_json=j")).Text,
            StringComparison.Ordinal
        );
        var stored = await server.SendAsync(
            "POST",
            "/data/-/queries/store",
            """{"query": {"name": "first", "name": "second", "sql": "select 1"}}""",
            TestServer.Root,
            ("Content-Type", "application/json")
        );
        Assert.True(stored.Status == 201, stored.Text);
        Assert.Equal(200, (await server.GetAsync("/data/second", TestServer.Root)).Status);
    }

    [Theory]
    [InlineData("\"\\ud83d\\ude00\"", true)]
    [InlineData("\"\\\\ud800\"", true)]
    [InlineData("\"\\ud800x\"", false)]
    [InlineData("[\"\\udc00\\ud800\"]", false)]
    public void Surrogates_ComeInPairs(string json, bool isText)
    {
        if (isText)
        {
            ForeignJson.Parse(json);
        }
        else
        {
            Assert.ThrowsAny<JsonException>(() => ForeignJson.Parse(json));
        }
    }

    [Fact]
    public void BytesThatAreNoUtf8_AreNoJson() =>
        Assert.ThrowsAny<JsonException>(() => ForeignJson.ParseDocument(new byte[] { (byte)'"', 0xff, (byte)'"' }));

    [Fact]
    public void Numbers_KeepTheirDigits() =>
        Assert.Equal("""[1e400,0.10,12345678901234567890]""", ForeignJson.Parse("[1e400, 0.10, 12345678901234567890]")!.ToJsonString());
}
