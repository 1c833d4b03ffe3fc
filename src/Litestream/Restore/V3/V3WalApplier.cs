using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Litestream.Sqlite;

namespace Litestream.Restore.V3;

/// <summary>
/// Writes the frames of one WAL after another into a copy of the database, each frame proved by salt and running checksum first. SQLite would stop at the
/// first wrong frame without a word, and go on with the next WAL.
/// </summary>
/// <remarks>Frames go to their places at once, also those whose commit has not been seen yet: the caller must know by <see cref="IsBetweenTransactions"/>.</remarks>
internal sealed class V3WalApplier : IDisposable
{
    private readonly Stream _database;
    private readonly int _pageSize;
    private readonly byte[] _buffer;
    private readonly int _frameSize;
    private WalHeader? _wal;
    private WalChecksum _running;
    private long _offset;
    private uint _index;
    private uint _highest;
    private uint _counter;
    private bool _isFirstOfIndex;

    /// <summary>Goes on from a snapshot.</summary>
    /// <param name="database">The copy; stays the caller's.</param>
    /// <param name="sizeBytes">Its length.</param>
    /// <param name="firstPage">Its first 100 bytes.</param>
    /// <param name="index">The snapshot's index.</param>
    public V3WalApplier(Stream database, long sizeBytes, ReadOnlySpan<byte> firstPage, uint index)
    {
        _database = database;
        _pageSize = V3DatabaseHeader.PageSize(firstPage);
        _counter = V3DatabaseHeader.ChangeCounter(firstPage);
        _frameSize = WalFrameHeader.Size + _pageSize;
        _buffer = ArrayPool<byte>.Shared.Rent(_frameSize);
        _index = index;
        Pages = (uint)(sizeBytes / _pageSize);
        _highest = Pages;
    }

    /// <summary>Size of the database in pages after the last commit.</summary>
    public uint Pages { get; private set; }

    /// <summary>False while frames have been written that no commit has ended.</summary>
    public bool IsBetweenTransactions { get; private set; } = true;

    /// <summary>Byte of the present index behind its last commit.</summary>
    public long CommittedOffset { get; private set; }

