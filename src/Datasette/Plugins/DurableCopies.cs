namespace Datasette.Plugins;

/// <summary>
/// A plugin's promise about one database: it copies what is committed to a place that outlives this machine's disk, and can say when a commit
/// has arrived there. For writes whose sender asks for <c>Datasette-Durability: replicated</c>.
/// </summary>
/// <remarks>Asked for per request; members are called from any thread, many at once.</remarks>
public abstract class DurableCopies
{
    /// <summary>Why nothing new can arrive now, one line for the visitor; null while it can. Asked before anything is written.</summary>
    public virtual string? Problem => null;

    /// <summary>Called after a commit: a receipt, the number of a transaction that is, or comes after, everything committed before this call.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What goes to the sender as <c>Datasette-Txid</c>: letters and digits only.</returns>
    public abstract ValueTask<string> ReceiptAsync(CancellationToken cancellationToken);

    /// <summary>Waits until the copy holds the transaction of a receipt.</summary>
    /// <param name="transaction">A receipt, of this or an earlier process.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="DatasetteException">It never will; the message goes to the sender.</exception>
    public abstract Task WaitAsync(string transaction, CancellationToken cancellationToken);

    /// <summary>Whether the copy holds the transaction of a receipt; null when the text is none.</summary>
    public abstract bool? IsHeld(string transaction);
}
