using Microsoft.Extensions.Logging;

namespace Datasette.Litestream;

/// <summary>What the plugin says in the log.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "replicating {Database} ({Path}) to {Replicas}")]
    public static partial void Replicating(ILogger log, string database, string path, string replicas);

    [LoggerMessage(2, LogLevel.Warning, "{Notice}")]
    public static partial void Notice(ILogger log, string notice);

    [LoggerMessage(3, LogLevel.Information, "serving metrics on {Address}")]
    public static partial void Metrics(ILogger log, string address);

    [LoggerMessage(4, LogLevel.Error, "{Database} was attached but is not replicated: {Problem}")]
    public static partial void NotReplicated(ILogger log, string database, string problem);

    [LoggerMessage(5, LogLevel.Information, "{Database} is detached, its replication ended")]
    public static partial void Ended(ILogger log, string database);

    [LoggerMessage(6, LogLevel.Information, "stopping: bringing the last commits to the replicas")]
    public static partial void Stopping(ILogger log);

    [LoggerMessage(7, LogLevel.Information, "stopped, everything is on every replica")]
    public static partial void Stopped(ILogger log);

    [LoggerMessage(8, LogLevel.Error, "stopped, but not everything reached every replica: {Left}")]
    public static partial void StoppedIncomplete(ILogger log, string left);

    [LoggerMessage(9, LogLevel.Error, "stopping failed")]
    public static partial void StopFailed(ILogger log, Exception problem);

    [LoggerMessage(11, LogLevel.Information, "{Database} was missing: restored to transaction {Txid}, {Bytes} bytes, from {Replica}")]
    public static partial void Restored(ILogger log, string database, string txid, long bytes, string replica);

    [LoggerMessage(12, LogLevel.Warning, "{Database} is missing, and no replica holds a backup of it: nothing was restored")]
    public static partial void NothingToRestore(ILogger log, string database);

    [LoggerMessage(13, LogLevel.Information, "{Source}: {News} credentials")]
    public static partial void CredentialsRead(ILogger log, string source, string news);

    [LoggerMessage(14, LogLevel.Error, "the credentials stay as they were: {Problem}")]
    public static partial void CredentialsNotRead(ILogger log, string problem);

    [LoggerMessage(10, LogLevel.Information, "{Database}: {Reason}")]
    public static partial void Skipped(ILogger log, string database, string reason);
}
