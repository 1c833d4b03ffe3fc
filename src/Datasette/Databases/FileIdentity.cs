using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Datasette.Databases;

/// <summary>Which file a path leads to, whatever it is called: device and inode. Found out without opening it.</summary>
/// <param name="Device">The device.</param>
/// <param name="Inode">The file on it.</param>
internal readonly record struct FileIdentity(ulong Device, ulong Inode)
{
    private const int CurrentFolder = -100;
    private const uint WantInode = 0x100;

    /// <summary>The file behind a path, links followed; null when there is none, or where the system does not tell.</summary>
    public static FileIdentity? Of(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        // struct statx is the same on every architecture: inode at byte 32, device at 136 and 140.
        var buffer = new byte[256];
        try
        {
            return Statx(CurrentFolder, path, 0, WantInode, buffer) == 0
                ? new FileIdentity(
                    ((ulong)BitConverter.ToUInt32(buffer, 136) << 32) | BitConverter.ToUInt32(buffer, 140),
                    BitConverter.ToUInt64(buffer, 32)
                )
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>SHA-256 of the content of an immutable database, in hex.</summary>
    /// <remarks>Such a one takes no locks, so a second descriptor of it can drop none; a live one is opened by nobody but SQLite.</remarks>
    public static string HashOfImmutable(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 20);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>Whether two paths lead to the same file. Where the system does not tell, by what the paths resolve to.</summary>
    public static bool IsSame(string path, string other) =>
        Of(path) is { } one && Of(other) is { } two ? one == two : Resolved(path) == Resolved(other);

    private static string Resolved(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
        }
        catch (IOException)
        {
            return Path.GetFullPath(path);
        }
    }

    [DllImport("libc", EntryPoint = "statx", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int Statx(int directory, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, byte[] buffer);
}
