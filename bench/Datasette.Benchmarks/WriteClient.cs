using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Datasette.Benchmarks;

/// <summary>One connection that sends a request, waits for the answer, and sends the next: so lean that the two cores are left to the server.</summary>
internal sealed class WriteClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _answer = new byte[256 * 1024];

    public WriteClient(int port) => _socket.Connect(IPAddress.Loopback, port);

    /// <summary>A request as it goes over the wire.</summary>
    public static byte[] Request(string method, string path, string token, string body = "") =>
        Encoding.ASCII.GetBytes(
            $"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                + (body.Length > 0 ? $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n" : "")
                + "\r\n"
                + body
        );

    /// <summary>Sends it and reads the whole answer.</summary>
    /// <exception cref="InvalidOperationException">The status is another one.</exception>
    public void Send(byte[] request, int status)
    {
        _socket.Send(request);
        var length = 0;
        while (true)
        {
            var read = _socket.Receive(_answer, length, _answer.Length - length, SocketFlags.None);
            length += read;
            var head = _answer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
            if (read == 0 || head >= 0 && length >= head + 4 + ContentLength(_answer.AsSpan(0, head)))
            {
                break;
            }
        }

        if (length < 12 || int.Parse(_answer.AsSpan(9, 3), CultureInfo.InvariantCulture) != status)
        {
            throw new InvalidOperationException($"not {status}: {Encoding.UTF8.GetString(_answer, 0, length)}");
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Runs so many connections side by side, each on a thread.</summary>
    /// <param name="port">The server's.</param>
    /// <param name="connections">How many.</param>
    /// <param name="seconds">How long.</param>
    /// <param name="request">The next request of a connection; given its number and a count.</param>
    /// <param name="status">Status that every answer must have.</param>
    /// <param name="perSecond">Requests a second of each connection; 0: as many as it can.</param>
    public static Load Run(int port, int connections, double seconds, Func<int, int, byte[]> request, int status, double perSecond = 0)
    {
        var all = new List<double>[connections];
        Exception? failure = null;
        var start = Stopwatch.GetTimestamp();
        var threads = Enumerable
            .Range(0, connections)
            .Select(number => new Thread(() =>
            {
                try
                {
                    all[number] = One(port, number, start, seconds, request, status, perSecond);
                }
                catch (Exception e)
                {
                    failure = e;
                }
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        if (failure is not null)
        {
            throw new InvalidOperationException(failure.Message, failure);
        }

        var latencies = all.SelectMany(one => one).Order().ToList();
        return new Load(latencies.Count / seconds, At(latencies, 0.5), At(latencies, 0.99));
    }

    private static List<double> One(
        int port,
        int number,
        long start,
        double seconds,
        Func<int, int, byte[]> request,
        int status,
        double perSecond
    )
    {
        using var client = new WriteClient(port);
        var latencies = new List<double>(1 << 16);
        for (var i = 0; Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; i++)
        {
            while (perSecond > 0 && Stopwatch.GetElapsedTime(start).TotalSeconds < i / perSecond)
            {
                Thread.Sleep(1);
            }

            var next = request(number, i);
            var sent = Stopwatch.GetTimestamp();
            client.Send(next, status);
            latencies.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        return latencies;
    }

    private static double At(List<double> sorted, double part) =>
        sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, (int)(part * sorted.Count))];

    private static int ContentLength(ReadOnlySpan<byte> head)
    {
        const string name = "content-length:";
        for (var rest = head; rest.Length > name.Length; )
        {
            if (Ascii.EqualsIgnoreCase(rest[..name.Length], name))
            {
                var end = rest.IndexOf((byte)'\r');
                return int.Parse(rest[name.Length..(end < 0 ? rest.Length : end)].Trim((byte)' '), CultureInfo.InvariantCulture);
            }

            var next = rest.IndexOf((byte)'\n');
            if (next < 0)
            {
                return 0;
            }

            rest = rest[(next + 1)..];
        }

        return 0;
    }
}
