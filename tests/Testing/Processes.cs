using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Testing;

/// <summary>What tests need around second processes. Every process started here dies with the test run.</summary>
public static class Processes
{
    private static readonly ConcurrentDictionary<int, TestProcess> s_running = new();

    static Processes()
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => KillAll();
    }

    /// <summary>A TCP port of the loopback interface on which nobody listens now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Waits until a connection to the port is accepted.</summary>
    /// <exception cref="TimeoutException">Nobody listened in time, or <paramref name="process"/> ended.</exception>
    public static async Task WaitForPortAsync(
        int port,
        TimeSpan timeout,
        TestProcess? process = null,
        CancellationToken cancellationToken = default
    )
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        while (true)
        {
            if (process is { HasExited: true })
                throw new TimeoutException($"{process} ended before it listened on port {port}:\n{process.Output}");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return;
            }
            catch (SocketException)
            {
                try
                {
                    await Task.Delay(20, limit.Token);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    throw new TimeoutException($"nobody listened on port {port} within {timeout}\n{process?.Output}");
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"nobody answered on port {port} within {timeout}\n{process?.Output}");
            }
        }
    }

    /// <summary>Sends a signal to one process, by its id.</summary>
    public static void Signal(int processId, PosixSignal signal)
    {
        var number = signal switch
        {
            PosixSignal.SIGTERM => 15,
            PosixSignal.SIGINT => 2,
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGQUIT => 3,
            _ => throw new ArgumentOutOfRangeException(nameof(signal)),
        };
        _ = Kill(processId, number);
    }

    /// <summary>Stops (SIGSTOP) or continues (SIGCONT) one process: a reader or writer that hangs.</summary>
    public static void Freeze(int processId, bool frozen) => _ = Kill(processId, frozen ? 19 : 18);

    internal static void Register(TestProcess process) => s_running[process.Id] = process;

    internal static void Forget(TestProcess process) => s_running.TryRemove(process.Id, out _);

    private static void KillAll()
    {
        foreach (var process in s_running.Values)
            process.Kill();
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int processId, int signal);
}
