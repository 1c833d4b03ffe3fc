using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Benchmarks;

/// <summary>
/// A store as it feels from far away: the files of a replica folder by the calls of S3 that a restore makes, each answered after a delay, each
/// connection at a limited speed. In a process of its own, so that its work is nobody's.
/// </summary>
internal static class SlowStoreServer
{
    public const string Verb = "slow-store";
    public const string Ready = "listening on ";

    private static readonly TimeSpan s_delay = TimeSpan.FromMilliseconds(80);
    private const double BytesPerSecond = 10e6;
    private const int Chunk = 64 * 1024;

    /// <summary>Serves <paramref name="folder"/> as bucket <c>bucket</c> until the standard input ends.</summary>
    public static async Task<int> RunAsync(string folder)
    {
        var objects = await FindAsync(folder);
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Console.WriteLine(Ready + ((IPEndPoint)listener.LocalEndpoint).Port);
        _ = Task.Run(async () =>
        {
            while (true)
                _ = ServeAsync(await listener.AcceptTcpClientAsync(), objects);
        });
        await Console.In.ReadToEndAsync();
        return 0;
    }

    private static async Task<SortedDictionary<string, string>> FindAsync(string folder)
    {
        var objects = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await using var client = new ReplicaClient(new FileObjectStore(DurableFiles.System, folder), ReplicaLayout.Folders);
        for (var level = LtxFileInfo.MinLevel; level <= LtxFileInfo.SnapshotLevel; level++)
        {
            await foreach (var file in client.ListAsync(level, Txid.None, TimestampAccuracy.Listing, CancellationToken.None))
            {
                var path = Path.Combine(folder, ReplicaLayout.Folders.Key(level, file.MinTxid, file.MaxTxid));
                objects.Add(ReplicaLayout.Buckets.Key(level, file.MinTxid, file.MaxTxid), path);
            }
        }

        return objects;
    }

    private static async Task ServeAsync(TcpClient connection, SortedDictionary<string, string> objects)
    {
        using var closing = connection;
        connection.NoDelay = true;
        var stream = connection.GetStream();
        try
        {
            while (await ReadRequestAsync(stream) is { } request)
            {
                await Task.Delay(s_delay);
                await AnswerAsync(stream, request, objects);
            }
        }
        catch (IOException)
        {
            // The other side has enough.
        }
    }

    /// <summary>The lines of a request without a body; null at the end of the connection.</summary>
    private static async Task<string[]?> ReadRequestAsync(NetworkStream stream)
    {
        var bytes = new List<byte>();
        var one = new byte[1];
        while (true)
        {
            if (await stream.ReadAsync(one) == 0)
                return null;
            bytes.Add(one[0]);
            if (bytes.Count >= 4 && bytes[^4] == '\r' && bytes[^3] == '\n' && bytes[^2] == '\r' && bytes[^1] == '\n')
                return Encoding.ASCII.GetString([.. bytes]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        }
    }

    private static async Task AnswerAsync(NetworkStream stream, string[] request, SortedDictionary<string, string> objects)
    {
        var parts = request[0].Split(' ');
        var uri = new Uri("http://localhost" + parts[1]);
        if (uri.Query.Contains("list-type=2", StringComparison.Ordinal))
        {
            await SendAsync(stream, parts[0], "200 OK", "application/xml", Encoding.UTF8.GetBytes(Listing(uri.Query, objects)));
            return;
        }

        var key = Uri.UnescapeDataString(uri.AbsolutePath).TrimStart('/');
        key = key[(key.IndexOf('/', StringComparison.Ordinal) + 1)..];
        if (!objects.TryGetValue(key, out var path))
        {
            var error = "<Error><Code>NoSuchKey</Code><Message>not found</Message></Error>";
            await SendAsync(stream, parts[0], "404 Not Found", "application/xml", Encoding.UTF8.GetBytes(error));
            return;
        }

        await SendFileAsync(
            stream,
            parts[0],
            path,
            request.FirstOrDefault(l => l.StartsWith("range:", StringComparison.OrdinalIgnoreCase))
        );
    }

    private static string Listing(string query, SortedDictionary<string, string> objects)
    {
        var arguments = query
            .TrimStart('?')
            .Split('&')
            .Select(a => a.Split('=', 2))
            .ToDictionary(a => a[0], a => Uri.UnescapeDataString(a[^1]));
        var prefix = arguments.GetValueOrDefault("prefix", "");
        var after = arguments.GetValueOrDefault("start-after", "");
        var xml = new StringBuilder("<?xml version=\"1.0\"?><ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>");
        foreach (var (key, path) in objects)
        {
            if (!key.StartsWith(prefix, StringComparison.Ordinal) || string.CompareOrdinal(key, after) <= 0)
                continue;
            var file = new FileInfo(path);
            xml.Append(
                CultureInfo.InvariantCulture,
                $"<Contents><Key>{key}</Key><LastModified>{file.LastWriteTimeUtc:yyyy-MM-ddTHH:mm:ss.fffZ}</LastModified><ETag>\"{file.Length:x}\"</ETag><Size>{file.Length}</Size></Contents>"
            );
        }

        return xml.Append("</ListBucketResult>").ToString();
    }

    private static async Task SendFileAsync(NetworkStream stream, string method, string path, string? range)
    {
        await using var file = File.OpenRead(path);
        var (first, last) = (0L, file.Length - 1);
        if (range is not null)
        {
            var ends = range[(range.IndexOf('=', StringComparison.Ordinal) + 1)..].Trim().Split('-');
            first = long.Parse(ends[0], CultureInfo.InvariantCulture);
            last = ends[1].Length > 0 ? Math.Min(last, long.Parse(ends[1], CultureInfo.InvariantCulture)) : last;
        }

        var head = new StringBuilder(range is null ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 206 Partial Content\r\n");
        if (range is not null)
            head.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes {first}-{last}/{file.Length}\r\n");
        head.Append(
            CultureInfo.InvariantCulture,
            $"Content-Length: {last - first + 1}\r\nContent-Type: application/octet-stream\r\nETag: \"{file.Length:x}\"\r\nLast-Modified: {File.GetLastWriteTimeUtc(path):R}\r\n\r\n"
        );
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head.ToString()));
        if (method == "HEAD")
            return;
        file.Position = first;
        var buffer = new byte[Chunk];
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        for (long sent = 0; sent < last - first + 1; )
        {
            var count = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, last - first + 1 - sent)));
            await stream.WriteAsync(buffer.AsMemory(0, count));
            sent += count;
            var ahead = TimeSpan.FromSeconds(sent / BytesPerSecond) - System.Diagnostics.Stopwatch.GetElapsedTime(started);
            if (ahead > TimeSpan.FromMilliseconds(1))
                await Task.Delay(ahead);
        }
    }

    private static async Task SendAsync(NetworkStream stream, string method, string status, string type, byte[] body)
    {
        var head = $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        if (method != "HEAD")
            await stream.WriteAsync(body);
    }
}
