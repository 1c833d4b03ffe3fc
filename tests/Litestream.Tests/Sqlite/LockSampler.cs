using System.Globalization;
using Testing;

namespace Litestream.Tests.Sqlite;

/// <summary>A second process that reads /proc/locks over and over; its samples tell which locks of SQLite this process held.</summary>
internal sealed class LockSampler : IAsyncDisposable
{
    private const string EndOfSample = "==";

    /// <summary>Above this the kernel hands /proc/locks out in pieces, which do not belong to one moment.</summary>
    private const int OnePieceBytes = 3900;

    private readonly TestProcess _process;

    internal LockSampler() => _process = TestProcess.Start("/bin/sh", ["-c", $"while :; do cat /proc/locks; echo '{EndOfSample}'; done"]);

    /// <summary>The samples so far: of each, the locks of this process.</summary>
    internal IReadOnlyList<IReadOnlyList<PosixLock>> Take()
    {
        var samples = new List<IReadOnlyList<PosixLock>>();
        var locks = new List<PosixLock>();
        var size = 0;
        foreach (var line in _process.TakeLines())
        {
            size += line.Length + 1;
            if (line != EndOfSample)
            {
                if (PosixLock.TryParse(line) is { } held && held.ProcessId == Environment.ProcessId)
                    locks.Add(held);
                continue;
            }
            if (size < OnePieceBytes)
                samples.Add(locks);
            (locks, size) = ([], 0);
        }
        return samples.Count == 0 ? samples : samples[1..]; // the first line may be the rest of a sample taken before
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}

/// <summary>One line of /proc/locks.</summary>
internal sealed record PosixLock(string Mode, int ProcessId, long Inode, long First, long Last)
{
    internal static PosixLock? TryParse(string line)
    {
        var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 8 || parts[1] != "POSIX")
            return null;
        return new PosixLock(
            parts[3],
            int.Parse(parts[4], CultureInfo.InvariantCulture),
            long.Parse(parts[5].Split(':')[2], CultureInfo.InvariantCulture),
            long.Parse(parts[6], CultureInfo.InvariantCulture),
            parts[7] == "EOF" ? long.MaxValue : long.Parse(parts[7], CultureInfo.InvariantCulture)
        );
    }

    /// <summary>The shared lock on a database file: 510 bytes from 0x40000002 on.</summary>
    internal bool IsShared => First <= 0x40000002 && Last >= 0x40000002 + 509;

    /// <summary>A lock on one of the five read marks in a -shm file.</summary>
    internal bool IsReadMark => First <= 127 && Last >= 123;

    /// <summary>The writer's lock in a -shm file.</summary>
    internal bool IsWriter => Mode == "WRITE" && First <= 120 && Last >= 120;
}