    /// <summary>Takes the next segment.</summary>
    /// <param name="segment">Its name; must follow on the last one.</param>
    /// <param name="content">Its uncompressed bytes.</param>
    /// <param name="stopAt">Byte of the WAL at which to stop; null for its end.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task ApplyAsync(V3Segment segment, Stream content, long? stopAt, CancellationToken cancellationToken)
    {
        if (segment.Index != _index)
            StartIndex(segment.Index);
        if (segment.Offset > (ulong)_offset)
            throw new LitestreamException(
                LitestreamError.Gap,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"a segment is missing or has another length before it: offset {_offset:x8} of index {_index:x8} is due"
                )
            );
        if (_offset == 0)
            await ReadHeaderAsync(content, cancellationToken).ConfigureAwait(false);
        else if (!await SkipKnownAsync((long)segment.Offset, content, cancellationToken).ConfigureAwait(false))
            return;
        while (stopAt is null || _offset < stopAt)
        {
            var count = await content
                .ReadAtLeastAsync(_buffer.AsMemory(0, _frameSize), _frameSize, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            if (count == 0)
                return;
            if (count < _frameSize)
                throw Corrupt("it ends inside a frame");
            var frame = Prove();
            await WriteAsync(frame, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives the file the length of the last commit, as SQLite does at the end of a checkpoint.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: pages at its end are in none of the objects.</exception>
    public void Truncate()
    {
        // Only at an end: a snapshot may be newer than the beginning of its index, and shorter than the database was then.
        if (Pages > _highest)
            throw Corrupt($"the last commit makes a database of {Pages} pages, but the last page in the backup is {_highest}");
        _database.SetLength((long)Pages * _pageSize);
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    private void StartIndex(uint index)
    {
        if (!IsBetweenTransactions)
            throw new LitestreamException(
                LitestreamError.Gap,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"index {_index:x8} before it ends inside a transaction, at offset {_offset:x8}: its last segment is missing"
                )
            );
        // Pages behind the end must not come back when a later WAL makes the database grow again.
        Truncate();
        (_index, _offset, CommittedOffset, _wal) = (index, 0, 0, null);
        _highest = Pages;
        _isFirstOfIndex = true;
    }

    private async Task ReadHeaderAsync(Stream content, CancellationToken cancellationToken)
    {
        var bytes = _buffer.AsMemory(0, WalHeader.Size);
        var count = await content.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (count < bytes.Length)
            throw Corrupt("it ends inside the WAL header");
        var wal = WalHeader.Read(bytes.Span, "the segment") ?? throw Corrupt("wrong checksum of the WAL header");
        if (wal.PageSize != _pageSize)
            throw Corrupt($"the WAL has pages of {wal.PageSize} bytes, the snapshot of {_pageSize}");
        (_wal, _running, _offset) = (wal, wal.Checksum, WalHeader.Size);
    }

    /// <summary>
    /// Passes over frames that a segment before this one held already. A program that is killed between two uploads writes the first segment again when it
    /// is back, by then a longer one. (0.3.13 itself restores such a backup only up to there, without a word.)
    /// </summary>
    /// <returns>False when the segment has nothing more.</returns>
    private async Task<bool> SkipKnownAsync(long from, Stream content, CancellationToken cancellationToken)
    {
        if (from < WalHeader.Size || (from - WalHeader.Size) % _frameSize != 0)
            throw Corrupt("it begins inside a frame of the segment before it");
        for (var at = from; at < _offset; at += _frameSize)
        {
            var bytes = _buffer.AsMemory(0, _frameSize);
            var count = await content
                .ReadAtLeastAsync(bytes, _frameSize, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            if (count == 0)
                return false;
            if (count < _frameSize)
                throw Corrupt("it ends inside a frame");
            // The last of them must be the frame that we stand behind.
            var frame = WalFrameHeader.Read(bytes.Span);
            if (at + _frameSize == _offset && (frame.Checksum != _running || frame.Salt != _wal!.Value.Salt))
                throw Corrupt("it holds other frames than the segment before it");
        }
        return true;
    }

    /// <summary>The frame in the buffer, when it is what SQLite wrote.</summary>
    private WalFrameHeader Prove()
    {
        var wal = _wal!.Value;
        var bytes = _buffer.AsSpan(0, _frameSize);
        var frame = WalFrameHeader.Read(bytes);
        if (frame.Salt != wal.Salt)
            throw Corrupt($"a frame has salt {frame.Salt} where {wal.Salt} is due");
        _running = _running.Add(bytes[..8], wal.BigEndianChecksums).Add(bytes[WalFrameHeader.Size..], wal.BigEndianChecksums);
        if (_running != frame.Checksum)
            throw Corrupt("wrong checksum of a frame");
        if (frame.PageNumber == 0)
            throw Corrupt("a frame has page number 0");
        return frame;
    }

    private async Task WriteAsync(WalFrameHeader frame, CancellationToken cancellationToken)
    {
        if (frame.PageNumber == 1)
            CheckCounter();
        _database.Position = (frame.PageNumber - 1L) * _pageSize;
        await _database.WriteAsync(_buffer.AsMemory(WalFrameHeader.Size, _pageSize), cancellationToken).ConfigureAwait(false);
        _highest = Math.Max(_highest, frame.PageNumber);
        _offset += _frameSize;
        IsBetweenTransactions = frame.IsCommit;
        if (!frame.IsCommit)
            return;
        (Pages, CommittedOffset) = (frame.CommitPages, _offset);
    }

    // Within an index the chain of checksums shows every hole. Between two it does not; but SQLite counts the changes of page 1, by one each.
    private void CheckCounter()
    {
        var counter = V3DatabaseHeader.ChangeCounter(_buffer.AsSpan(WalFrameHeader.Size, V3DatabaseHeader.Size));
        if (_isFirstOfIndex && unchecked(counter - _counter) > 1)
            throw new LitestreamException(
                LitestreamError.Gap,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"SQLite's change counter goes from {_counter} to {counter}: the end of the index before {_index:x8} is missing"
                )
            );
        (_counter, _isFirstOfIndex) = (counter, false);
    }

    private LitestreamException Corrupt(string problem) =>
        new(LitestreamError.Corrupt, string.Create(CultureInfo.InvariantCulture, $"{problem} (byte {_offset} of the WAL)"));
}

/// <summary>What is needed of the first 100 bytes of a database.</summary>
internal static class V3DatabaseHeader
{
    public const int Size = 100;

    /// <summary>What is wrong with it, as text; null when it is the start of a database.</summary>
    public static string? Problem(ReadOnlySpan<byte> bytes) =>
        bytes.Length < Size ? $"it has {bytes.Length} bytes"
        : !bytes.StartsWith("SQLite format 3\0"u8) ? "it is no database of SQLite"
        : PageSize(bytes) is < 512 || !int.IsPow2(PageSize(bytes)) ? $"it has pages of {PageSize(bytes)} bytes"
        : null;

    public static int PageSize(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.ReadUInt16BigEndian(bytes[16..]) is var size && size == 1 ? 65536 : size;

    public static uint ChangeCounter(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]);
}
