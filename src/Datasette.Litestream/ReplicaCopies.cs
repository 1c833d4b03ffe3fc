using Datasette.Litestream.Configuration;
using Datasette.Plugins;
using Litestream;
using Litestream.Ltx;

namespace Datasette.Litestream;

/// <summary>Confirms writes by a database's replicas: a receipt is the Txid of the engine, and one replica that holds it is enough.</summary>
internal sealed class ReplicaCopies(LitestreamDatabase database, Redactor redactor) : DurableCopies
{
    /// <inheritdoc/>
    public override string? Problem => database.WhyNotReplicating() is { } why ? redactor.Text(why.Message) : null;

    /// <inheritdoc/>
    public override async ValueTask<string> ReceiptAsync(CancellationToken cancellationToken)
    {
        try
        {
            var txid = await database.CopyCommittedAsync(cancellationToken);
            return txid.IsNone ? throw new DatasetteException(503, "the commit cannot be found in the database file") : txid.ToString();
        }
        catch (LitestreamException e)
        {
            throw Told(e);
        }
    }

    /// <inheritdoc/>
    public override async Task WaitAsync(string transaction, CancellationToken cancellationToken)
    {
        try
        {
            await database.WaitForReplicaAsync(Parse(transaction) ?? Txid.None, cancellationToken: cancellationToken);
        }
        catch (LitestreamException e)
        {
            throw Told(e);
        }
    }

    /// <inheritdoc/>
    public override bool? IsHeld(string transaction) => Parse(transaction) is { } txid ? database.IsReplicated(txid) : null;

    private static Txid? Parse(string text) => Txid.TryParse(text, out var txid) && !txid.IsNone ? txid : null;

    private DatasetteException Told(LitestreamException e) => new(503, redactor.Text(e.Message), e);
}
