using Litestream.Ltx;

namespace Litestream.Replication;

/// <summary>Naming the transaction that holds a commit, and waiting until replicas have it.</summary>
internal sealed partial class ReplicatedDatabase
{
    private readonly Lock _nextLock = new();
    private readonly CancellationTokenSource _ended = new();
    private Task<Txid>? _nextCopy;

    /// <summary>Those who wait until replicas hold a transaction.</summary>
    internal ReplicaWaiters Waiters { get; }

    /// <summary>Copies what is committed and names the transaction that holds everything committed before this call. Calls that wait at the same time share one copy.</summary>
    /// <exception cref="LitestreamException">The copy failed, there is no database, or replication has ended.</exception>
    internal Task<Txid> CopyCommittedAsync(CancellationToken cancellationToken)
    {
        Task<Txid> shared;
        lock (_nextLock)
            shared = _nextCopy ??= CopyForAllAsync();
        return shared.WaitAsync(cancellationToken);
    }

    private async Task<Txid> CopyForAllAsync()
    {
        await Task.Yield(); // begun under a lock
        try
        {
            await _gate.WaitAsync(_ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            throw Stopped();
        }
        var before = _files.Max;
        var isFailure = false;
        try
        {
            // From here on the end of the WAL is looked at: who comes later may have committed later, and gets the next copy.
            lock (_nextLock)
                _nextCopy = null;
            isFailure = true;
            isFailure = await OpenIfNeededAsync(CancellationToken.None).ConfigureAwait(false);
            if (!isFailure)
                throw new LitestreamException(LitestreamError.NotFound, $"{_options.Path} is not there")
                {
                    IsTransient = true,
                    Path = _options.Path,
                };
            await CopyAsync(CancellationToken.None).ConfigureAwait(false);
            Succeeded();
            return _files.Max;
        }
        catch (Exception e) when (isFailure)
        {
            Failed(e);
            throw;
        }
        finally
        {
            _gate.Release();
            if (_files.Max != before)
                FileAdded?.Invoke();
        }
    }

    private LitestreamException Replaced() =>
        new(LitestreamError.NotFound, $"{_options.Path} was replaced by another file; what was committed to the old one is not in it")
        {
            Path = _options.Path,
        };

    private LitestreamException Stopped() =>
        new(LitestreamError.Unavailable, $"replication of {_options.Path} has ended") { Path = _options.Path };
}
