using Litestream.Ltx;

namespace Litestream.Replication;

/// <summary>What those who wait for a confirmation are told.</summary>
internal sealed partial class Replica
{
    private ulong _held;
    private ulong _wanted;

    /// <summary>Raised when somebody waits for an upload.</summary>
    internal event Action? Wanted;

    /// <summary>Raised when it holds more, or will never.</summary>
    internal event Action? Moved;

    /// <summary>Last transaction that the store has confirmed as part of this database's history, which <see cref="Confirmed"/> may not be.</summary>
    internal Txid Held => new(Volatile.Read(ref _held));

    /// <summary>Somebody waits until the store has confirmed this transaction: it is never too early for it. Any thread.</summary>
    internal void Want(Txid txid)
    {
        // What is not copied yet cannot be hurried; a number out of the air must not hurry for ever.
        if (txid > _feed.Files.Max)
            txid = _feed.Files.Max;
        for (var before = Volatile.Read(ref _wanted); before < txid.Value; )
        {
            var now = Interlocked.CompareExchange(ref _wanted, txid.Value, before);
            if (now == before)
                break;
            before = now;
        }
        Wanted?.Invoke();
    }

    private bool IsUrgent => Volatile.Read(ref _wanted) > Held.Value;

    /// <summary>Told where it is proved, not where a position is only taken over: numbers of another history may be higher than ours.</summary>
    private void Holds(Txid txid)
    {
        Volatile.Write(ref _held, txid.Value);
        Moved?.Invoke();
    }
}
