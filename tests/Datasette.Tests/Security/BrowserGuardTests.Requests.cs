using System.Text.Json.Nodes;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Datasette.Hosting;
using Datasette.Plugins;
using Datasette.Tests.Conformance;
using Datasette.Tests.Hosting;
using Datasette.Text;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Security;

/// <summary>Requests that are turned away.</summary>
public sealed partial class BrowserGuardTests
{
    [Theory]
    [InlineData(null, "anything.example", 200)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "localhost", 200)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "localhost:8001", 200)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "LOCALHOST", 200)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "a.example.com", 200)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "example.com", 400)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "evilexample.com", 400)]
    [InlineData("[\"localhost\", \"*.example.com\"]", "localhost.evil.example", 400)]
    [InlineData("[\"localhost\"]", "127.0.0.1", 400)]
    [InlineData("\"localhost\"", "rebind.evil.example", 400)]
    [InlineData(null, "evil.example/\"><script>", 400)]
    [InlineData(null, "a b", 400)]
    [InlineData(null, "evil.example@localhost", 400)]
    public async Task Hosts_AreChecked(string? allowed, string host, int status)
    {
        await File.WriteAllTextAsync(folder.Combine("c.json"), allowed is null ? "{}" : $"{{\"allowed_hosts\": {allowed}}}", Ct);
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, ConfigFile = folder.Combine("c.json") });
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", server.Server.Port, Ct);
        var stream = client.GetStream();
        await stream.WriteAsync(
            System.Text.Encoding.ASCII.GetBytes($"GET /-/versions.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
            Ct
        );
        using var reader = new StreamReader(stream);
        var text = await reader.ReadToEndAsync(Ct);
        Assert.StartsWith($"HTTP/1.1 {status}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", text, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Rule", "H028")]
    public async Task Cors_NeverAllowsCredentials_NorPages()
    {
        await using var server = await TestServer.StartAsync(new ServeOptions { Memory = true, Cors = true });
        foreach (
            var target in new[] { "/.json", "/_memory/-/query.json?sql=select+1", "/-/nope.json", "/_memory/-/query.csv?sql=select+1" }
        )
        {
            var answer = await server.GetAsync(target, ("Origin", "https://evil.example"), TestServer.Root);
            Assert.Equal("*", answer.Header("access-control-allow-origin"));
            Assert.Null(answer.Header("access-control-allow-credentials"));
        }
    }

    [Fact]
    [Trait("Rule", "H014")]
    public async Task Limits_OnAddressBodyColumnsAndParameters_AreClear()
    {
        using (var connection = new SqliteConnection($"Data Source={folder.Combine("data.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "create table t (id integer primary key, a text)";
            command.ExecuteNonQuery();
        }
        await using var server = await TestServer.StartAsync(new ServeOptions { Files = [folder.Combine("data.db")], Root = true });
        Assert.Equal(200, (await server.GetAsync("/data/-/query.json?sql=select+'" + new string('x', 40_000) + "'")).Status);
        Assert.Equal(414, (await server.GetAsync("/data/-/query.json?sql=select+'" + new string('x', 70_000) + "'")).Status);
        var large = await server.SendAsync(
            "POST",
            "/data/t/-/insert",
            "{\"row\": {\"a\": \"" + new string('x', 2_200_000) + "\"}}",
            TestServer.Root
        );
        Assert.Equal(413, large.Status);
        Assert.Contains("2097152", large.Text, StringComparison.Ordinal);
        var row = string.Join(",", Enumerable.Range(0, 3000).Select(i => $"\"c{i}\": 1"));
        var wide = await server.SendAsync("POST", "/data/t/-/insert", $"{{\"row\": {{{row}}}, \"alter\": true}}", TestServer.Root);
        Assert.Equal(400, wide.Status);
        Assert.Contains("\"ok\":false", wide.Text.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        var made = await server.SendAsync("POST", "/data/-/create", $"{{\"table\": \"wide\", \"row\": {{{row}}}}}", TestServer.Root);
        Assert.Equal(400, made.Status);
        var deep = await server.SendAsync(
            "POST",
            "/data/t/-/insert",
            "{\"row\": {\"a\": " + new string('[', 5000) + new string(']', 5000) + "}}",
            TestServer.Root
        );
        Assert.Equal(400, deep.Status);
        Assert.Equal(
            400,
            (await server.GetAsync("/data/-/query.json?sql=select+" + string.Join(',', Enumerable.Range(0, 2001).Select(_ => '1')))).Status
        );
        Assert.Equal(400, (await server.GetAsync("/data/-/query.json?sql=select+?40000")).Status);
    }

    [Fact]
    [Trait("Rule", "H301")]
    [Trait("Rule", "C024")]
    public async Task StaticFolders_AreNotLeft()
    {
        Directory.CreateDirectory(folder.Combine("public/sub"));
        await File.WriteAllTextAsync(folder.Combine("secret.txt"), "CANARY", Ct);
        await File.WriteAllTextAsync(folder.Combine("public/ok.txt"), "fine", Ct);
        Directory.CreateDirectory(folder.Combine("public-other"));
        await File.WriteAllTextAsync(folder.Combine("public-other/x.txt"), "CANARY", Ct);
        File.CreateSymbolicLink(folder.Combine("public/link.txt"), folder.Combine("secret.txt"));
        File.CreateSymbolicLink(folder.Combine("public/dir"), folder.Path);
        File.CreateSymbolicLink(folder.Combine("public/sub/inside.txt"), folder.Combine("public/ok.txt"));
        File.CreateSymbolicLink(folder.Combine("public/loop"), folder.Combine("public/loop"));
        await using var server = await TestServer.StartAsync(
            new ServeOptions { Memory = true, StaticMounts = [new("s", folder.Combine("public"))] }
        );
        Assert.Equal("fine", (await server.GetAsync("/s/ok.txt")).Text);
        Assert.Equal("fine", (await server.GetAsync("/s/sub/inside.txt")).Text);
        string[] ways =
        [
            "../secret.txt",
            "%2e%2e/secret.txt",
            "..%2fsecret.txt",
            "%2e%2e%2fsecret.txt",
            "..%5csecret.txt",
            "sub/../../secret.txt",
            "sub/%2e%2e/%2e%2e/secret.txt",
            "link.txt",
            "dir/secret.txt",
            "dir/",
            "loop",
            "../public-other/x.txt",
            "%00",
            "ok.txt%00.css",
            "//etc/passwd",
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "....//secret.txt",
            "%252e%252e%252fsecret.txt",
            "~/secret.txt",
            "C:%5cx",
            "",
        ];
        foreach (var prefix in new[] { "/s/", "/-/static/", "/-/static-plugins/scripts/" })
        {
            foreach (var way in ways)
            {
                var answer = await server.GetAsync(prefix + way);
                Assert.True(answer.Status is 302 or 400 or 403 or 404, $"{prefix}{way}: {answer.Status}");
                Assert.DoesNotContain("CANARY", answer.Text, StringComparison.Ordinal);
                Assert.DoesNotContain("root:", answer.Text, StringComparison.Ordinal);
            }
        }
    }
}
