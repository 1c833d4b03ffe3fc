using System.Net;
using System.Net.Sockets;
using System.Text;
using Litestream.Cli;
using Xunit;

namespace Litestream.Tests.Cli;

public sealed class MetricsServerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Get_Metrics_AnswersTheText()
    {
        await using var server = new MetricsServer("127.0.0.1:0", text => text.Write("a 1\n"));
        using var http = new HttpClient();
        using var response = await http.GetAsync(new Uri($"http://127.0.0.1:{server.Port}/metrics?x=1"), Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("a 1\n", await response.Content.ReadAsStringAsync(Token));
    }

    [Theory]
    [InlineData("GET", "/", HttpStatusCode.NotFound)]
    [InlineData("GET", "/debug/pprof/", HttpStatusCode.NotFound)]
    [InlineData("POST", "/metrics", HttpStatusCode.MethodNotAllowed)]
    [InlineData("HEAD", "/metrics", HttpStatusCode.OK)]
    public async Task Request_AnythingElse_IsRefused(string method, string path, HttpStatusCode expected)
    {
        await using var server = new MetricsServer("localhost:0", text => text.Write("a 1\n"));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri($"http://localhost:{server.Port}{path}"));
        using var response = await http.SendAsync(request, Token);
        Assert.Equal(expected, response.StatusCode);
    }

    [Theory]
    [InlineData("nonsense\r\n\r\n")]
    [InlineData("GET /metrics SPDY/3\r\n\r\n")]
    public async Task Request_NoHttp_IsABadRequest(string text)
    {
        await using var server = new MetricsServer(":0", _ => { });
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Port, Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text), Token);
        using var reader = new StreamReader(client.GetStream());
        Assert.StartsWith("HTTP/1.1 400", await reader.ReadToEndAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_ManyAtOnce_AllAnswered()
    {
        await using var server = new MetricsServer(":0", text => text.Write("a 1\n"));
        using var http = new HttpClient();
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 100).Select(_ => http.GetStringAsync(new Uri($"http://127.0.0.1:{server.Port}/metrics"), Token))
        );
        Assert.All(answers, a => Assert.Equal("a 1\n", a));
    }

    [Fact]
    public async Task Dispose_WithAnOpenConnection_Ends()
    {
        var server = new MetricsServer(":0", _ => { });
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Port, Token);
        await server.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5), Token);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task Construct_AddressInUse_IsAConfigurationError()
    {
        await using var first = new MetricsServer("127.0.0.1:0", _ => { });
        var e = Assert.Throws<LitestreamException>(() => new MetricsServer($"127.0.0.1:{first.Port}", _ => { }));
        Assert.Equal(LitestreamError.InvalidConfiguration, e.Error);
        Assert.Contains($"127.0.0.1:{first.Port}", e.Message, StringComparison.Ordinal);
        Assert.Contains("in use", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9090")]
    [InlineData("localhost")]
    [InlineData(":http")]
    [InlineData(":99999")]
    [InlineData("")]
    public void Construct_NoPort_IsAConfigurationError(string addr) =>
        Assert.Equal(
            LitestreamError.InvalidConfiguration,
            Assert.Throws<LitestreamException>(() => new MetricsServer(addr, _ => { })).Error
        );
}
