using System.Net.Sockets;
using System.Text;
using Datasette.Databases;
using Datasette.Hosting;
using Datasette.Tests.Hosting;
using Microsoft.Data.Sqlite;
using Testing;
using Xunit;

namespace Datasette.Tests.Safety;

/// <summary>Requests that no browser and no library would send.</summary>
public sealed class RawRequestTests : IDisposable
{
    private readonly TempFolder folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    private Task<TestServer> StartAsync()
    {
        var file = folder.Combine("data.db");
        using (var connection = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            connection.Open();
            SqlStatement.Execute(connection, "create table t (id integer primary key)");
        }
        return TestServer.StartAsync(new ServeOptions { Files = [file], Root = true });
    }

    private static async Task<string> SendAsync(TestServer server, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", server.Server.Port, Ct);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), Ct);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(Ct);
    }

    [Theory]
    [InlineData("GET /data/t?x=\u0001 HTTP/1.1", "200", "Link: <http://localhost/data/t.json?x=%01>; rel=\"alternate\"")]
    [InlineData("GET /data/t?x=\u007f HTTP/1.1", "200", "?x=%7F>;")]
    [InlineData("GET /data/t?x=>;rel=\"preload\" HTTP/1.1", "200", "?x=%3E;rel=%22preload%22>; rel=\"alternate\"")]
    [InlineData("GET /data/t/?x=\u0001 HTTP/1.1", "302", "Location: /data/t?x=%01")]
    [InlineData("GET /data/%74?x=\u0001 HTTP/1.1", "302", "Location: /data/")]
    public async Task WhatIsGivenBackInAHeader_IsPrintable(string line, string status, string header)
    {
        await using var server = await StartAsync();
        var answer = await SendAsync(server, $"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains(header, answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/data/t/-/insert", "application/json")]
    [InlineData("/-/messages", "application/x-www-form-urlencoded")]
    [InlineData("/data/-/execute-write", "application/x-www-form-urlencoded")]
    [Trait("Rule", "H024")]
    public async Task ABodyThatBreaksTheProtocol_IsABadRequest(string path, string type)
    {
        await using var server = await StartAsync();
        var answer = await SendAsync(
            server,
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {TestServer.Root.Value}\r\n"
                + $"Content-Type: {type}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        );
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("Bad chunk size data", answer, StringComparison.Ordinal);
    }
}
