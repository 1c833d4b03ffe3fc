using System.Globalization;
using Litestream.IO;

namespace Litestream.Sqlite;

/// <summary>A process that holds a lock of SQLite's on a database.</summary>
/// <param name="ProcessId">Its id, as this process sees it.</param>
/// <param name="Command">Its short name; null when the system does not tell.</param>
public sealed record LockHolder(int ProcessId, string? Command)
{
    /// <inheritdoc/>
    public override string ToString() =>
        Command is null
            ? string.Create(CultureInfo.InvariantCulture, $"process {ProcessId}")
            : string.Create(CultureInfo.InvariantCulture, $"process {ProcessId} ({Command})");
}

/// <summary>
/// Which other processes hold SQLite's locks, from the kernel's own list: Linux only, elsewhere nobody is ever named. The -shm and the database are
/// found by path alone; opening and closing either would drop the locks that this process holds on it (rule 1).
/// </summary>
internal static class LockHolders
{
    // The bytes of SQLite's wal-index and of its database file that carry locks (sqlite.org, "WAL-mode File Format" and os.h).
    private const long WriterByte = 120;
    private const long FirstReadMark = 123;
    private const long LastReadMark = 127;
    private const long PendingByte = 0x40000000;
    private const long LastSharedByte = PendingByte + 511;
    private const string Locks = "locks";

    /// <summary>Others that read through the WAL, or the database file beside it.</summary>
    internal static IReadOnlyList<LockHolder> Readers(string shmPath) =>
        Find(shmPath, static l => !l.IsWrite && l.First <= LastReadMark && l.Last >= FirstReadMark);

    /// <summary>Others that are in a write transaction.</summary>
    internal static IReadOnlyList<LockHolder> Writers(string shmPath) =>
        Find(shmPath, static l => l.IsWrite && l.First <= WriterByte && l.Last >= WriterByte);

    /// <summary>Others that lock the database file itself against everybody: <c>locking_mode=EXCLUSIVE</c>, or a rollback journal.</summary>
    internal static IReadOnlyList<LockHolder> Exclusive(string databasePath) =>
        Find(databasePath, static l => l.IsWrite && l.First <= LastSharedByte && l.Last >= PendingByte);

    /// <summary>One line of the list; null when it is none of a POSIX lock, or of a lock that is only waited for.</summary>
    internal static FileLock? Parse(string line)
    {
        var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 8 || parts[1] != "POSIX")
            return null;
        var file = parts[5].Split(':');
        if (
            file.Length != 3
            || !int.TryParse(parts[4], NumberStyles.None, CultureInfo.InvariantCulture, out var processId)
            || !uint.TryParse(file[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var major)
            || !uint.TryParse(file[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var minor)
            || !ulong.TryParse(file[2], NumberStyles.None, CultureInfo.InvariantCulture, out var inode)
            || !long.TryParse(parts[6], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
        )
            return null;
        var last = long.MaxValue;
        if (parts[7] != "EOF" && !long.TryParse(parts[7], NumberStyles.None, CultureInfo.InvariantCulture, out last))
            return null;
        return new FileLock(parts[3] == "WRITE", processId, new FileIdentity(major, minor, inode), first, last);
    }

    private static List<LockHolder> Find(string path, Func<FileLock, bool> matches)
    {
        if (!OperatingSystem.IsLinux() || Posix.Stat(path) is not { File: var file })
            return [];
        var locks = (ProcFiles.Read(Locks) ?? "")
            .Split('\n')
            .Select(Parse)
            .OfType<FileLock>()
            .Where(l => l.File.Inode == file.Inode && l.ProcessId > 0 && l.ProcessId != Environment.ProcessId && matches(l))
            .ToList();
        // Some file systems tell two device numbers for one file: then the inode has to do.
        if (locks.Any(l => l.File == file))
            locks.RemoveAll(l => l.File != file);
        return [.. locks.Select(l => l.ProcessId).Distinct().Order().Select(id => new LockHolder(id, CommandOf(id)))];
    }

    // Null when it has just ended, or is hidden from us.
    private static string? CommandOf(int processId) =>
        ProcFiles.Read(string.Create(CultureInfo.InvariantCulture, $"{processId}/comm"))?.Trim();
}

/// <summary>A lock on a stretch of a file.</summary>
internal readonly record struct FileLock(bool IsWrite, int ProcessId, FileIdentity File, long First, long Last);
