using System.Globalization;
using System.Text;
using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>The files that make a state of a database when applied one after another. Immutable; <see cref="ToString"/> is for people.</summary>
/// <param name="Files">At least one, in the order of their transactions; the first starts at transaction 1, and none leaves a hole.</param>
/// <param name="Txid">The state they make.</param>
/// <param name="Timestamp">When that state was copied: the last file's time, as exact as the listing was.</param>
public sealed record RestorePlan(IReadOnlyList<LtxFileInfo> Files, Txid Txid, DateTimeOffset Timestamp)
{
    /// <summary>Bytes to download.</summary>
    public long SizeBytes => Files.Sum(file => file.SizeBytes);

    /// <summary>A line for the state and one for each file: level, name, bytes, time.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"transaction {Txid} of {Format(Timestamp)}: {Files.Count} files, {SizeBytes} bytes");
        foreach (var file in Files)
        {
            text.Append('\n');
            text.Append(CultureInfo.InvariantCulture, $"  {file.Level}  {file.FileName}  {file.SizeBytes}  {Format(file.Timestamp)}");
        }
        return text.ToString();
    }

    internal static string Format(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}

/// <summary>A state that can be restored.</summary>
/// <param name="Txid">Its transaction.</param>
/// <param name="Timestamp">When it was copied.</param>
/// <param name="SizeBytes">Size of the file that ends with it.</param>
public readonly record struct RestorePoint(Txid Txid, DateTimeOffset Timestamp, long SizeBytes = 0)
{
    /// <summary>Transaction and time, for people.</summary>
    public override string ToString() => $"{Txid} ({RestorePlan.Format(Timestamp)})";
}
