using System.Globalization;
using System.Text;
using Litestream.IO;
using Litestream.Ltx;
using Litestream.Sqlite;

namespace Litestream.Replication;

/// <summary>
/// Proof, over the time in which no engine runs, that nobody has written to the database file: then its content is still that of the last transaction
/// copied, and whatever the WAL holds by then is everything that came since. Without it a WAL that was removed or restarted meanwhile, which an
/// application's own clean end does, means the whole database again at each start.
/// </summary>
/// <remarks>
/// Nothing in SQLite's files says this: the change counter stands still for most transactions of a WAL, salts are random, and a file's modification time
/// can be set by anybody. What the kernel keeps is the time of the last change of the inode, which no program can set and every write moves; it is
/// exact as long as the system has not been started anew (a power cut may lose it). So: same boot, same inode, size and change time, on a local file
/// system known to keep it. Where any of that cannot be had (other systems, network file systems), nothing is proved, and the rules of V1 to V9 decide.
/// The file is written while a barrier keeps everybody from the database and everything is moved, and is taken away before the database is used again.
/// </remarks>
internal sealed class CleanStop(DurableFiles files, DatabaseOptions options)
{
    private const string BootId = "sys/kernel/random/boot_id";
    private const string Mounts = "self/mountinfo";

    /// <summary>A clock tick of any kernel: a change made later than this shows in the change time.</summary>
    private const long Tick = 10_000_000;

    private const int MostTries = 20_000;
    private static readonly string[] Trusted = ["ext4", "xfs", "btrfs", "f2fs", "tmpfs", "zfs"];

    private string Path => System.IO.Path.Combine(EngineFolder.Of(options), "clean-stop");

    /// <summary>Writes the proof down. Only while nobody can write to the database and everything committed is in it and copied.</summary>
    internal void Write(string database, Txid txid)
    {
        if (State(database) is not { } state || Describe(state, txid) is not { } text)
            return;
        // Change times move in ticks: a write within the tick of the last one would not show. The kernel's clock must have gone on since.
        for (var tries = 0; tries < MostTries; tries++)
        {
            using (var stream = files.Create(Path))
                stream.Write(Encoding.UTF8.GetBytes(text));
            if (State(Path) is not { } own)
                break; // not a real disk
            if (own.ChangeTime > state.ChangeTime + Tick)
                return;
            Thread.Yield();
        }
        files.Delete(Path);
    }

    /// <summary>Takes the proof away.</summary>
    /// <returns>True when it holds: the database file is as it was at <paramref name="txid"/>. To be called while our reader stands already.</returns>
    internal bool Take(string database, Txid txid)
    {
        if (files.ReadAllText(Path) is not { } text)
            return false;
        files.Delete(Path);
        return State(database) is { } state && Describe(state, txid) == text;
    }

    private static FileState? State(string path) => OperatingSystem.IsLinux() ? Posix.Stat(path) : null;

    /// <returns>Null where nothing can be proved.</returns>
    private static string? Describe(FileState state, Txid txid)
    {
        // Whole seconds are what a file system without finer times would say.
        if (state.ChangeTime % 1_000_000_000 == 0 || !IsTrusted(state.File) || ProcFiles.Read(BootId)?.Trim() is not { Length: > 0 } boot)
            return null;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"1 {boot} {state.File.Major}:{state.File.Minor}:{state.File.Inode} {state.SizeBytes} {state.ChangeTime} {txid}\n"
        );
    }

    private static bool IsTrusted(FileIdentity file)
    {
        // "36 35 98:0 /root /mount options - type source options"
        var device = string.Create(CultureInfo.InvariantCulture, $"{file.Major}:{file.Minor}");
        foreach (var line in (ProcFiles.Read(Mounts) ?? "").Split('\n'))
        {
            var parts = line.Split(' ');
            var dash = Array.IndexOf(parts, "-");
            if (parts.Length > 2 && parts[2] == device && dash > 0 && dash + 1 < parts.Length)
                return Trusted.Contains(parts[dash + 1], StringComparer.Ordinal);
        }
        return false;
    }
}
