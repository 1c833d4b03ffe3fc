using Datasette.Hosting;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Datasette.Tests.Hosting;

/// <summary>Which requests may change something.</summary>
public sealed class CsrfRuleTests
{
    [Theory]
    [InlineData("GET", "Origin: https://evil.example", true)]
    [InlineData("POST", "", true)]
    [InlineData("POST", "Origin: http://localhost", true)]
    [InlineData("POST", "Origin: http://localhost:80", true)]
    [InlineData("POST", "Origin: http://localhost:8001", false)]
    [InlineData("POST", "Origin: https://localhost", false)]
    [InlineData("POST", "Origin: null", false)]
    [InlineData("POST", "Origin: https://evil.example", false)]
    [InlineData("POST", "Sec-Fetch-Site: same-origin|Origin: https://evil.example", true)]
    [InlineData("POST", "Sec-Fetch-Site: none", true)]
    [InlineData("POST", "Sec-Fetch-Site: same-site", false)]
    [InlineData("DELETE", "Sec-Fetch-Site: cross-site", false)]
    [InlineData("POST", "Authorization: Bearer x|Origin: https://evil.example", true)]
    [InlineData("POST", "Authorization: Bearer x|Cookie: a=b|Origin: https://evil.example", false)]
    [InlineData("POST", "Authorization: Basic x|Origin: https://evil.example", false)]
    public void Check_Request_PassesOnlyFromHere(string method, string headers, bool passes)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = method;
        context.Request.Scheme = "http";
        context.Request.Host = new HostString("localhost");
        foreach (var header in headers.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            context.Request.Headers[header[..colon]] = header[(colon + 2)..];
        }
        Assert.Equal(passes, CsrfRule.Check(context.Request, forceHttps: false) is null);
    }
}
