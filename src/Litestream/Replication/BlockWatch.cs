using Litestream.Sqlite;
using Microsoft.Extensions.Logging;

namespace Litestream.Replication;

/// <summary>Finds out who keeps checkpoints from finishing, tells it, and notices when it is gone. Used under the database's gate.</summary>
internal sealed class BlockWatch(string path, EngineServices services, BlockWatch.Holders? holders = null)
{
    /// <summary>A shorter one is everyday life.</summary>
    internal static readonly TimeSpan Long = TimeSpan.FromSeconds(10);

    /// <summary>The same blocker is told of again after this.</summary>
    internal static readonly TimeSpan TellAgain = TimeSpan.FromMinutes(10);

    private readonly Holders _holders = holders ?? HoldersOf;
    private DateTimeOffset _counted;
    private DateTimeOffset? _told;

    /// <summary>Who holds locks of a kind on a database; a fake in tests.</summary>
    internal delegate IReadOnlyList<LockHolder> Holders(BlockerKind kind, string path);

    /// <summary>The present one, however short; null: none.</summary>
    internal CheckpointBlocker? Blocker { get; private set; }

    /// <summary>The present one when it has blocked for long.</summary>
    internal CheckpointBlocker? Lasting(DateTimeOffset now) => Blocker is { } blocker && now - blocker.Since >= Long ? blocker : null;

    /// <summary>A checkpoint cycle has ended.</summary>
    internal void CycleEnded(CheckpointOutcome outcome, long walBytes)
    {
        if (outcome == CheckpointOutcome.Complete)
            End();
        else
            See(outcome == CheckpointOutcome.ReaderBlocks ? BlockerKind.Reader : BlockerKind.Writer, walBytes);
    }

    /// <summary>No cycle is wanted any more, or it is another file now: nobody can be in the way.</summary>
    internal void Forget() => End();

    /// <summary>The database could not even be opened, because it is locked.</summary>
    internal void Locked() => See(BlockerKind.Exclusive, 0);

    /// <summary>The database could be read: nobody locks all of it.</summary>
    internal void Readable()
    {
        if (Blocker is { Kind: BlockerKind.Exclusive })
            End();
    }

    /// <summary>Looks whether the processes that were named are still there.</summary>
    /// <returns>True when they have gone just now: a cycle is worth a try.</returns>
    internal bool IsGone(long walBytes)
    {
        if (Blocker is not { } blocker)
            return false;
        Blocker = blocker with { WalBytes = walBytes };
        var now = services.Time.GetUtcNow();
        if (now - _counted < TimeSpan.FromSeconds(1))
            return false;
        Count(now);
        Tell(now);
        if (blocker.Processes.Count == 0 || _holders(blocker.Kind, path).Intersect(blocker.Processes).Any())
            return false;
        End();
        return true;
    }

    private void See(BlockerKind kind, long walBytes)
    {
        var now = services.Time.GetUtcNow();
        var found = _holders(kind, path);
        if (Blocker is not { } old || old.Kind != kind)
        {
            End();
            (_counted, _told) = (now, null);
            Blocker = new CheckpointBlocker
            {
                Kind = kind,
                Since = now,
                Processes = found,
                WalBytes = walBytes,
            };
            return;
        }
        // Readers come and go: those that were there each time are meant.
        var still = old.Processes.Intersect(found).ToList();
        Blocker = old with { Processes = still.Count > 0 ? still : found, WalBytes = walBytes };
        Count(now);
        Tell(now);
    }

    private void Tell(DateTimeOffset now)
    {
        if (Lasting(now) is not { } blocker || now - _told < TellAgain)
            return;
        _told = now;
        services.Log.Blocked(path, blocker.Describe(now));
    }

    private void Count(DateTimeOffset now)
    {
        services.Metrics.Of(path).Blocked(now - _counted);
        _counted = now;
    }

    private void End()
    {
        if (Blocker is not { } blocker)
            return;
        var now = services.Time.GetUtcNow();
        Count(now);
        Blocker = null;
        if (_told is not null)
            services.Log.Unblocked(path, blocker.Kind, now - blocker.Since);
    }

    private static IReadOnlyList<LockHolder> HoldersOf(BlockerKind kind, string path) =>
        kind switch
        {
            BlockerKind.Reader => LockHolders.Readers(path + "-shm"),
            BlockerKind.Writer => LockHolders.Writers(path + "-shm"),
            _ => LockHolders.Exclusive(path),
        };
}
