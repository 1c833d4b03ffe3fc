using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Datasette.Hosting;

/// <summary>Sends one request through the whole host without a socket, for <c>--get</c>.</summary>
internal sealed class InProcessClient(DatasetteApp app)
{
    private readonly RequestHandler handler = new(app, new DatasetteRoutes(app));

    public Task<InProcessAnswer> GetAsync(string target, IEnumerable<KeyValuePair<string, string>> headers, CancellationToken ct) =>
        SendAsync("GET", target, headers, null, ct);

    /// <summary>Any request; <paramref name="content"/> is its body, null for none.</summary>
    public async Task<InProcessAnswer> SendAsync(
        string method,
        string target,
        IEnumerable<KeyValuePair<string, string>> headers,
        byte[]? content,
        CancellationToken ct
    )
    {
        using var body = new MemoryStream();
        var features = new FeatureCollection();
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        features.Set<IHttpRequestFeature>(
            new HttpRequestFeature
            {
                Method = method,
                Scheme = "http",
                Protocol = "HTTP/1.1",
                RawTarget = target,
                // For plugins; the host itself reads the raw target.
                Path = Uri.UnescapeDataString(mark < 0 ? target : target[..mark]),
                QueryString = mark < 0 ? "" : target[mark..],
                Body = content is null ? Stream.Null : new MemoryStream(content, writable: false),
            }
        );
        features.Set<IHttpResponseFeature>(new HttpResponseFeature());
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        var context = new DefaultHttpContext(features) { RequestAborted = ct };
        context.Request.Host = new HostString("localhost");
        context.Request.ContentLength = content?.Length;
        foreach (var (name, value) in headers)
        {
            context.Request.Headers.Append(name, value);
        }
        await handler.HandleAsync(context);
        await context.Response.CompleteAsync();
        var answered = context.Response.Headers.SelectMany(header =>
            header.Value.Select(value => new KeyValuePair<string, string>(header.Key, value ?? ""))
        );
        return new(context.Response.StatusCode, answered.ToList(), body.ToArray());
    }
}

/// <summary>What came back.</summary>
internal sealed record InProcessAnswer(int Status, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body);
