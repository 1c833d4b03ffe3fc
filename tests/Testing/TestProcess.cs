using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Testing;

/// <summary>A second process with its output kept. Disposing kills it.</summary>
public sealed class TestProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _name;
    private readonly List<string> _lines = [];
    private readonly StringBuilder _standardOutput = new();
    private readonly StringBuilder _standardError = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TestProcess(Process process, string name)
    {
        _process = process;
        _name = name;
    }

    /// <summary>The operating system's id.</summary>
    public int Id { get; private set; }

    /// <summary>True when it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Its exit code. Only after its end.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Everything it wrote so far, both streams, in the order of arrival.</summary>
    public string Output
    {
        get
        {
            lock (_lines)
                return string.Join('\n', _lines);
        }
    }

    /// <summary>What it wrote to standard output so far, every line ended by a line feed.</summary>
    public string StandardOutput
    {
        get
        {
            lock (_lines)
                return _standardOutput.ToString();
        }
    }

    /// <summary>What it wrote to standard error so far, every line ended by a line feed.</summary>
    public string StandardError
    {
        get
        {
            lock (_lines)
                return _standardError.ToString();
        }
    }

    /// <summary>Lines kept so far; the place to wait from.</summary>
    public int LineCount
    {
        get
        {
            lock (_lines)
                return _lines.Count;
        }
    }

    /// <summary>Starts a program.</summary>
    /// <param name="program">Its path.</param>
    /// <param name="arguments">Its arguments, unquoted.</param>
    /// <param name="environment">Variables to set; a null value removes one.</param>
    /// <param name="workingDirectory">Default: the tests' own.</param>
    public static TestProcess Start(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            if (value is null)
                start.Environment.Remove(name);
            else
                start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start };
        var result = new TestProcess(process, $"{Path.GetFileName(program)} {string.Join(' ', start.ArgumentList)}");
        process.OutputDataReceived += (_, e) => result.Add(e.Data, result._standardOutput);
        process.ErrorDataReceived += (_, e) => result.Add(e.Data, result._standardError);
        process.Start();
        result.Id = process.Id;
        Processes.Register(result);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return result;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="TimeoutException">It ran longer than <paramref name="timeout"/> (default 60 s); it has been killed.</exception>
    public static async Task<TestProcess> RunAsync(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        TimeSpan? timeout = null,
        CancellationToken cancellationToken = default
    )
    {
        var process = Start(program, arguments, environment, workingDirectory);
        process._process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync(timeout ?? TimeSpan.FromSeconds(60), cancellationToken);
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes a line to its standard input.</summary>
    public async Task WriteLineAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Closes its standard input.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Waits for a line, of those written already or later, on either stream, that matches.</summary>
    /// <param name="pattern">What the line looks like.</param>
    /// <param name="timeout">Default 20 s.</param>
    /// <param name="from">Number of the first line to look at.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TimeoutException">None came in time, or the process ended without it.</exception>
    public async Task<Match> WaitForLineAsync(
        Regex pattern,
        TimeSpan? timeout = null,
        int from = 0,
        CancellationToken cancellationToken = default
    )
    {
        var limit = timeout ?? TimeSpan.FromSeconds(20);
        var clock = Stopwatch.StartNew();
        for (var seen = from; ; )
        {
            var ended = _process.HasExited;
            Task changed;
            lock (_lines)
            {
                for (; seen < _lines.Count; seen++)
                {
                    var match = pattern.Match(_lines[seen]);
                    if (match.Success)
                        return match;
                }

                changed = _changed.Task;
            }

            var rest = limit - clock.Elapsed;
            if (rest <= TimeSpan.Zero || ended)
                throw new TimeoutException($"{this} {(ended ? "ended" : "ran")} without a line like /{pattern}/ within {limit}:\n{Output}");
            // The end of the process raises no line, so look again now and then.
            await Task.WhenAny(
                changed,
                Task.Delay(TimeSpan.FromMilliseconds(Math.Min(100, rest.TotalMilliseconds + 1)), cancellationToken)
            );
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The lines kept so far, both streams; they are forgotten here, so that a long conversation stays small.</summary>
    public IReadOnlyList<string> TakeLines()
    {
        lock (_lines)
        {
            string[] taken = [.. _lines];
            _lines.Clear();
            _standardOutput.Clear();
            _standardError.Clear();
            return taken;
        }
    }

    /// <summary>Waits for its end, with all its output read.</summary>
    /// <exception cref="TimeoutException">It is still running.</exception>
    public async Task<int> WaitForExitAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{this} still runs after {timeout}:\n{Output}");
        }

        Processes.Forget(this);
        return _process.ExitCode;
    }

    /// <summary>Asks it to end (SIGTERM unless said otherwise) and waits.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync(PosixSignal signal = PosixSignal.SIGTERM, TimeSpan? timeout = null)
    {
        if (!_process.HasExited)
            Processes.Signal(Id, signal);
        return await WaitForExitAsync(timeout ?? TimeSpan.FromSeconds(30));
    }

    /// <summary>Ends it at once (SIGKILL). Nothing happens when it has ended.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended, or was disposed.
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Kill();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            // A process in an uninterruptible wait; the system ends it later.
        }

        Processes.Forget(this);
        _process.Dispose();
    }

    /// <summary>The command line.</summary>
    public override string ToString() => _name;

    private void Add(string? line, StringBuilder stream)
    {
        if (line is null)
            return;
        TaskCompletionSource changed;
        lock (_lines)
        {
            _lines.Add(line);
            stream.Append(line).Append('\n');
            changed = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }
}
