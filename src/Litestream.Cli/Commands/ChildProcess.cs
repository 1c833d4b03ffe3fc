using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Litestream.Cli.Commands;

/// <summary>The program of <c>-exec</c>: it shares our input, output and environment, and gets our signals.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;

    private ChildProcess(Process process) => _process = process;

    /// <exception cref="CliException">The program cannot be started.</exception>
    public static ChildProcess Start(string commandLine)
    {
        var words = ShellWords.Split(commandLine);
        if (words.Count == 0)
            throw new CliException("-exec is empty") { Hint = "-exec \"myapp -port 8080\"" };
        try
        {
            return new ChildProcess(Process.Start(new ProcessStartInfo(words[0], words.Skip(1)) { UseShellExecute = false })!);
        }
        catch (Win32Exception e)
        {
            throw new CliException($"cannot start '{words[0]}': {e.Message}") { Hint = "its full path in -exec" };
        }
    }

    /// <summary>Waits for its end; returns its exit code, 128 + N after signal N.</summary>
    public async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        return _process.ExitCode;
    }

    /// <summary>Hands a signal on. A terminal sends Ctrl-C to both of us already.</summary>
    public void Forward(PosixSignal signal)
    {
        if (signal == PosixSignal.SIGINT && !Console.IsInputRedirected)
            return;
        try
        {
            if (_process.HasExited)
                return;
            if (OperatingSystem.IsWindows())
                Kill();
            else
                _ = kill(_process.Id, signal == PosixSignal.SIGINT ? 2 : 15);
        }
        catch (InvalidOperationException)
        {
            // It has just ended by itself.
        }
    }

    /// <summary>Ends it without asking.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has just ended by itself.
        }
    }

    /// <summary>How an exit code is named in an error.</summary>
    public static string Describe(int exitCode) => string.Create(CultureInfo.InvariantCulture, $"exit status {exitCode}");

    public void Dispose() => _process.Dispose();

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int kill(int processId, int signal);
}
