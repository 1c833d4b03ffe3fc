namespace Litestream.Diagnostics;

/// <summary>Counters of one database. Written under its gate, read from any thread.</summary>
internal sealed class DatabaseMetrics
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _full = [];
    private readonly Dictionary<string, long> _uploadErrors = [];
    private long _checkpoints;
    private long _checkpointErrors;
    private double _checkpointSeconds;

    internal long WalBytes { get; private set; }

    internal long Syncs { get; private set; }

    internal long SyncErrors { get; private set; }

    internal double SyncSeconds { get; private set; }

    internal bool IsDiskFull { get; private set; }

    internal long Compactions { get; private set; }

    internal long CompactionErrors { get; private set; }

    internal long CompactionVerifyErrors { get; private set; }

    internal void Compacted()
    {
        lock (_lock)
            Compactions++;
    }

    internal void CompactionFailed()
    {
        lock (_lock)
            CompactionErrors++;
    }

    internal void CompactionVerifyFailed()
    {
        lock (_lock)
            CompactionVerifyErrors++;
    }

    internal void Copied(long walBytes, string? fullReason)
    {
        lock (_lock)
        {
            WalBytes += walBytes;
            if (fullReason is { } reason)
                _full[reason] = _full.GetValueOrDefault(reason) + 1;
        }
    }

    internal void Synced(TimeSpan elapsed)
    {
        lock (_lock)
        {
            Syncs++;
            SyncSeconds += elapsed.TotalSeconds;
            IsDiskFull = false;
        }
    }

    internal void SyncFailed(Exception e)
    {
        lock (_lock)
        {
            Syncs++;
            SyncErrors++;
            IsDiskFull = e is LitestreamException { Error: LitestreamError.DiskFull };
        }
    }

    /// <summary>Seconds in which another program kept checkpoints from finishing.</summary>
    internal double BlockedSeconds { get; private set; }

    /// <summary>Pages that a checkpoint has lost or spoilt.</summary>
    internal long PageMismatches { get; private set; }

    /// <summary>Counts an upload to a replica that failed.</summary>
    internal void UploadFailed(string replica)
    {
        lock (_lock)
            _uploadErrors[replica] = _uploadErrors.GetValueOrDefault(replica) + 1;
    }

    internal long UploadErrors(string replica)
    {
        lock (_lock)
            return _uploadErrors.GetValueOrDefault(replica);
    }

    internal void Blocked(TimeSpan elapsed)
    {
        lock (_lock)
            BlockedSeconds += Math.Max(0, elapsed.TotalSeconds);
    }

    internal void PagesMismatched(int count)
    {
        lock (_lock)
            PageMismatches += count;
    }

    internal void Checkpointed(bool complete, TimeSpan elapsed)
    {
        lock (_lock)
        {
            _checkpoints++;
            _checkpointSeconds += elapsed.TotalSeconds;
            if (!complete)
                _checkpointErrors++;
        }
    }

    /// <summary>By mode; nothing before the first cycle, as Litestream has it.</summary>
    internal IReadOnlyList<(string Mode, long Count, long Errors, double Seconds)> Checkpoints()
    {
        lock (_lock)
            return _checkpoints == 0 ? [] : [("PASSIVE", _checkpoints, _checkpointErrors, _checkpointSeconds)];
    }

    internal IReadOnlyList<(string Reason, long Count)> FullFiles()
    {
        lock (_lock)
            return [.. _full.Select(p => (p.Key, p.Value))];
    }
}
