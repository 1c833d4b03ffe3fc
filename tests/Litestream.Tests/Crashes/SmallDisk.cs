using System.Diagnostics;
using Testing;

namespace Litestream.Tests.Crashes;

/// <summary>A file system of its own, small enough to be filled: a tmpfs that the test mounts.</summary>
/// <remarks>Mounting needs root. As another user run the tests in a namespace in which that user is root: <c>unshare -rm ./build.sh test</c>.</remarks>
internal sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _filler;
    private bool _readOnly;

    internal SmallDisk(long bytes)
    {
        Path = _folder.CreateFolder("disk");
        _filler = Combine("filler");
        var mounted =
            OperatingSystem.IsLinux()
            && Require.FindProgram("mount") is not null
            && Run("mount", "-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", Path);
        if (mounted)
            return;
        _folder.Dispose();
        Require.Unavailable("a small file system", "run as root on Linux, or as root of a namespace: unshare -rm ./build.sh test");
    }

    internal string Path { get; }

    internal string Combine(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Leaves about so many bytes free.</summary>
    internal void Fill(long free)
    {
        Free();
        using var file = new FileStream(_filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        for (var left = new DriveInfo(Path).AvailableFreeSpace - free; left > 0; left -= block.Length)
        {
            try
            {
                file.Write(block);
            }
            catch (IOException)
            {
                return; // full already
            }
        }
    }

    internal void Free() => File.Delete(_filler);

    /// <summary>A second, read-only mount over the first: files that are open already stay writable, as with a disk that turns read-only they would not.</summary>
    internal void MakeReadOnly(bool readOnly)
    {
        var done = readOnly ? Run("mount", "--bind", Path, Path) && Run("mount", "-o", "remount,bind,ro", Path) : Run("umount", Path);
        if (!done)
            throw new InvalidOperationException($"{Path} cannot be mounted again");
        _readOnly = readOnly;
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    public void Dispose()
    {
        if (_readOnly)
            Run("umount", Path);
        Run("umount", Path);
        _folder.Dispose();
    }
}
