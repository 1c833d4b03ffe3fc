using System.Globalization;

namespace Litestream.Ltx;

/// <summary>A state of a database: its last transaction and its rolling checksum. Immutable.</summary>
/// <param name="Txid">The transaction.</param>
/// <param name="Checksum">The rolling checksum after it; 0 when unknown.</param>
public readonly record struct LtxPosition(Txid Txid, ulong Checksum)
{
    private const int TextLength = 33;

    /// <summary>Reads <c>TXID/CHECKSUM</c>, 16 hex digits each.</summary>
    /// <returns>False for every other text.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out LtxPosition position)
    {
        position = default;
        if (
            text.Length != TextLength
            || text[16] != '/'
            || !Txid.TryParse(text[..16], out var txid)
            || !Txid.TryParse(text[17..], out var checksum) // the same 16 digits
        )
            return false;
        position = new LtxPosition(txid, checksum.Value);
        return true;
    }

    /// <summary><c>TXID/CHECKSUM</c>, 33 characters.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Txid}/{Checksum:x16}");
}
