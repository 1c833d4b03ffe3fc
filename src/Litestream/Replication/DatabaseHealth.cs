using System.Globalization;
using Litestream.Sqlite;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>What needs a person's eye at one database though replication goes on. Used under the database's gate.</summary>
internal sealed class DatabaseHealth(DatabaseOptions options, EngineServices services)
{
    private readonly FullFileGuard _guard = new();
    private string? _lastReason;
    private string? _wrongPages;
    private bool _guardTold;

    /// <summary>Who keeps checkpoints from finishing.</summary>
    internal BlockWatch Blocks { get; } = new(options.Path, services);

    /// <summary>When the guard lets the next full file pass; null: now.</summary>
    internal DateTimeOffset? NextFullFile => _guard.NextAt(services.Time.GetUtcNow());

    /// <summary>Refuses one more file with the whole database while there were too many of late.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Throttled"/>.</exception>
    internal void RequireCalm(FullReason reason)
    {
        if (NextFullFile is not { } next)
            return;
        var text = GuardText(services.Time.GetUtcNow());
        if (!_guardTold)
            services.Log.FullFilesRepeat(options.Path, text, reason, next);
        _guardTold = true;
        throw new LitestreamException(LitestreamError.Throttled, $"{options.Path}: {text}; the next, because of {reason}, waits")
        {
            IsTransient = true,
            Hint = "nothing is lost meanwhile, the WAL is kept; find out what breaks continuity, the log names the reason of each",
            Path = options.Path,
        };
    }

    internal void FullWritten(FullReason reason)
    {
        (_lastReason, _guardTold) = (reason.ToString(), false);
        _guard.Written(services.Time.GetUtcNow());
    }

    /// <summary>A checkpoint has moved everything, and a sample of the pages was compared.</summary>
    internal void Proved(IReadOnlyList<uint> wrongPages)
    {
        if (wrongPages.Count == 0)
            return;
        var pages = string.Join(", ", wrongPages.Select(p => p.ToString(CultureInfo.InvariantCulture)));
        _wrongPages =
            $"after a checkpoint, page {pages} of the database file is not what was committed; the replicas have the committed version. "
            + "Run PRAGMA integrity_check, and restore to another file to compare";
        services.Metrics.Of(options.Path).PagesMismatched(wrongPages.Count);
        services.Log.PagesMismatched(options.Path, _wrongPages);
    }

    internal IReadOnlyList<string> Alarms()
    {
        var now = services.Time.GetUtcNow();
        var alarms = new List<string>();
        if (_wrongPages is { } wrong)
            alarms.Add(wrong);
        if (_guardTold || (_guard.Count(now) > FullFileGuard.Most))
            alarms.Add(GuardText(now));
        return alarms;
    }

    private string GuardText(DateTimeOffset now) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{_guard.Count(now)} files with the whole database within {FullFileGuard.Window.TotalMinutes:F0} minutes, the last because of {_lastReason}"
        );
}
