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
}
