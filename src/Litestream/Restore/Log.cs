using Litestream.Ltx;
using Microsoft.Extensions.Logging;

namespace Litestream.Restore;

/// <summary>The messages of restoring.</summary>
internal static partial class Log
{
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "restoring {Output} to transaction {Txid} from {Replica}: {Files} files, {Bytes} bytes"
    )]
    public static partial void Restoring(ILogger logger, string output, Txid txid, string replica, int files, long bytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "restored {Output} to transaction {Txid}: {Bytes} bytes in {Milliseconds} ms")]
    public static partial void Restored(ILogger logger, string output, Txid txid, long bytes, long milliseconds);

    [LoggerMessage(Level = LogLevel.Debug, Message = "applied level {Level} file {File}")]
    public static partial void Applied(ILogger logger, int level, string file);

    [LoggerMessage(Level = LogLevel.Warning, Message = "a file vanished while it was being restored, planning again: {Reason}")]
    public static partial void PlanningAgain(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Output} follows {Replica} from transaction {Txid} on (resumed: {Resumed})")]
    public static partial void Following(ILogger logger, string output, Txid txid, string replica, bool resumed);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Output} is at transaction {Txid}: {Files} files applied")]
    public static partial void FollowApplied(ILogger logger, string output, Txid txid, int files);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Output}: looking for another way: {Reason}")]
    public static partial void FollowingAnotherWay(ILogger logger, string output, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Output} stays at transaction {Txid}, {Lag} behind: {Cause}")]
    public static partial void FollowFailed(ILogger logger, string output, Txid txid, ulong lag, string cause);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Output} follows again, at transaction {Txid}")]
    public static partial void FollowRecovered(ILogger logger, string output, Txid txid);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Output} starts over, from transaction {Txid} to {Newest}, with a whole copy: {Reason}"
    )]
    public static partial void FollowStartsOver(ILogger logger, string output, Txid txid, Txid newest, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "follow mode stopped: {Output} is at transaction {Txid}")]
    public static partial void FollowStopped(ILogger logger, string output, Txid txid);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Replica} cannot serve this restore: {Reason}")]
    public static partial void ReplicaCannotServe(ILogger logger, string replica, string reason);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "restoring {Output} from a backup of Litestream 0.3 in {Replica}: generation {Generation}, snapshot {Snapshot}, up to index {Index}, {Segments} WAL segments, {Bytes} bytes"
    )]
    public static partial void RestoringOldBackup(
        ILogger logger,
        string output,
        string replica,
        string generation,
        uint snapshot,
        uint index,
        int segments,
        long bytes
    );

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "restored {Output} from generation {Generation} up to index {Index}: {Bytes} bytes in {Milliseconds} ms"
    )]
    public static partial void RestoredOldBackup(
        ILogger logger,
        string output,
        string generation,
        uint index,
        long bytes,
        long milliseconds
    );

    [LoggerMessage(Level = LogLevel.Debug, Message = "applied {Segment}")]
    public static partial void AppliedOldSegment(ILogger logger, string segment);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "the restore stops before {Segment}: it is of {Time}, after the wished moment, although later segments are not"
    )]
    public static partial void OldBackupStopsEarly(ILogger logger, string segment, string time);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Segment} ends inside a transaction: restored to the commit before it, at byte {Offset} of the WAL"
    )]
    public static partial void OldBackupEndsInsideTransaction(ILogger logger, string segment, long offset);
}
