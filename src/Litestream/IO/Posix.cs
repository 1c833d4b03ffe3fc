using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace Litestream.IO;

/// <summary>The few calls of a Unix system that the framework does not offer: folders as files, advisory locks, owners.</summary>
[UnsupportedOSPlatform("windows")]
internal static partial class Posix
{
    private const int ReadOnly = 0;
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int LockRelease = 8;
    private const int InvalidArgument = 22;
    private const int Interrupted = 4;
    private const int AtFdCwd = -100;
    private const uint StatxUidGid = 0x18;
    private const uint SyncFileRangeWrite = 2;
    private const uint StatxBasic = 0x7ff;

    private static int CloseOnExec => OperatingSystem.IsLinux() ? 0x80000 : 0x1000000;

    private static int NotSupported => OperatingSystem.IsLinux() ? 95 : 45;

    /// <summary>Opens a file or folder for reading, taking none of the locks that the framework takes.</summary>
    /// <returns>The handle, or null and the system's error number.</returns>
    public static SafeFileHandle? OpenRead(string path, out int errno)
    {
        int fd;
        do
        {
            fd = Open(path, ReadOnly | CloseOnExec);
            errno = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        } while (fd < 0 && errno == Interrupted);
        return fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
    }

    /// <summary>Makes the names in a folder durable. Systems that cannot sync a folder do nothing.</summary>
    public static void SyncDirectory(string path)
    {
        using var handle = OpenRead(path, out var errno);
        if (handle is null)
            throw LocalStorageFailure.FromErrno("open folder", path, errno);
        if (FileSync(handle) == 0)
            return;
        errno = Marshal.GetLastPInvokeError();
        if (errno != InvalidArgument && errno != NotSupported)
            throw LocalStorageFailure.FromErrno("sync folder", path, errno);
    }

    /// <summary>Tells the system to begin writing a file's bytes to the disk. A hint: it may be ignored, and nothing is durable by it.</summary>
    [SupportedOSPlatform("linux")]
    public static void BeginWriteBack(SafeFileHandle handle)
    {
        try
        {
            _ = SyncFileRange(handle, 0, 0, SyncFileRangeWrite);
        }
        catch (EntryPointNotFoundException)
        {
            // A C library without it: the sync at the end does all.
        }
    }

    /// <summary>Takes the exclusive lock of an open file, at once or not at all; it ends with the last handle, so with the process.</summary>
    public static bool TryLockExclusive(SafeFileHandle handle, string path)
    {
        if (FileLock(handle, LockExclusive | LockNonBlocking) == 0)
            return true;
        var errno = Marshal.GetLastPInvokeError();
        return errno == LocalStorageFailure.WouldBlock ? false : throw LocalStorageFailure.FromErrno("lock", path, errno);
    }

    /// <summary>
    /// Gives the lock back at once. Closing alone would not: a child process that this one is just starting still holds a copy of every
    /// descriptor until it runs its own program, and with it the lock.
    /// </summary>
    public static void Unlock(SafeFileHandle handle) => _ = FileLock(handle, LockRelease);

    /// <summary>Gives a file the owner and group of another, where the system permits it (usually: for root).</summary>
    public static void CopyOwner(string like, string path)
    {
        if (OperatingSystem.IsLinux() && TryGetOwner(like, out var wanted) && TryGetOwner(path, out var present) && wanted != present)
            _ = ChangeOwner(path, wanted.User, wanted.Group);
    }

    /// <summary>What a path names, without opening it; null when there is nothing or the system does not tell.</summary>
    public static FileState? Stat(string path)
    {
        // struct statx: inode at byte 32, size at 40, time of the last change at 96 and 104, device at 136 and 140.
        Span<byte> buffer = stackalloc byte[256];
        try
        {
            if (Statx(AtFdCwd, path, 0, StatxBasic, ref MemoryMarshal.GetReference(buffer)) != 0)
                return null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
        var file = new FileIdentity(
            MemoryMarshal.Read<uint>(buffer[136..]),
            MemoryMarshal.Read<uint>(buffer[140..]),
            MemoryMarshal.Read<ulong>(buffer[32..])
        );
        var changed = MemoryMarshal.Read<long>(buffer[96..]) * 1_000_000_000 + MemoryMarshal.Read<uint>(buffer[104..]);
        return new FileState(file, MemoryMarshal.Read<long>(buffer[40..]), changed);
    }

    private static bool TryGetOwner(string path, out (uint User, uint Group) owner)
    {
        // struct statx has one layout on every architecture, unlike struct stat: uid at byte 20, gid at byte 24.
        Span<byte> buffer = stackalloc byte[256];
        owner = default;
        try
        {
            if (Statx(AtFdCwd, path, 0, StatxUidGid, ref MemoryMarshal.GetReference(buffer)) != 0)
                return false;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library from before 2018: owners are then not copied.
            return false;
        }
        owner = (MemoryMarshal.Read<uint>(buffer[20..]), MemoryMarshal.Read<uint>(buffer[24..]));
        return true;
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FileSync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(SafeFileHandle handle, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FileLock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "chown", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int ChangeOwner(string path, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Statx(int directory, string path, int flags, uint mask, ref byte buffer);
}

/// <summary>A file as the kernel knows it.</summary>
internal readonly record struct FileIdentity(uint Major, uint Minor, ulong Inode);

/// <summary>What the kernel says of a file.</summary>
/// <param name="File">Which it is.</param>
/// <param name="SizeBytes">Its length.</param>
/// <param name="ChangeTime">When its content, length or attributes were last changed, in nanoseconds since 1970; no program can set it.</param>
internal readonly record struct FileState(FileIdentity File, long SizeBytes, long ChangeTime);
