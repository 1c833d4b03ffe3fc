using System.Collections.Concurrent;
using System.Net;
using System.Security;
using System.Text;
using Litestream.Replicas;
using Testing;

namespace Litestream.Tests.S3;

/// <summary>As much of S3 as an upload and a restore need, and refusals on demand: no real server says 429 when asked to.</summary>
internal sealed class TinyS3 : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    private readonly int _port = Processes.FreePort();
    private int _refusals;
    private int _status;

    internal TinyS3()
    {
        _listener.Prefixes.Add($"http://127.0.0.1:{_port}/");
        _listener.Start();
        _ = ServeAsync();
    }

    /// <summary>Refusals that are still to come.</summary>
    internal int Refusals => Math.Max(0, Volatile.Read(ref _refusals));

    internal void Refuse(int requests, int status) => (_status, _refusals) = (status, requests);

    internal ReplicaOptions Options(string bucket) =>
        new()
        {
            Url = ReplicaUrl.Parse($"s3://{bucket}/db"),
            SyncInterval = TimeSpan.FromMilliseconds(10),
            Settings = new Dictionary<string, string>
            {
                ["endpoint"] = $"http://127.0.0.1:{_port}",
                ["region"] = "us-east-1",
                ["access-key-id"] = "key",
                ["secret-access-key"] = "secret",
                ["force-path-style"] = "true",
            },
        };

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            await AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        var (request, response) = (context.Request, context.Response);
        using var body = new MemoryStream();
        await request.InputStream.CopyToAsync(body);
        var key = Uri.UnescapeDataString(request.Url!.AbsolutePath.TrimStart('/'));
        if (Interlocked.Decrement(ref _refusals) >= 0)
        {
            response.StatusCode = _status;
        }
        else if (request.HttpMethod == "PUT")
        {
            _objects[key] = body.ToArray();
            response.AddHeader("ETag", $"\"{_objects.Count}\"");
        }
        else if (request.QueryString["list-type"] is not null)
        {
            await WriteAsync(response, Encoding.UTF8.GetBytes(List(key.TrimEnd('/'), request.QueryString["prefix"] ?? "")));
        }
        else if (_objects.TryGetValue(key, out var content))
        {
            response.AddHeader("ETag", "\"1\"");
            var range = request.Headers["Range"] is { } asked ? asked["bytes=".Length..].Split('-') : null;
            var from = range is null ? 0 : int.Parse(range[0], System.Globalization.CultureInfo.InvariantCulture);
            var to = range is [_, { Length: > 0 } end]
                ? int.Parse(end, System.Globalization.CultureInfo.InvariantCulture)
                : content.Length - 1;
            to = Math.Min(to, content.Length - 1);
            if (range is not null)
            {
                response.StatusCode = 206;
                response.AddHeader("Content-Range", $"bytes {from}-{to}/{content.Length}");
            }
            await WriteAsync(response, request.HttpMethod == "HEAD" ? [] : content[from..(to + 1)]);
        }
        else
        {
            response.StatusCode = 404;
        }
        response.Close();
    }

    private static async Task WriteAsync(HttpListenerResponse response, byte[] bytes)
    {
        response.ContentLength64 = bytes.Length;
        await response.OutputStream.WriteAsync(bytes);
    }

    private string List(string bucket, string prefix)
    {
        var xml = new StringBuilder("<ListBucketResult><IsTruncated>false</IsTruncated>");
        foreach (var (path, content) in _objects.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            if (!path.StartsWith($"{bucket}/{prefix}", StringComparison.Ordinal))
                continue;
            var key = SecurityElement.Escape(path[(bucket.Length + 1)..]);
            xml.Append(
                System.Globalization.CultureInfo.InvariantCulture,
                $"<Contents><Key>{key}</Key><Size>{content.Length}</Size><ETag>\"1\"</ETag><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
            );
        }
        return xml.Append("</ListBucketResult>").ToString();
    }

    public void Dispose() => _listener.Close();
}
