using Litestream.Ltx;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "{Database}: replication started at {Txid} (page size {PageSize}, WAL {Wal})")]
    internal static partial void Opened(this ILogger log, string database, Txid txid, int pageSize, string wal);

    [LoggerMessage(2, LogLevel.Debug, "{Database}: {Txid} copied, {Bytes} bytes")]
    internal static partial void Synced(this ILogger log, string database, Txid txid, long bytes);

    [LoggerMessage(
        3,
        LogLevel.Information,
        "{Database}: a new run of transactions begins at {Txid}, every replica gets a snapshot, because: {Reason}"
    )]
    internal static partial void NewRun(this ILogger log, string database, Txid txid, FullReason reason);

    [LoggerMessage(4, LogLevel.Warning, "{Database}: {Message}; next try in {Delay}")]
    internal static partial void StepFailed(this ILogger log, string database, string message, TimeSpan delay);

    [LoggerMessage(5, LogLevel.Information, "{Database}: works again after {Failures} failures")]
    internal static partial void Recovered(this ILogger log, string database, int failures);

    [LoggerMessage(6, LogLevel.Debug, "{Database}: checkpoint took {Elapsed}: {Cycle}")]
    internal static partial void Checkpointed(this ILogger log, string database, CheckpointCycle cycle, TimeSpan elapsed);

    [LoggerMessage(
        7,
        LogLevel.Warning,
        "{Database}: the newest local file {File} cannot be read ({Message}); it is set aside and replicas get a snapshot"
    )]
    internal static partial void LocalFileDamaged(this ILogger log, string database, string file, string message);

    [LoggerMessage(8, LogLevel.Warning, "{Database}: the file was replaced or removed; opening it anew")]
    internal static partial void Replaced(this ILogger log, string database);

    [LoggerMessage(
        9,
        LogLevel.Warning,
        "{Database}: {Count} local files were deleted before every replica had them (limit {Limit} bytes); such a replica gets a snapshot"
    )]
    internal static partial void LocalFilesDropped(this ILogger log, string database, int count, long limit);

    [LoggerMessage(10, LogLevel.Information, "{Database}: replica {Replica} ({Location}) is at {Txid}")]
    internal static partial void ReplicaPosition(this ILogger log, string database, string replica, string location, Txid txid);

    [LoggerMessage(11, LogLevel.Warning, "{Database}: replica {Replica}: {Message}; next try in {Delay}")]
    internal static partial void ReplicaFailed(this ILogger log, string database, string replica, string message, TimeSpan delay);

    [LoggerMessage(12, LogLevel.Information, "{Database}: replica {Replica} works again after {Failures} failures")]
    internal static partial void ReplicaRecovered(this ILogger log, string database, string replica, int failures);

    [LoggerMessage(
        13,
        LogLevel.Warning,
        "{Database}: replica {Replica} is at {Replicated}, ahead of the local {Local}: transactions go on behind it, with a snapshot"
    )]
    internal static partial void ReplicaAhead(this ILogger log, string database, string replica, Txid replicated, Txid local);

    [LoggerMessage(
        14,
        LogLevel.Information,
        "{Database}: replica {Replica} at {Replicated} cannot be continued from local files; it got a snapshot at {Txid} ({Bytes} bytes)"
    )]
    internal static partial void ReplicaRebased(this ILogger log, string database, string replica, Txid replicated, Txid txid, long bytes);

    [LoggerMessage(
        15,
        LogLevel.Warning,
        "{Database}: replica {Replica} ({Location}) also holds backups of Litestream 0.3 (generations/); they are left alone and stay restorable"
    )]
    internal static partial void HoldsGenerations(this ILogger log, string database, string replica, string location);

    [LoggerMessage(16, LogLevel.Information, "{Database}: stopped at {Txid}; every replica has everything: {Complete}")]
    internal static partial void Stopped(this ILogger log, string database, Txid txid, bool complete);

    [LoggerMessage(17, LogLevel.Error, "{Database}: replica {Replica} is given up until the next start: {Message}")]
    internal static partial void ReplicaFenced(this ILogger log, string database, string replica, string message);

    [LoggerMessage(
        18,
        LogLevel.Error,
        "{Database}: replica {Replica} lacks transactions between {Reach} and {Newest}: its newest state cannot be restored, so it gets a snapshot"
    )]
    internal static partial void ReplicaHasHole(this ILogger log, string database, string replica, Txid reach, Txid newest);

    [LoggerMessage(
        19,
        LogLevel.Warning,
        "{Database}: replica {Replica}: local file {File} cannot be used ({Message}); the replica gets a snapshot instead"
    )]
    internal static partial void LocalFileUnusable(this ILogger log, string database, string replica, string file, string message);

    [LoggerMessage(20, LogLevel.Warning, "{Database}: old local files could not be deleted, the next start tries again: {Message}")]
    internal static partial void LocalFileKept(this ILogger log, string database, string message);

    [LoggerMessage(30, LogLevel.Warning, "{Database}: {Blocker}")]
    internal static partial void Blocked(this ILogger log, string database, string blocker);

    [LoggerMessage(31, LogLevel.Information, "{Database}: the {Kind} that kept checkpoints waiting is gone after {Elapsed}")]
    internal static partial void Unblocked(this ILogger log, string database, BlockerKind kind, TimeSpan elapsed);

    [LoggerMessage(32, LogLevel.Error, "{Database}: {Guard}; the next, because of {Reason}, waits until {Next:O}")]
    internal static partial void FullFilesRepeat(this ILogger log, string database, string guard, FullReason reason, DateTimeOffset next);

    [LoggerMessage(33, LogLevel.Critical, "{Database}: {Text}")]
    internal static partial void PagesMismatched(this ILogger log, string database, string text);
}
