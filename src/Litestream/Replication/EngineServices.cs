using Litestream.Diagnostics;
using Litestream.IO;
using Litestream.Sqlite;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>What the engine is given from outside: disk, clock, log, counters, and who tells of commits.</summary>
internal sealed record EngineServices(DurableFiles Files, TimeProvider Time, ILogger Log, EngineCounters Metrics, CommitWatcher Watcher)
{
    internal SourceAccess Sources { get; init; } = new();
}
