using Litestream.Ltx;

namespace Litestream.Replication;

/// <summary>
/// Remembers what a few of the copied pages looked like, and compares them with the database file once a checkpoint has moved everything: a checkpoint
/// that loses pages (SQLite's WAL-reset bug of 3.7.0 to 3.51.2, replication-engine §7.3; a bad disk) is found by nothing else. Bounded: 16 pages a cycle.
/// </summary>
/// <remarks>Used under the database's gate. Of each page in the sample it knows the newest version that was copied.</remarks>
internal sealed class CheckpointProof
{
    internal const int MostPages = 16;

    private readonly Dictionary<uint, ulong> _sample = [];
    private readonly Random _random = new(16);
    private long _observed;

    /// <summary>Reads pages of the database file itself.</summary>
    internal delegate void ReadPage(uint pageNumber, Span<byte> page);

    /// <summary>A page is copied from the WAL.</summary>
    internal void Observe(uint pageNumber, ReadOnlySpan<byte> page)
    {
        _observed++;
        if (_sample.ContainsKey(pageNumber))
        {
            _sample[pageNumber] = LtxChecksum.Page(pageNumber, page);
            return;
        }
        if (_sample.Count < MostPages)
        {
            _sample.Add(pageNumber, LtxChecksum.Page(pageNumber, page));
            return;
        }
        // Each page of a cycle is as likely to be in the sample as any other.
        if (_random.NextInt64(_observed) >= MostPages)
            return;
        _sample.Remove(_sample.Keys.ElementAt(_random.Next(MostPages)));
        _sample.Add(pageNumber, LtxChecksum.Page(pageNumber, page));
    }

    /// <summary>Forgets the sample: pages were copied in another way.</summary>
    internal void Clear()
    {
        _sample.Clear();
        _observed = 0;
    }

    /// <summary>
    /// Compares, and begins a new sample. To be called when everything is copied and moved, while our reader stands behind it: then nobody can write to
    /// the database file.
    /// </summary>
    /// <returns>Pages that are not what was committed, ascending.</returns>
    internal IReadOnlyList<uint> Compare(ReadPage read, int pageSize, uint commit)
    {
        var wrong = new List<uint>();
        var page = new byte[pageSize];
        foreach (var (number, checksum) in _sample)
        {
            if (number > commit)
                continue; // cut off by a later transaction
            read(number, page);
            if (LtxChecksum.Page(number, page) != checksum)
                wrong.Add(number);
        }
        Clear();
        wrong.Sort();
        return wrong;
    }
}
