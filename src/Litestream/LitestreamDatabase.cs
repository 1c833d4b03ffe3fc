using Litestream.Ltx;
using Litestream.Replication;

namespace Litestream;

/// <summary>One database of a <see cref="LitestreamStore"/>: to have a commit confirmed by its replicas.</summary>
/// <remarks>
/// Safe from any thread; a view only, nothing to dispose. After <see cref="LitestreamStore.RemoveDatabaseAsync"/> or the store's end its members
/// fail with <see cref="LitestreamError.Unavailable"/>.
/// </remarks>
public sealed class LitestreamDatabase
{
    private readonly ReplicatedDatabase _database;
    private readonly Func<DatabaseStatus> _status;
    private readonly TimeProvider _time;

    internal LitestreamDatabase(ReplicatedDatabase database, Func<DatabaseStatus> status, TimeProvider time)
    {
        (_database, _status, _time) = (database, status, time);
    }

    /// <summary>Absolute path.</summary>
    public string Path => _database.Options.Path;

    /// <summary>The present state.</summary>
    public DatabaseStatus Status => _status();

    /// <summary>
    /// Copies what is committed into local LTX files and names the transaction that holds it: everything committed, by any process, before this
    /// call is in it or before it. Calls that come at the same time share one copy.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait, not the copy.</param>
    /// <returns>The transaction, for <see cref="WaitForReplicaAsync"/>; <see cref="Txid.None"/> while nothing was ever committed.</returns>
    /// <exception cref="LitestreamException">The copy failed, or the file is not there.</exception>
    public Task<Txid> CopyCommittedAsync(CancellationToken cancellationToken = default) => _database.CopyCommittedAsync(cancellationToken);

    /// <summary>True when replicas have confirmed that they hold this transaction, as part of this database's history and no other.</summary>
    /// <param name="txid">A transaction that <see cref="CopyCommittedAsync"/> named.</param>
    /// <param name="confirmation">One replica, or all of them.</param>
    public bool IsReplicated(Txid txid, ReplicaConfirmation confirmation = ReplicaConfirmation.Any) =>
        _database.Waiters.IsHeld(txid, confirmation);

    /// <summary>Why replicas will not come to hold anything new: <see cref="LitestreamError.Fenced"/>, ended, or none configured. Null while they may.</summary>
    /// <param name="confirmation">One replica, or all of them.</param>
    public LitestreamException? WhyNotReplicating(ReplicaConfirmation confirmation = ReplicaConfirmation.Any) =>
        _database.Waiters.Hopeless(confirmation);

    /// <summary>
    /// Waits until replicas hold a transaction. The upload begins at once, without regard to <c>SyncInterval</c>; a replica that fails is tried
    /// again, with its usual pauses, for as long as this waits.
    /// </summary>
    /// <param name="txid">A transaction that <see cref="CopyCommittedAsync"/> named.</param>
    /// <param name="confirmation">One replica (default), or all of them.</param>
    /// <param name="timeout">Longest wait; null (default) waits without end.</param>
    /// <param name="cancellationToken">Ends the wait, not the upload.</param>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.TimedOut"/>, with a replica's last failure as its cause if there is one; <see cref="LitestreamError.Fenced"/>: another
    /// writer has taken the replica; <see cref="LitestreamError.Unavailable"/>: replication has ended; <see cref="LitestreamError.NotFound"/>: the file
    /// was replaced by another; <see cref="LitestreamError.InvalidConfiguration"/>: there is no replica.
    /// </exception>
    public async Task WaitForReplicaAsync(
        Txid txid,
        ReplicaConfirmation confirmation = ReplicaConfirmation.Any,
        TimeSpan? timeout = null,
        CancellationToken cancellationToken = default
    )
    {
        if (timeout is not { } limit)
        {
            await _database.Waiters.WaitAsync(txid, confirmation, cancellationToken).ConfigureAwait(false);
            return;
        }
        using var patience = new CancellationTokenSource(limit, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            await _database.Waiters.WaitAsync(txid, confirmation, both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var cause = _database.Replicas.Where(r => r.Held < txid).Select(r => r.Failure).FirstOrDefault(f => f is not null);
            throw new LitestreamException(
                LitestreamError.TimedOut,
                $"{Path}: no replica has confirmed transaction {txid} within {limit.TotalSeconds:0.#} s{(cause is null ? "" : ": " + cause.Message)}",
                cause
            )
            {
                IsTransient = true,
                Path = Path,
                MaxTxid = txid,
            };
        }
    }
}
