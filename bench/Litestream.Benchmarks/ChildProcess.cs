using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Litestream.Benchmarks;

/// <summary>A second process of a benchmark. Disposing ends it.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(300);
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly Dictionary<string, double> _threads = [];
    private readonly SemaphoreSlim _changed = new(0);

    private ChildProcess(Process process) => _process = process;

    public bool HasExited => _process.HasExited;

    /// <summary>The last line on either stream.</summary>
    public string LastLine
    {
        get
        {
            lock (_lines)
                return _lines[^1];
        }
    }

    public static ChildProcess StartSelf(params string[] arguments) => Start(Environment.ProcessPath!, arguments);

    public static ChildProcess Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var child = new ChildProcess(new Process { StartInfo = start });
        child._process.OutputDataReceived += (_, e) => child.Add(e.Data);
        child._process.ErrorDataReceived += (_, e) => child.Add(e.Data);
        child._process.Start();
        child._process.BeginOutputReadLine();
        child._process.BeginErrorReadLine();
        return child;
    }

    public async Task WaitForLineAsync(string part)
    {
        using var limit = new CancellationTokenSource(s_patience);
        for (var seen = 0; ; )
        {
            lock (_lines)
            {
                for (; seen < _lines.Count; seen++)
                {
                    if (_lines[seen].Contains(part, StringComparison.Ordinal))
                        return;
                }
            }

            if (_process.HasExited)
                throw Failure($"ended without '{part}'");
            await _changed.WaitAsync(TimeSpan.FromMilliseconds(100), limit.Token);
        }
    }

    /// <summary>Looks at the largest resident memory until the process ends, in millions of bytes.</summary>
    public async Task<double> WatchPeakMemory()
    {
        var peak = 0.0;
        while (Status("VmHWM:") is { } now)
        {
            peak = now;
            await Task.Delay(5);
        }

        return peak;
    }

    /// <summary>Resident memory now, in millions of bytes.</summary>
    public double ResidentMb() => Status("VmRSS:") ?? 0;

    /// <summary>
    /// Processor time of all threads, to the nanosecond: the usual counters have steps of ten milliseconds. To be asked often, since a thread that
    /// ends takes with it what it did since the last time.
    /// </summary>
    public double CpuSeconds()
    {
        foreach (var thread in Directory.GetDirectories($"/proc/{_process.Id}/task"))
        {
            try
            {
                var used = File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ')[0];
                _threads[thread] = double.Parse(used, System.Globalization.CultureInfo.InvariantCulture) / 1e9;
            }
            catch (IOException)
            {
                // It has just ended.
            }
        }

        return _threads.Values.Sum();
    }

    public async Task WaitForSuccessAsync()
    {
        using var limit = new CancellationTokenSource(s_patience);
        await _process.WaitForExitAsync(limit.Token);
        if (_process.ExitCode != 0)
            throw Failure($"ended with {_process.ExitCode}");
    }

    /// <summary>Ends ours by the end of its input, and waits for its last work.</summary>
    public async Task StopAsync()
    {
        _process.StandardInput.Close();
        await WaitForSuccessAsync();
    }

    /// <summary>Ends the genuine program by SIGTERM. Its exit code says nothing: 0.3.13 likes to end with 1 at its own last checkpoint.</summary>
    public async Task TerminateAsync()
    {
        _ = Kill(_process.Id, 15);
        using var limit = new CancellationTokenSource(s_patience);
        await _process.WaitForExitAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _changed.Dispose();
    }

    private double? Status(string key)
    {
        try
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
            // A process that has ended but was not asked for its end yet has no memory any more.
            return line is null ? null : double.Parse(line[key.Length..^3], System.Globalization.CultureInfo.InvariantCulture) * 1024 / 1e6;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private InvalidOperationException Failure(string what)
    {
        lock (_lines)
            return new(
                $"{Path.GetFileName(_process.StartInfo.FileName)} {string.Join(' ', _process.StartInfo.ArgumentList)} {what}:\n{string.Join('\n', _lines)}"
            );
    }

    private void Add(string? line)
    {
        if (line is null)
            return;
        lock (_lines)
            _lines.Add(line);
        _changed.Release();
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int processId, int signal);
}
