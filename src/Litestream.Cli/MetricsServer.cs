using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Litestream.Cli;

/// <summary>A small HTTP/1.1 server that answers <c>GET /metrics</c> with text for Prometheus, and everything else with 404.</summary>
/// <remarks>
/// Listens from construction until disposed; the owner disposes it. Each connection serves one request. <c>write</c> is called on pool threads, perhaps
/// several at once. No authentication: bind it to an address that only the collector reaches.
/// </remarks>
public sealed class MetricsServer : IAsyncDisposable
{
    private const int MaxHeadBytes = 16 * 1024;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly TcpListener _listener;
    private readonly Action<TextWriter> _write;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _places = new(32);
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _running = [];
    private readonly Task _accepting;

    /// <summary>Starts to listen.</summary>
    /// <param name="addr"><c>:9090</c> for all interfaces, or <c>host:port</c>; port 0 takes a free one, see <see cref="Port"/>.</param>
    /// <param name="write">Writes all metrics.</param>
    /// <param name="time">Clock for time limits; null for the system's.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>: no such address, no port, or the address is in use.</exception>
    public MetricsServer(string addr, Action<TextWriter> write, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(addr);
        ArgumentNullException.ThrowIfNull(write);
        _write = write;
        _time = time ?? TimeProvider.System;
        _listener = Listen(addr);
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>The port it listens on.</summary>
    public int Port { get; }

    /// <summary>Throws unless the text is <c>:PORT</c> or <c>HOST:PORT</c>.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.InvalidConfiguration"/>.</exception>
    public static void CheckAddress(string addr)
    {
        ArgumentNullException.ThrowIfNull(addr);
        _ = Split(addr);
    }

    /// <summary>Stops listening and waits for requests in progress.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        Task[] running;
        lock (_gate)
            running = [.. _running];
        await Task.WhenAll(running).ConfigureAwait(false);
        _listener.Dispose();
        _places.Dispose();
        _stop.Dispose();
    }

    private static (string Host, int Port) Split(string addr)
    {
        var colon = addr.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(addr.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            throw Invalid($"addr: must be host:port or :port (got {addr})", ":9090", null);
        return (addr[..colon].Trim('[', ']'), port);
    }

    private static TcpListener Listen(string addr)
    {
        var (host, port) = Split(addr);
        try
        {
            var address =
                host.Length == 0 ? (Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any)
                : IPAddress.TryParse(host, out var literal) ? literal
                : Dns.GetHostAddresses(host)[0];
            var listener = new TcpListener(address, port);
            if (host.Length == 0 && address.AddressFamily == AddressFamily.InterNetworkV6)
                listener.Server.DualMode = true;
            listener.Start();
            return listener;
        }
        catch (SocketException e)
        {
            var cause = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "the address is in use",
                SocketError.AccessDenied => "no permission for this port",
                SocketError.AddressNotAvailable => "this machine does not have this address",
                _ => e.Message,
            };
            throw Invalid($"addr: cannot listen on {addr} for metrics: {cause}", "another port, or stop the program that uses it", e);
        }
    }

    private static LitestreamException Invalid(string text, string hint, Exception? cause) =>
        new(LitestreamError.InvalidConfiguration, text, cause) { Hint = hint };

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                await _places.WaitAsync(_stop.Token).ConfigureAwait(false);
                socket = await _listener.AcceptSocketAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                if (_stop.IsCancellationRequested)
                    return;
                _places.Release(); // A connection that broke before it was accepted.
                continue;
            }
            var serving = ServeAsync(socket);
            lock (_gate)
                _running.Add(serving);
            _ = serving.ContinueWith(
                done =>
                {
                    lock (_gate)
                        _running.Remove(done);
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        try
        {
            using var limit = new CancellationTokenSource(s_patience, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
            var stream = new NetworkStream(socket, ownsSocket: true);
            await using var closing = stream.ConfigureAwait(false);
            if (await ReadRequestLineAsync(stream, either.Token).ConfigureAwait(false) is { } line)
                await stream.WriteAsync(Answer(line), either.Token).ConfigureAwait(false);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The collector went away or was too slow; it comes again.
        }
        finally
        {
            if (!_stop.IsCancellationRequested)
                _places.Release();
        }
    }

    // Reads until the empty line; null when the request is none or too long.
    private static async Task<string?> ReadRequestLineAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxHeadBytes];
        var used = 0;
        while (used < buffer.Length)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(used), cancellationToken).ConfigureAwait(false);
            if (read == 0)
                return null;
            used += read;
            if (buffer.AsSpan(0, used).IndexOf("\r\n\r\n"u8) >= 0)
                return Encoding.Latin1.GetString(buffer, 0, buffer.AsSpan(0, used).IndexOf("\r\n"u8));
        }
        return null;
    }

    private byte[] Answer(string requestLine)
    {
        var parts = requestLine.Split(' ');
        if (parts.Length != 3 || !parts[2].StartsWith("HTTP/1.", StringComparison.Ordinal))
            return Response("400 Bad Request", "bad request\n", withBody: true);
        var withBody = parts[0] != "HEAD";
        if (parts[1].Split('?')[0] != "/metrics")
            return Response("404 Not Found", "404 page not found\n", withBody);
        if (parts[0] is not ("GET" or "HEAD"))
            return Response("405 Method Not Allowed", "method not allowed\n", withBody);
        try
        {
            var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
            _write(text);
            return Response("200 OK", text.ToString(), withBody, "text/plain; version=0.0.4; charset=utf-8");
        }
        catch (Exception e) when (e is InvalidOperationException or LitestreamException)
        {
            return Response("500 Internal Server Error", e.Message + "\n", withBody);
        }
    }

    private static byte[] Response(string status, string body, bool withBody, string type = "text/plain; charset=utf-8")
    {
        var content = Encoding.UTF8.GetBytes(body);
        var head = Encoding.ASCII.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n"
            )
        );
        return withBody ? [.. head, .. content] : head;
    }
}
