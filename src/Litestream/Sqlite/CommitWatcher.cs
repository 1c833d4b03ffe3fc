using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Litestream.Sqlite;

/// <summary>Tells once when a WAL file is written to, until it is armed again. One for all databases of the process.</summary>
/// <remarks>A database that is being written is looked at by the clock instead; only silence is watched. So a storm of commits costs no events.</remarks>
internal abstract class CommitWatcher : IDisposable
{
    /// <summary>The best watcher that this system has.</summary>
    internal static CommitWatcher Create() =>
        OperatingSystem.IsLinux() && InotifyCommitWatcher.TryCreate() is { } inotify ? inotify : new SilentCommitWatcher();

    /// <summary>True when writes are told; false: the caller has to look by the clock.</summary>
    internal abstract bool TellsWrites { get; }

    /// <summary>From now on the next write to <paramref name="walPath"/> calls <paramref name="onWrite"/>, once, on a thread of the watcher.</summary>
    /// <returns>False when it cannot be watched; then look by the clock.</returns>
    internal abstract bool Arm(string walPath, Action onWrite);

    /// <summary>Forgets a file.</summary>
    internal abstract void Disarm(string walPath);

    public abstract void Dispose();
}

/// <summary>For systems without inotify, and for simulations: tells nothing.</summary>
internal sealed class SilentCommitWatcher : CommitWatcher
{
    internal override bool TellsWrites => false;

    internal override bool Arm(string walPath, Action onWrite) => false;

    internal override void Disarm(string walPath) { }

    public override void Dispose() { }
}

/// <summary>Linux: one inotify instance for all databases, since 128 instances are the usual limit of a user.</summary>
[SupportedOSPlatform("linux")]
internal sealed partial class InotifyCommitWatcher : CommitWatcher
{
    private const int CloseOnExec = 0x80000;
    private const uint OnModify = 0x00000002;
    private const uint OneShot = 0x80000000;
    private const int EventSize = 16;

    private readonly int _fd;
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, (string Path, Action OnWrite)> _byWatch = [];
    private readonly Dictionary<string, int> _byPath = new(StringComparer.Ordinal);
    private volatile bool _disposed;

    private InotifyCommitWatcher(int fd)
    {
        _fd = fd;
        _thread = new Thread(ReadEvents) { IsBackground = true, Name = "litestream commits" };
        _thread.Start();
    }

    internal override bool TellsWrites => true;

    internal static InotifyCommitWatcher? TryCreate()
    {
        var fd = inotify_init1(CloseOnExec);
        return fd < 0 ? null : new InotifyCommitWatcher(fd);
    }

    internal override bool Arm(string walPath, Action onWrite)
    {
        lock (_lock)
        {
            if (_disposed)
                return false;
            var watch = inotify_add_watch(_fd, walPath, OnModify | OneShot);
            if (watch < 0)
                return false;
            if (_byPath.TryGetValue(walPath, out var old) && old != watch)
                _byWatch.Remove(old);
            _byPath[walPath] = watch;
            _byWatch[watch] = (walPath, onWrite);
            return true;
        }
    }

    internal override void Disarm(string walPath)
    {
        lock (_lock)
        {
            if (!_byPath.Remove(walPath, out var watch))
                return;
            _byWatch.Remove(watch);
            _ = inotify_rm_watch(_fd, watch);
        }
    }

    private void ReadEvents()
    {
        var buffer = new byte[64 * 1024];
        while (!_disposed)
        {
            var length = read(_fd, buffer, (nuint)buffer.Length);
            if (length <= 0)
            {
                if (_disposed || Marshal.GetLastPInvokeError() != 4) // EINTR
                    return;
                continue;
            }
            for (var at = 0; at + EventSize <= length; )
            {
                var watch = BitConverter.ToInt32(buffer, at);
                var mask = BitConverter.ToUInt32(buffer, at + 4);
                at += EventSize + BitConverter.ToInt32(buffer, at + 12);
                Tell(watch, mask);
            }
        }
    }

    private void Tell(int watch, uint mask)
    {
        if ((mask & OnModify) == 0)
            return; // a one-shot watch is followed by "ignored"
        Action? onWrite = null;
        lock (_lock)
        {
            if (_byWatch.Remove(watch, out var entry))
            {
                if (_byPath.TryGetValue(entry.Path, out var current) && current == watch)
                    _byPath.Remove(entry.Path);
                onWrite = entry.OnWrite;
            }
        }
        onWrite?.Invoke();
    }

    public override void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (var watch in _byWatch.Keys)
                _ = inotify_rm_watch(_fd, watch); // each removal is an event, which ends the blocking read
        }
        WakeAndClose();
    }

    private void WakeAndClose()
    {
        // A watch on a folder that surely exists, removed at once: its "ignored" event ends the read even when nothing was watched.
        var watch = inotify_add_watch(_fd, "/", OnModify);
        if (watch >= 0)
            _ = inotify_rm_watch(_fd, watch);
        _thread.Join();
        _ = close(_fd);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_init1(int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int inotify_add_watch(int fd, string path, uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_rm_watch(int fd, int watch);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, byte[] buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);
}
