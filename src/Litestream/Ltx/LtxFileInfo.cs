namespace Litestream.Ltx;

/// <summary>One LTX file as a listing knows it.</summary>
/// <param name="Level">0 to 9; 9 holds snapshots.</param>
/// <param name="MinTxid">First transaction in the file.</param>
/// <param name="MaxTxid">Last transaction in the file.</param>
/// <param name="SizeBytes">Size of the file.</param>
/// <param name="Timestamp">Time of the file's header when the listing knows it, else the store's own time of the object.</param>
public sealed record LtxFileInfo(int Level, Txid MinTxid, Txid MaxTxid, long SizeBytes, DateTimeOffset Timestamp)
{
    /// <summary>Lowest level number.</summary>
    public const int MinLevel = 0;

    /// <summary>Level that holds whole databases.</summary>
    public const int SnapshotLevel = 9;

    /// <summary><c>MIN-MAX.ltx</c>, both 16 lower-case hex digits.</summary>
    public string FileName => FormatFileName(MinTxid, MaxTxid);

    /// <summary>The file name of a range of transactions.</summary>
    public static string FormatFileName(Txid min, Txid max) => $"{min}-{max}.ltx";

    /// <summary>Reads a file name. False for every other name, also for one whose first transaction is 0 or greater than its last.</summary>
    public static bool TryParseFileName(ReadOnlySpan<char> name, out Txid min, out Txid max)
    {
        min = max = default;
        return name.Length == 37
            && name[16] == '-'
            && name.EndsWith(".ltx", StringComparison.Ordinal)
            && name.IndexOfAnyInRange('A', 'F') < 0
            && Txid.TryParse(name[..16], out min)
            && Txid.TryParse(name.Slice(17, 16), out max)
            && !min.IsNone
            && min <= max;
    }
}
