using System.Globalization;

namespace Litestream.Ltx;

/// <summary>Number of a transaction in a replica. The first is 1; <c>default</c> (0) means "none".</summary>
/// <remarks>Written as 16 lower-case hex digits. Immutable.</remarks>
/// <param name="Value">The number.</param>
public readonly record struct Txid(ulong Value) : IComparable<Txid>
{
    /// <summary>No transaction.</summary>
    public static Txid None => default;

    /// <summary>The first transaction of every replica.</summary>
    public static Txid First => new(1);

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => Value == 0;

    /// <summary>The transaction after this one.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: no number is left, which only a forged name or header can bring about.</exception>
    public Txid Next() =>
        Value < ulong.MaxValue
            ? new(Value + 1)
            : throw new LitestreamException(LitestreamError.Corrupt, $"no transaction can follow {this}");

    /// <summary>The transaction before this one; of <see cref="First"/> it is <see cref="None"/>.</summary>
    public Txid Previous() => new(checked(Value - 1));

    /// <summary>Reads exactly 16 hex digits, either case.</summary>
    /// <returns>False when the text is anything else.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out Txid txid)
    {
        txid = default;
        if (text.Length != 16 || text.IndexOfAnyExcept("0123456789abcdefABCDEF") >= 0)
            return false;
        txid = new Txid(ulong.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(Txid other) => Value.CompareTo(other.Value);

    /// <summary>16 lower-case hex digits.</summary>
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);

#pragma warning disable CS1591 // The comparison operators say what they do.
    public static bool operator <(Txid left, Txid right) => left.Value < right.Value;

    public static bool operator >(Txid left, Txid right) => left.Value > right.Value;

    public static bool operator <=(Txid left, Txid right) => left.Value <= right.Value;

    public static bool operator >=(Txid left, Txid right) => left.Value >= right.Value;
#pragma warning restore CS1591
}
