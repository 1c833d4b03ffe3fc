namespace Litestream.Restore.V3;

/// <summary>The objects of a backup of Litestream 0.3 that make a state: one snapshot and every WAL segment from its index on. Immutable.</summary>
/// <param name="Snapshot">What to start from.</param>
/// <param name="Segments">By index and offset, no index left out; may be empty.</param>
/// <param name="Passed">
/// The first segment that is too new for the wished moment although later ones are not (a copied bucket, for instance); the restore ends before it.
/// Null when none is.
/// </param>
public sealed record V3Plan(V3Snapshot Snapshot, IReadOnlyList<V3Segment> Segments, V3Segment? Passed = null)
{
    /// <summary>Its generation.</summary>
    public string Generation => Snapshot.Generation;

    /// <summary>The last index.</summary>
    public uint Index => Segments.Count > 0 ? Segments[^1].Index : Snapshot.Index;

    /// <summary>Time of the newest object.</summary>
    public DateTimeOffset Timestamp => Segments.Select(s => s.Timestamp).Append(Snapshot.Timestamp).Max();

    /// <summary>Bytes to download.</summary>
    public long SizeBytes => Snapshot.SizeBytes + Segments.Sum(s => s.SizeBytes);
}
