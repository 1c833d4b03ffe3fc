using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>Advisories and releases after 1.0a39.</summary>
public sealed partial class AdvisoryTests
{
    [Theory]
    [Trait("Advisory", "GHSA-h547-rmjf-5m2m")]
    [InlineData("priv~0A")]
    [InlineData("priv%0A")]
    [InlineData("priv~0D~0A")]
    [InlineData("priv~00")]
    [InlineData("priv~20")]
    [InlineData("priv+")]
    [InlineData("~0Apriv")]
    [InlineData("priv~3B")]
    public async Task GHSA_h547_rmjf_5m2m_NameWithALineEndIsAnotherName(string name)
    {
        await using var server = await StartAsync(Mixed, Closed);
        foreach (var path in new[] { ".json", "", ".csv", "/1.json", "/-/schema.json", "/-/fragment" })
        {
            var answer = await server.GetAsync($"/data/{name}{path}");
            Assert.True(answer.Status is 302 or 400 or 403 or 404, $"{answer.Status}");
            Assert.DoesNotContain("CANARY", answer.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Advisory", "1.0a43: owner_id")]
    [Trait("Rule", "H241")]
    public async Task Release1_0a43_OwnerIdShowsNobodyElsesPrivateQueries()
    {
        await using var server = await StartAsync(Mixed, """{"permissions": {"store-query": {"id": "alice"}}}""");
        var alice = TestServer.Cookie(new JsonObject { ["id"] = "alice" });
        var stored = await server.SendAsync(
            "POST",
            "/data/-/queries/store",
            """{"query": {"name": "mine-own", "sql": "select 'CANARY'"}}""",
            alice
        );
        Assert.Equal(201, stored.Status);
        foreach (var path in new[] { "/-/queries", "/-/queries.json", "/data/-/queries", "/data/-/queries.json" })
        {
            foreach (
                var filter in new[] { "?owner_id=alice", "?is_private=1", "?owner_id=alice&is_private=1", "?q=CANARY", "?source=user" }
            )
            {
                foreach (var who in new[] { ("X-None", "1"), TestServer.Cookie(new JsonObject { ["id"] = "bob" }), TestServer.Root })
                {
                    var answer = await server.GetAsync(path + filter, who);
                    Assert.DoesNotContain("CANARY'", answer.Text, StringComparison.Ordinal);
                    Assert.DoesNotContain("mine-own", answer.Text, StringComparison.Ordinal);
                }
                Assert.Contains("mine-own", (await server.GetAsync(path + filter, alice)).Text, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    [Trait("Advisory", "1.0a43/0.65.6: download")]
    [Trait("Rule", "H300")]
    public async Task Release1_0a43_0_65_6_NoNameOfADatabaseGetsAroundTheDownloadRight()
    {
        var file = Make(Mixed, "my data.v1.db");
        await using var server = await TestServer.StartAsync(
            new ServeOptions
            {
                Immutables = [file],
                ConfigFile = Config("""{"databases": {"my data.v1": {"permissions": {"view-database-download": false}}}}"""),
            }
        );
        foreach (var path in new[] { "/my+data~2Ev1.db", "/my~20data~2Ev1.db", "/my%20data.v1.db", "/my+data.v1.db", "/MY+DATA~2EV1.db" })
        {
            var answer = await server.GetAsync(path);
            Assert.True(answer.Status is 403 or 404 or 302, $"{path}: {answer.Status}");
            Assert.DoesNotContain("CANARY", answer.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Advisory", "simonw/datasette#2568")]
    [Trait("Rule", "H319")]
    public async Task Issue2568_RestrictionsNeverGrant()
    {
        await using var server = await StartAsync(Mixed, Closed);
        var signer = new Datasette.Text.ValueSigner(TestServer.Secret);
        foreach (
            var limits in new[]
            {
                """{"a": ["vt", "es", "ir", "dt", "pd"]}""",
                """{"d": {"data": ["vt", "es", "ir"]}}""",
                """{"r": {"data": {"priv": ["vt", "ir"]}}}""",
            }
        )
        {
            var token = ("Authorization", "Bearer dstok_" + signer.Sign($$"""{"a":"nobody","t":1,"_r":{{limits}}}""", "token"));
            Assert.Equal(403, (await server.GetAsync("/data/priv.json", token)).Status);
            Assert.Equal(403, (await server.GetAsync("/data/-/query.json?sql=select+1", token)).Status);
            Assert.Equal(403, (await server.SendAsync("POST", "/data/pub/-/insert", "{\"row\": {}}", token)).Status);
            Assert.Equal(403, (await server.GetAsync("/-/actions.json", token)).Status);
        }
    }

    [Fact]
    [Trait("Advisory", "simonw/datasette#2741")]
    [Trait("Rule", "H240")]
    public async Task Issue2741_StoredQueriesOfUsersAreNeitherTrustedNorHtml()
    {
        await using var server = await StartAsync(
            Mixed,
            """{"permissions": {"store-query": {"id": "alice"}, "update-query": {"id": "alice"}}, "databases": {"data": {"queries": {"fixed": "select 1"}}}}"""
        );
        var alice = TestServer.Cookie(new JsonObject { ["id"] = "alice" });
        foreach (
            var field in new[]
            {
                "\"description_html\": \"<script>x</script>\"",
                "\"is_trusted\": true",
                "\"source\": \"config\"",
                "\"owner_id\": \"root\"",
                "\"database\": \"other\"",
            }
        )
        {
            var answer = await server.SendAsync(
                "POST",
                "/data/-/queries/store",
                $"{{\"query\": {{\"name\": \"x\", \"sql\": \"select 1\", {field}}}}}",
                alice
            );
            Assert.Equal(400, answer.Status);
        }
        Assert.Equal(403, (await server.SendAsync("POST", "/data/fixed/-/update", "{\"update\": {\"sql\": \"select 2\"}}", alice)).Status);
        const string hostile = "<script>alert(1)</script>";
        var stored = await server.SendAsync(
            "POST",
            "/data/-/queries/store",
            $"{{\"query\": {{\"name\": \"y\", \"sql\": \"select 1\", \"is_private\": false, \"title\": \"{hostile}\", \"description\": \"{hostile}\"}}}}",
            alice
        );
        Assert.Equal(201, stored.Status);
        foreach (var path in new[] { "/data/y", "/data", "/data/-/queries", "/-/queries" })
        {
            var page = await new HtmlParser().ParseDocumentAsync((await server.GetAsync(path)).Text, Ct);
            Assert.DoesNotContain(
                page.QuerySelectorAll("script"),
                script => script.TextContent.Contains("alert", StringComparison.Ordinal)
            );
        }
    }

    [Fact]
    [Trait("Advisory", "simonw/datasette#2359")]
    public async Task Issue2359_0_64_8_UnknownPagesDoNotRepeatTheAddress()
    {
        await using var server = await StartAsync(Mixed);
        foreach (
            var path in new[]
            {
                "/call-0900-EVIL-now",
                "/data/call-0900-EVIL-now",
                "/data/pub/call-0900-EVIL",
                "/-/call-0900-EVIL-now",
                "/data/pub.call0900EVIL",
            }
        )
        {
            var answer = await server.GetAsync(path);
            Assert.Equal(404, answer.Status);
            var main = (await new HtmlParser().ParseDocumentAsync(answer.Text, Ct)).QuerySelector("main")!;
            Assert.True(
                !main.TextContent.Contains("EVIL", StringComparison.Ordinal) || path.Contains("pub.", StringComparison.Ordinal),
                main.TextContent
            );
        }
    }
}
