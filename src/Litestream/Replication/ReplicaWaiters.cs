using Litestream.Ltx;

namespace Litestream.Replication;

/// <summary>Which replicas must hold a transaction before it counts as stored elsewhere.</summary>
public enum ReplicaConfirmation
{
    /// <summary>One of them. Default.</summary>
    Any,

    /// <summary>Every one that is configured.</summary>
    All,
}

/// <summary>Who waits until replicas hold a transaction. Woken by the replicas themselves, never by the clock.</summary>
/// <remarks>Safe from any thread.</remarks>
internal sealed class ReplicaWaiters(string path, IReadOnlyList<Replica> replicas)
{
    private readonly Lock _lock = new();
    private readonly List<Waiter> _waiters = [];
    private LitestreamException? _ended;

    /// <summary>True when the replicas hold it already.</summary>
    internal bool IsHeld(Txid txid, ReplicaConfirmation confirmation)
    {
        var held = replicas.Count(r => r.Held >= txid);
        return confirmation == ReplicaConfirmation.Any ? held > 0 : held == replicas.Count && held > 0;
    }

    /// <summary>Why the replicas will not come to hold anything new; null while they may.</summary>
    internal LitestreamException? Hopeless(ReplicaConfirmation confirmation)
    {
        lock (_lock)
            if (_ended is not null)
                return Copy(_ended);
        var fenced = replicas.Count(r => r.Status.State == ReplicationState.Fenced);
        if (replicas.Count == 0)
            return new LitestreamException(LitestreamError.InvalidConfiguration, $"{path} has no replica") { Path = path };
        if (confirmation == ReplicaConfirmation.Any ? fenced < replicas.Count : fenced == 0)
            return null;
        var cause = replicas.First(r => r.Status.State == ReplicationState.Fenced).Failure;
        return new LitestreamException(LitestreamError.Fenced, $"{path}: {cause?.Message ?? "another writer has taken the replica"}", cause)
        {
            Path = path,
            Hint = (cause as LitestreamException)?.Hint,
        };
    }

    /// <summary>Ends when the replicas hold it.</summary>
    /// <exception cref="LitestreamException">They never will: fenced, stopped, or there is none.</exception>
    internal Task WaitAsync(Txid txid, ReplicaConfirmation confirmation, CancellationToken cancellationToken)
    {
        if (IsHeld(txid, confirmation))
            return Task.CompletedTask;
        var waiter = new Waiter(txid, confirmation);
        lock (_lock)
            _waiters.Add(waiter);
        // Listed first: what arrives from here on finds it.
        foreach (var replica in replicas)
            replica.Want(txid);
        Look();
        return WaitAsync(waiter, cancellationToken);
    }

    private async Task WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            await waiter.Done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock)
                _waiters.Remove(waiter);
        }
    }

    /// <summary>A replica has come further, or will never: answers those who waited for it.</summary>
    internal void Look()
    {
        Waiter[] all;
        lock (_lock)
        {
            if (_waiters.Count == 0)
                return;
            all = [.. _waiters];
        }
        foreach (var waiter in all)
        {
            if (IsHeld(waiter.Txid, waiter.Confirmation))
                waiter.Done.TrySetResult();
            else if (Hopeless(waiter.Confirmation) is { } failure)
                waiter.Done.TrySetException(failure);
        }
    }

    /// <summary>Replication of the database has ended, or of the file that was meant: nobody waits any longer.</summary>
    /// <param name="failure">What is told.</param>
    /// <param name="isForGood">Also to those who come later.</param>
    internal void Fail(LitestreamException failure, bool isForGood)
    {
        Waiter[] all;
        lock (_lock)
        {
            _ended = isForGood ? failure : _ended;
            all = [.. _waiters];
        }
        foreach (var waiter in all)
            waiter.Done.TrySetException(Copy(failure));
    }

    private static LitestreamException Copy(LitestreamException e) =>
        new(e.Error, e.Message, e.InnerException) { Path = e.Path, Hint = e.Hint };

    private sealed record Waiter(Txid Txid, ReplicaConfirmation Confirmation)
    {
        internal TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
