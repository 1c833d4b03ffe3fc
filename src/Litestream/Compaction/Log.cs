using Litestream.Ltx;
using Microsoft.Extensions.Logging;

namespace Litestream.Compaction;

internal static partial class Log
{
    [LoggerMessage(60, LogLevel.Information, "{Database}: replica {Replica}: snapshot at {Txid} ({Bytes} bytes, {Elapsed})")]
    internal static partial void Snapshot(this ILogger log, string database, string replica, Txid txid, long bytes, TimeSpan elapsed);

    [LoggerMessage(
        61,
        LogLevel.Debug,
        "{Database}: replica {Replica}: level {Level}: {Count} files merged into {File} ({Bytes} bytes, {Elapsed})"
    )]
    internal static partial void Compacted(
        this ILogger log,
        string database,
        string replica,
        int level,
        int count,
        string file,
        long bytes,
        TimeSpan elapsed
    );

    [LoggerMessage(
        62,
        LogLevel.Debug,
        "{Database}: replica {Replica}: {Count} files of {Bytes} bytes were deleted, no promised point needs them"
    )]
    internal static partial void Deleted(this ILogger log, string database, string replica, int count, long bytes);

    [LoggerMessage(63, LogLevel.Warning, "{Database}: replica {Replica}: merging or tidying failed: {Message}; next try in {Delay}")]
    internal static partial void KeeperFailed(this ILogger log, string database, string replica, string message, TimeSpan delay);

    [LoggerMessage(
        64,
        LogLevel.Error,
        "{Database}: replica {Replica}: level {Level} file {File} is damaged ({Message}); a snapshot is written so that the newest state can be restored"
    )]
    internal static partial void Damaged(this ILogger log, string database, string replica, int level, string file, string message);

    [LoggerMessage(65, LogLevel.Error, "{Database}: replica {Replica}: level {Level} is not in order between {Before} and {After}")]
    internal static partial void LevelBroken(this ILogger log, string database, string replica, int level, string before, string after);

    [LoggerMessage(
        66,
        LogLevel.Warning,
        "{Database}: replica {Replica}: level {Level} file {File} is listed, and is not there; the replica is looked at again"
    )]
    internal static partial void Gone(this ILogger log, string database, string replica, int level, string file);
}
