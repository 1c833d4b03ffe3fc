using System.Net.Sockets;
using System.Text;

namespace Datasette.Tests.Conformance;

/// <summary>One HTTP answer, read from a bare socket so that nothing is decoded, followed or normalised on the way.</summary>
internal sealed class Answer
{
    private readonly List<KeyValuePair<string, string>> headers = [];

    public int Status { get; private set; }

    public byte[] Body { get; private set; } = [];

    public string Text => Encoding.UTF8.GetString(Body);

    public IEnumerable<string> HeaderNames => headers.Select(h => h.Key).Distinct();

    public string? Header(string name) => Headers(name).ToList() is { Count: > 0 } values ? string.Join(", ", values) : null;

    public IEnumerable<string> Headers(string name) => headers.Where(h => h.Key == name).Select(h => h.Value);

    /// <summary>An answer that came another way than over a socket.</summary>
    public static Answer Of(int status, string contentType, string text)
    {
        var answer = new Answer { Status = status, Body = Encoding.UTF8.GetBytes(text) };
        answer.headers.Add(new("content-type", contentType));
        return answer;
    }

    public static async Task<Answer> SendAsync(
        int port,
        string method,
        string target,
        IEnumerable<KeyValuePair<string, string>> headers,
        byte[]? body,
        CancellationToken ct
    )
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, ct);
        var stream = client.GetStream();
        var head = new StringBuilder($"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        if (body is not null || method is "POST" or "PUT")
        {
            head.Append("Content-Length: ").Append(body?.Length ?? 0).Append("\r\n");
        }
        foreach (var (name, value) in headers)
        {
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        }
        await stream.WriteAsync(Encoding.UTF8.GetBytes(head.Append("\r\n").ToString()), ct);
        if (body is not null)
        {
            await stream.WriteAsync(body, ct);
        }
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, ct);
        return Parse(all.ToArray(), method);
    }

    private static Answer Parse(byte[] bytes, string method)
    {
        var end = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            throw new InvalidOperationException("no HTTP answer: " + Encoding.UTF8.GetString(bytes));
        }
        var answer = new Answer();
        var lines = Encoding.UTF8.GetString(bytes, 0, end).Split("\r\n");
        answer.Status = int.Parse(lines[0].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        foreach (var line in lines.Skip(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            answer.headers.Add(new(line[..colon].ToLowerInvariant(), line[(colon + 1)..].Trim()));
        }
        var body = bytes.AsSpan(end + 4);
        answer.Body =
            method == "HEAD" ? []
            : answer.Header("transfer-encoding") == "chunked" ? Unchunk(body)
            : body.ToArray();
        return answer;
    }

    private static byte[] Unchunk(ReadOnlySpan<byte> body)
    {
        using var result = new MemoryStream();
        while (true)
        {
            var line = body.IndexOf("\r\n"u8);
            var size = Convert.ToInt32(Encoding.ASCII.GetString(body[..line]).Trim(), 16);
            if (size == 0)
            {
                return result.ToArray();
            }
            result.Write(body.Slice(line + 2, size));
            body = body[(line + 2 + size + 2)..];
        }
    }
}
