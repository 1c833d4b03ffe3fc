using System.Text.Json.Nodes;
using AngleSharp.Html.Parser;
using Datasette.Hosting;
using Datasette.Permissions;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Datasette.Text;
using Microsoft.AspNetCore.Http;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>Who comes in and how: the login link, cookies, tokens, plugins (H310 to H321).</summary>
public sealed class IdentityTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static readonly ValueSigner Signer = new(TestServer.Secret);

    public void Dispose() => folder.Dispose();

    private static JsonNode? ActorOf(Answer answer) => JsonNode.Parse(answer.Text)!["actor"];

    private static (string, string) Bearer(string payload) => ("Authorization", "Bearer dstok_" + Signer.Sign(payload, "token"));

    [Fact]
    public async Task H312_LoginLink_WorksOnceAndSetsACookieNoScriptReads()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true });
        var token = server.App.RootToken!;
        Assert.Matches("^[0-9a-f]{64}$", token);
        Assert.Equal(403, (await server.GetAsync("/-/auth-token")).Status);
        Assert.Equal(403, (await server.GetAsync("/-/auth-token?token=" + token[..63])).Status);
        Assert.Equal(403, (await server.GetAsync("/-/auth-token?token=" + token.ToUpperInvariant())).Status);
        var first = await server.GetAsync("/-/auth-token?token=" + token);
        Assert.Equal(302, first.Status);
        Assert.Equal("/", first.Header("location"));
        var cookie = first.Header("set-cookie")!;
        Assert.StartsWith("ds_actor=", cookie, StringComparison.Ordinal);
        Assert.Contains("; Path=/; SameSite=lax; HttpOnly", cookie, StringComparison.Ordinal);
        Assert.DoesNotContain("Secure", cookie, StringComparison.Ordinal);
        var again = await server.GetAsync("/-/auth-token?token=" + token);
        Assert.Equal(403, again.Status);
        Assert.Contains("Root token has already been used", again.Text, StringComparison.Ordinal);
        var who = await server.GetAsync("/-/actor.json", ("Cookie", cookie.Split(';')[0]));
        Assert.Equal("root", (string)ActorOf(who)!["id"]!);
        Assert.Equal(302, (await server.GetAsync("/-/auth-token?token=wrong", ("Cookie", cookie.Split(';')[0]))).Status);
    }

    [Fact]
    public async Task H312_LoginLink_TwoAtOnce_OneComesIn()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true });
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(_ => server.GetAsync("/-/auth-token?token=" + server.App.RootToken))
        );
        Assert.Single(answers, answer => answer.Status == 302);
        Assert.Equal(15, answers.Count(answer => answer.Status == 403));
    }

    [Fact]
    [Trait("Rule", "H032")]
    public async Task H311_UnderHttps_CookiesAreSecure()
    {
        await using var server = await TestServer.StartAsync(
            new ServeOptions
            {
                Memory = true,
                Root = true,
                Settings = [("settings.force_https_urls", "true")],
            }
        );
        var login = await server.GetAsync("/-/auth-token?token=" + server.App.RootToken);
        Assert.Contains("; SameSite=lax; HttpOnly; Secure", login.Header("set-cookie"), StringComparison.Ordinal);
        var message = await server.SendAsync("POST", "/-/messages", "message=x", ("Content-Type", "application/x-www-form-urlencoded"));
        Assert.Contains("; HttpOnly; Secure", message.Header("set-cookie"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task H310_Plugin_ComesBeforeCookieAndToken_ARejectedTokenFailsAll()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true }, new HeaderActor());
        var cookie = TestServer.Cookie(new JsonObject { ["id"] = "cookie" });
        var token = Bearer("""{"a":"token","t":1}""");
        Assert.Equal("plugin", (string)ActorOf(await server.GetAsync("/-/actor.json", ("X-Who", "plugin"), cookie, token))!["id"]!);
        Assert.Equal("cookie", (string)ActorOf(await server.GetAsync("/-/actor.json", cookie, token))!["id"]!);
        Assert.Equal("token", (string)ActorOf(await server.GetAsync("/-/actor.json", token))!["id"]!);
        Assert.Null(ActorOf(await server.GetAsync("/-/actor.json")));
        var rejected = await server.GetAsync("/-/actor.json", ("X-Who", "plugin"), cookie, ("Authorization", "Bearer dstok_nonsense"));
        Assert.Equal(401, rejected.Status);
        // Tokens of others are none of our business.
        Assert.Equal("cookie", (string)ActorOf(await server.GetAsync("/-/actor.json", cookie, ("Authorization", "Bearer ghp_x")))!["id"]!);
        Assert.Equal("cookie", (string)ActorOf(await server.GetAsync("/-/actor.json", cookie, ("Authorization", "Basic eDp5")))!["id"]!);
    }

    private sealed class HeaderActor : DatasettePlugin
    {
        public override string Name => "header-actor";

        public override ValueTask<Actor?> ActorFromRequestAsync(IDatasette datasette, HttpContext context) =>
            ValueTask.FromResult(context.Request.Headers["X-Who"].ToString() is { Length: > 0 } who ? Actor.WithId(who) : null);
    }

    /// <summary>Made by itsdangerous 2.2.0 with the secret of the recordings, as a Python deployment would have.</summary>
    [Fact]
    public async Task H318_CookiesAndTokensOfAPythonDeployment_AreOurs_AndOursAreTheirs()
    {
        await using var server = await DatasetteServer.StartAsync(
            new ServeOptions
            {
                Memory = true,
                Port = 0,
                Secret = "conformance-secret",
            },
            [],
            Ct,
            logging: _ => { }
        );
        const string python = "eyJhIjp7ImlkIjoicm9vdCJ9fQ.tP9nX-z9zmJ_azxbZLq19VhTJkQ";
        var answer = await Answer.SendAsync(server.Port, "GET", "/-/actor.json", [new("Cookie", "ds_actor=" + python)], null, Ct);
        Assert.Equal("root", (string)ActorOf(answer)!["id"]!);
        Assert.Equal(python, new ValueSigner("conformance-secret").Sign("""{"a":{"id":"root"}}""", "actor"));
        var quoted = await Answer.SendAsync(server.Port, "GET", "/-/actor.json", [new("Cookie", $"ds_actor=\"{python}\"")], null, Ct);
        Assert.Equal("root", (string)ActorOf(quoted)!["id"]!);
    }

    [Theory]
    [InlineData("""{"a":{"id":"x"}}""", "token")]
    [InlineData("""{"a":"x"}""", "actor")]
    [InlineData("""{"a":null}""", "actor")]
    [InlineData("[]", "actor")]
    [InlineData("nonsense", "actor")]
    [InlineData("""{"a":{"id":"x"},"e":"A"}""", "actor")]
    [InlineData("""{"a":{"id":"x"},"e":"!!"}""", "actor")]
    public async Task H311_CookieOfAnotherShapeNamespaceOrTime_IsAnonymous(string json, string signedFor)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        var answer = await server.GetAsync("/-/actor.json", ("Cookie", "ds_actor=" + Signer.Sign(json, signedFor)));
        Assert.Equal(200, answer.Status);
        Assert.Null(ActorOf(answer));
    }

    [Theory]
    [InlineData("""{"a":"x","t":1}""", 200)]
    [InlineData("""{"a":"x","t":1,"d":5}""", 401)]
    [InlineData("""{"a":"x","t":4000000000,"d":5}""", 200)]
    [InlineData("""{"a":"x"}""", 401)]
    [InlineData("""{"a":"x","t":"1"}""", 401)]
    [InlineData("""{"a":"x","t":1,"d":"5"}""", 401)]
    [InlineData("[1]", 401)]
    [InlineData("nonsense", 401)]
    public async Task H315_H316_Tokens_AreTakenOrRefused(string payload, int status)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true });
        foreach (var path in new[] { "/-/actor.json", "/", "/nope", "/-/static/app.css" })
        {
            var answer = await server.GetAsync(path, Bearer(payload));
            if (status == 401)
            {
                Assert.Equal(401, answer.Status);
                Assert.Equal("Bearer error=\"invalid_token\"", answer.Header("www-authenticate"));
                Assert.False((bool)JsonNode.Parse(answer.Text)!["ok"]!);
            }
            else
            {
                Assert.NotEqual(401, answer.Status);
            }
        }
    }

    [Fact]
    [Trait("Rule", "H315")]
    public async Task H316_TokensSwitchedOff_OrTooOld_AreRefused()
    {
        await using var off = await TestServer.StartAsync(
            new ServeOptions { Memory = true, Settings = [("settings.allow_signed_tokens", "false")] }
        );
        var refused = await off.GetAsync("/-/actor.json", Bearer("""{"a":"x","t":1}"""));
        Assert.Equal(401, refused.Status);
        Assert.Contains("not enabled", refused.Text, StringComparison.Ordinal);
        Assert.Equal(403, (await off.GetAsync("/-/create-token", TestServer.Root)).Status);
        await using var capped = await TestServer.StartAsync(
            new ServeOptions { Memory = true, Settings = [("settings.max_signed_tokens_ttl", "60")] }
        );
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        Assert.Equal(401, (await capped.GetAsync("/-/actor.json", Bearer($$"""{"a":"x","t":{{now - 61}}}"""))).Status);
        Assert.Equal(401, (await capped.GetAsync("/-/actor.json", Bearer($$"""{"a":"x","t":{{now - 61}},"d":3600}"""))).Status);
        var young = ActorOf(await capped.GetAsync("/-/actor.json", Bearer($$"""{"a":"x","t":{{now}},"d":3600}""")))!;
        Assert.Equal(now + 60, (long)young["token_expires"]!);
        Assert.Equal("dstok", (string)young["token"]!);
    }

    [Fact]
    public async Task H317_CreateTokenPage_MakesTokensThatWorkAndAreLimited()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Database()], Root = true });
        Assert.Equal(403, (await server.GetAsync("/-/create-token")).Status);
        Assert.Equal(403, (await server.GetAsync("/-/create-token", TestServer.Cookie(new JsonObject { ["name"] = "no id" }))).Status);
        var page = await new HtmlParser().ParseDocumentAsync((await server.GetAsync("/-/create-token", TestServer.Root)).Text, Ct);
        Assert.NotNull(page.QuerySelector("input[name='all:view-instance']"));
        Assert.NotNull(page.QuerySelector("input[name='database:my+data:insert-row']"));
        Assert.NotNull(page.QuerySelector("input[name='resource:my+data:a~2Fb:view-table']"));
        var token = await TokenAsync(server, "expire_type=minutes&expire_duration=5&resource:my%2Bdata:a~2Fb:view-table=1");
        var bearer = ("Authorization", "Bearer " + token);
        var actor = ActorOf(await server.GetAsync("/-/actor.json", bearer))!;
        Assert.Equal("root", (string)actor["id"]!);
        Assert.Equal("""{"r":{"my data":{"a/b":["vt"]}}}""", actor["_r"]!.ToJsonString());
        Assert.InRange(
            (long)actor["token_expires"]!,
            TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 240,
            TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 301
        );
        Assert.Equal(200, (await server.GetAsync("/my+data/a~2Fb.json", bearer)).Status);
        Assert.Equal(403, (await server.GetAsync("/my+data/other.json", bearer)).Status);
        Assert.Equal(403, (await server.GetAsync("/", bearer)).Status);
        Assert.Equal(403, (await server.GetAsync("/-/create-token", bearer)).Status);
        var free = ("Authorization", "Bearer " + await TokenAsync(server, ""));
        Assert.Equal(200, (await server.GetAsync("/my+data/other.json", free)).Status);
        Assert.Null(ActorOf(await server.GetAsync("/-/actor.json", free))!["token_expires"]);
        foreach (
            var wrong in new[]
            {
                "expire_type=years&expire_duration=1",
                "expire_type=days&expire_duration=x",
                "expire_type=hours&expire_duration=-1",
                "expire_type=minutes",
            }
        )
        {
            Assert.DoesNotContain("dstok_", (await PostTokenAsync(server, wrong)).Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Rule", "H315")]
    public async Task C052_CreateTokenCommand_MakesTokensOfThisServer()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Database()], Root = true });
        await using var ended = await TestProcess.RunAsync(
            Repository.ProgramOf("Datasette.Door"),
            [
                "create-token",
                "root",
                "--secret",
                TestServer.Secret,
                "-e",
                "60",
                "-d",
                "my data",
                "view-database",
                "-r",
                "my data",
                "other",
                "view-table",
                "--debug",
            ],
            new Dictionary<string, string?>(),
            folder.Path,
            cancellationToken: Ct
        );
        Assert.Equal(0, ended.ExitCode);
        var bearer = ("Authorization", "Bearer " + ended.StandardOutput.Split('\n')[0].Trim());
        Assert.Equal(200, (await server.GetAsync("/my+data/other.json", bearer)).Status);
        Assert.Equal(200, (await server.GetAsync("/my+data.json", bearer)).Status);
        Assert.Equal(403, (await server.GetAsync("/my+data/a~2Fb.json", bearer)).Status);
    }

    [Fact]
    public async Task H314_Logout_ClearsTheCookieAndNeedsThisSite()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true });
        Assert.Equal(302, (await server.GetAsync("/-/logout")).Status);
        Assert.Equal(200, (await server.GetAsync("/-/logout", TestServer.Root)).Status);
        Assert.Equal(403, (await server.SendAsync("POST", "/-/logout", "", TestServer.Root, ("Origin", "https://evil.example"))).Status);
        Assert.Equal(403, (await server.SendAsync("POST", "/-/logout", "", TestServer.Root, ("Sec-Fetch-Site", "cross-site"))).Status);
        var answer = await server.SendAsync("POST", "/-/logout", "", TestServer.Root, ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(302, answer.Status);
        Assert.Contains(
            answer.Headers("set-cookie"),
            cookie =>
                cookie.StartsWith("ds_actor=\"\";", StringComparison.Ordinal) && cookie.Contains("Max-Age=0", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData(403, "Origin", "null")]
    [InlineData(403, "Origin", "http://localhost.evil.example")]
    [InlineData(403, "Origin", "http://evil.example/?http://localhost")]
    [InlineData(403, "Origin", "https://localhost")]
    [InlineData(403, "Origin", "http://localhost:81")]
    [InlineData(403, "Origin", "file://")]
    [InlineData(302, "Origin", "http://localhost")]
    [InlineData(302, "Origin", "http://LOCALHOST:80")]
    [InlineData(403, "Sec-Fetch-Site", "same-site")]
    [InlineData(403, "Sec-Fetch-Site", "cross-site")]
    [InlineData(403, "Sec-Fetch-Site", "Same-Origin, cross-site")]
    [InlineData(302, "Sec-Fetch-Site", "none")]
    [InlineData(302, "X-None", "1")]
    public async Task H321_FormsOfOtherSites_AreRefused(int status, string header, string value)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true });
        var form = ("Content-Type", "application/x-www-form-urlencoded");
        Assert.Equal(status, (await server.SendAsync("POST", "/-/messages", "message=x", form, (header, value))).Status);
        // A token without a cookie is no browser's doing; with a cookie it might be.
        var token = Bearer("""{"a":"root","t":1}""");
        Assert.Equal(302, (await server.SendAsync("POST", "/-/messages", "message=x", form, (header, value), token)).Status);
        Assert.Equal(
            status,
            (await server.SendAsync("POST", "/-/messages", "message=x", form, (header, value), token, TestServer.Root)).Status
        );
    }

    [Fact]
    public async Task H335_PermissionTools_AskForAnyActor()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [Database()], Root = true });
        var form = ("Content-Type", "application/x-www-form-urlencoded");
        var answer = await server.SendAsync(
            "POST",
            "/-/permissions",
            "actor=%7B%22id%22%3A%22x%22%7D&permission=insert-row&resource_1=my+data&resource_2=other",
            form,
            TestServer.Root
        );
        var json = JsonNode.Parse(answer.Text)!;
        Assert.False((bool)json["allowed"]!);
        Assert.Equal("x", (string)json["actor"]!["id"]!);
        Assert.Equal(403, (await server.SendAsync("POST", "/-/permissions", "permission=insert-row", form)).Status);
        var recent = await server.GetAsync("/-/permissions?filter=all", TestServer.Root);
        Assert.Contains("insert-row", recent.Text, StringComparison.Ordinal);
        Assert.Contains(
            "Result: allow",
            (await server.GetAsync("/-/allow-debug?actor=%7B%22id%22%3A%22root%22%7D&allow=%7B%22id%22%3A%22root%22%7D")).Text,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Result: deny",
            (await server.GetAsync("/-/allow-debug?actor=%7B%22id%22%3A%22x%22%7D&allow=%7B%22id%22%3A%22root%22%7D")).Text,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("/-/create-token")]
    [InlineData("/-/messages")]
    [InlineData("/-/permissions")]
    public async Task H015_Forms_TakeBothEncodingsAndNothingElse(string path)
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Root = true });
        const string boundary = "b";
        var parts = $"--{boundary}\r\nContent-Disposition: form-data; name=\"permission\"\r\n\r\nview-instance\r\n--{boundary}--\r\n";
        var multipart = await server.SendAsync(
            "POST",
            path,
            parts,
            TestServer.Root,
            ("Content-Type", "multipart/form-data; boundary=" + boundary)
        );
        Assert.True(multipart.Status is 200 or 302, multipart.Text);
        Assert.Equal(400, (await server.SendAsync("POST", path, "{}", TestServer.Root, ("Content-Type", "application/json"))).Status);
        Assert.Equal(400, (await server.SendAsync("POST", path, "a=b", TestServer.Root)).Status);
        var many =
            string.Concat(
                Enumerable.Range(0, 1100).Select(i => $"--{boundary}\r\nContent-Disposition: form-data; name=\"f{i}\"\r\n\r\nx\r\n")
            ) + $"--{boundary}--\r\n";
        Assert.Equal(
            400,
            (
                await server.SendAsync("POST", path, many, TestServer.Root, ("Content-Type", "multipart/form-data; boundary=" + boundary))
            ).Status
        );
    }

    private string Database()
    {
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={folder.Combine("my data.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "create table \"a/b\" (id integer primary key); create table other (id integer primary key)";
        command.ExecuteNonQuery();
        return folder.Combine("my data.db");
    }

    private static Task<Answer> PostTokenAsync(TestServer server, string form) =>
        server.SendAsync("POST", "/-/create-token", form, TestServer.Root, ("Content-Type", "application/x-www-form-urlencoded"));

    private static async Task<string> TokenAsync(TestServer server, string form)
    {
        var answer = await PostTokenAsync(server, form);
        Assert.Equal(200, answer.Status);
        return System.Text.RegularExpressions.Regex.Match(answer.Text, "dstok_[A-Za-z0-9_.-]+").Value;
    }
}
