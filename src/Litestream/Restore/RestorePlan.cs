using System.Globalization;
using System.Text;
using Litestream.Ltx;
using Litestream.Restore.V3;

namespace Litestream.Restore;

/// <summary>The files that make a state of a database when applied one after another. Immutable; <see cref="ToString"/> is for people.</summary>
/// <param name="Files">
/// At least one, in the order of their transactions; the first starts at transaction 1, and none leaves a hole. None when the state is in an
/// <see cref="OldBackup"/>.
/// </param>
/// <param name="Txid">The state they make; <see cref="Txid.None"/> for an <see cref="OldBackup"/>.</param>
/// <param name="Timestamp">When that state was copied: the last file's time, as exact as the listing was.</param>
public sealed record RestorePlan(IReadOnlyList<LtxFileInfo> Files, Txid Txid, DateTimeOffset Timestamp)
{
    /// <summary>The objects of Litestream 0.3 that make the state instead; null when LTX files do.</summary>
    public V3Plan? OldBackup { get; init; }

    /// <summary>Bytes to download.</summary>
    public long SizeBytes => OldBackup?.SizeBytes ?? Files.Sum(file => file.SizeBytes);

    /// <summary>A line for the state and one for each file: level, name, bytes, time.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        if (OldBackup is { } old)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{old.Snapshot} of {Format(Timestamp)}: {old.Segments.Count + 1} objects, {SizeBytes} bytes"
            );
            text.Append(
                CultureInfo.InvariantCulture,
                $"\n  {old.Snapshot.Key}  {old.Snapshot.SizeBytes}  {Format(old.Snapshot.Timestamp)}"
            );
            foreach (var segment in old.Segments)
                text.Append(CultureInfo.InvariantCulture, $"\n  {segment.Key}  {segment.SizeBytes}  {Format(segment.Timestamp)}");
            return text.ToString();
        }
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
