using System.Globalization;
using Litestream.Replicas;

namespace Litestream.Restore.V3;

/// <summary>A copy of a database file in a backup of Litestream 0.3.</summary>
/// <param name="Generation">16 hex digits.</param>
/// <param name="Index">The WAL's life that was current when it was copied.</param>
/// <param name="SizeBytes">Of the compressed object.</param>
/// <param name="Timestamp">The store's time of the object: the only time there is.</param>
public sealed record V3Snapshot(string Generation, uint Index, long SizeBytes, DateTimeOffset Timestamp)
{
    /// <summary>Where it is in the store.</summary>
    public string Key => string.Create(CultureInfo.InvariantCulture, $"{V3Backup.Prefix}{Generation}/snapshots/{Index:x8}.snapshot.lz4");

    /// <summary>What to call it in messages.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"generation {Generation} snapshot {Index:x8}");
}

/// <summary>A stretch of a WAL in a backup of Litestream 0.3.</summary>
/// <param name="Generation">16 hex digits.</param>
/// <param name="Index">Which life of the WAL.</param>
/// <param name="Offset">Byte of the uncompressed WAL where it begins.</param>
/// <param name="SizeBytes">Of the compressed object.</param>
/// <param name="Timestamp">The store's time of the object.</param>
public sealed record V3Segment(string Generation, uint Index, ulong Offset, long SizeBytes, DateTimeOffset Timestamp)
{
    /// <summary>Where it is in the store.</summary>
    public string Key => string.Create(CultureInfo.InvariantCulture, $"{V3Backup.Prefix}{Generation}/wal/{Index:x8}_{Offset:x8}.wal.lz4");

    /// <summary>What to call it in messages.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"generation {Generation} index {Index:x8} offset {Offset:x8}");
}

/// <summary>One unbroken lineage of a database. Immutable.</summary>
/// <param name="Name">16 hex digits, random: their order means nothing.</param>
/// <param name="Snapshots">By index, ascending.</param>
/// <param name="Segments">By index, then offset, ascending as numbers.</param>
public sealed record V3Generation(string Name, IReadOnlyList<V3Snapshot> Snapshots, IReadOnlyList<V3Segment> Segments)
{
    /// <summary>Time of its oldest object.</summary>
    public DateTimeOffset Oldest => Times.Min();

    /// <summary>Time of its newest object.</summary>
    public DateTimeOffset Newest => Times.Max();

    private IEnumerable<DateTimeOffset> Times => Snapshots.Select(s => s.Timestamp).Concat(Segments.Select(s => s.Timestamp));
}

/// <summary>What Litestream 0.3 left in a replica: all generations, snapshots and WAL segments, as a listing shows them. Immutable.</summary>
/// <param name="Generations">Oldest first; each has at least one object.</param>
public sealed record V3Backup(IReadOnlyList<V3Generation> Generations)
{
    internal const string Prefix = "generations/";
    private const int IndexDigits = 8;
    private const int MostOffsetDigits = 16;
    private const int GenerationDigits = 16;

    /// <summary>True when there is nothing.</summary>
    public bool IsEmpty => Generations.Count == 0;

    /// <summary>Lists everything below <c>generations/</c>. Names that Litestream 0.3 would not have given are passed over.</summary>
    /// <param name="store">The replica; stays the caller's.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    public static async Task<V3Backup> ListAsync(ObjectStore store, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        var snapshots = new List<V3Snapshot>();
        var segments = new List<V3Segment>();
        await foreach (var stored in store.ListAsync(Prefix, null, cancellationToken).ConfigureAwait(false))
            Take(stored, snapshots, segments);
        var snapshotsOf = snapshots.ToLookup(s => s.Generation);
        var segmentsOf = segments.ToLookup(s => s.Generation);
        return new V3Backup([
            .. snapshots
                .Select(s => s.Generation)
                .Concat(segments.Select(s => s.Generation))
                .Distinct()
                .Select(name => new V3Generation(
                    name,
                    [.. snapshotsOf[name].OrderBy(s => s.Index)],
                    [.. segmentsOf[name].OrderBy(s => s.Index).ThenBy(s => s.Offset)]
                ))
                .OrderBy(g => g.Oldest),
        ]);
    }

    private static void Take(StoredObject stored, List<V3Snapshot> snapshots, List<V3Segment> segments)
    {
        // generations/GENERATION/snapshots/INDEX.snapshot.lz4 and generations/GENERATION/wal/INDEX_OFFSET.wal.lz4
        var rest = stored.Key.AsSpan();
        if (!rest.StartsWith(Prefix) || rest.Length <= Prefix.Length + GenerationDigits)
            return;
        var generation = rest.Slice(Prefix.Length, GenerationDigits);
        rest = rest[(Prefix.Length + GenerationDigits)..];
        if (!TryHex(generation, out _))
            return;
        if (TryInside(rest, "/snapshots/", ".snapshot.lz4", out var name))
        {
            if (name.Length == IndexDigits && TryHex(name, out var index))
                snapshots.Add(new V3Snapshot(generation.ToString(), (uint)index, stored.SizeBytes, stored.LastModified));
        }
        else if (TryInside(rest, "/wal/", ".wal.lz4", out name))
        {
            if (
                name.Length is > IndexDigits + IndexDigits and <= IndexDigits + 1 + MostOffsetDigits
                && name[IndexDigits] == '_'
                && TryHex(name[..IndexDigits], out var index)
                && TryHex(name[(IndexDigits + 1)..], out var offset)
            )
                segments.Add(new V3Segment(generation.ToString(), (uint)index, offset, stored.SizeBytes, stored.LastModified));
        }
    }

    private static bool TryInside(ReadOnlySpan<char> text, string start, string end, out ReadOnlySpan<char> inside)
    {
        var fits = text.Length > start.Length + end.Length && text.StartsWith(start) && text.EndsWith(end);
        inside = fits ? text[start.Length..^end.Length] : default;
        return fits;
    }

    private static bool TryHex(ReadOnlySpan<char> text, out ulong value)
    {
        value = 0;
        return text.IndexOfAnyExcept("0123456789abcdef") < 0
            && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }
}
