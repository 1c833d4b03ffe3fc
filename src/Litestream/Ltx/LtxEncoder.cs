using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Litestream.Ltx;

/// <summary>Writes an LTX file to a stream.</summary>
/// <remarks>
/// Call <see cref="WritePageAsync"/> with ascending pages, then <see cref="FinishAsync"/>. Nothing is allocated per page; the index is kept in about three
/// bytes a page until the end. One caller at a time. The stream stays the caller's; <see cref="DisposeAsync"/> gives the buffers back.
/// Wrong pages are <see cref="ArgumentException"/>; what the stream throws passes through, and the file is then of no use.
/// </remarks>
public sealed class LtxEncoder : IAsyncDisposable
{
    private const int BufferSize = 256 * 1024;

    // A small database is written before another processor is awake.
    private const int LeastRunBytes = 64 * 1024;

    private readonly Stream _output;
    private readonly bool _legacyPageFrames;
    private readonly int _leastRoom;
    private readonly LtxIndexNotes _notes = new();
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _used;
    private long _flushed;
    private ulong _checksum;
    private ulong _databaseChecksum = LtxChecksum.EmptyDatabase;
    private LtxPageOrder _order;
    private LtxPageRun? _run;
    private bool _finished;

    /// <summary>Starts a file; nothing is written to the stream before the buffer is full.</summary>
    /// <param name="output">Where to; written from its position on.</param>
    /// <param name="header">The header.</param>
    /// <param name="legacyPageFrames">True: pages as Litestream up to 0.5.15 can read them. False: as 0.5.16 and later write them.</param>
    /// <exception cref="ArgumentException">The header breaks a rule of the format, or describes an emptied database without checksums, which it cannot express.</exception>
    public LtxEncoder(Stream output, LtxHeader header, bool legacyPageFrames = false)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(header);
        if (header is { Commit: 0, NoChecksum: true })
            throw new ArgumentException("An emptied database cannot be written without checksums.", nameof(header));
        header.Write(_buffer);
        _output = output;
        _legacyPageFrames = legacyPageFrames;
        _leastRoom = LtxPageCodec.MaxSize(header.PageSize, legacyPageFrames);
        _order = new LtxPageOrder(header);
        _used = LtxHeader.Size;
        _checksum = LtxChecksum.Crc64(0, _buffer.AsSpan(0, _used));
        Header = header;
    }

    /// <summary>The header.</summary>
    public LtxHeader Header { get; }

    /// <summary>Bytes of the file so far, with those not yet in the stream.</summary>
    public long BytesWritten => _flushed + _used;

    /// <summary>
    /// Rolling checksum of the database after this file. To be set before <see cref="FinishAsync"/> of an increment with checksums;
    /// computed for snapshots, 0 without checksums.
    /// </summary>
    public ulong PostApplyChecksum { get; set; }

    /// <summary>Adds a page.</summary>
    /// <param name="pageNumber">Greater than the one before, at most <see cref="LtxHeader.Commit"/>, not the lock page; in a snapshot the very next one.</param>
    /// <param name="page">Exactly <see cref="LtxHeader.PageSize"/> bytes; free again when the call completes.</param>
    /// <param name="cancellationToken">Ends the writing; the file is then of no use.</param>
    /// <exception cref="ArgumentException">The page is out of order or has a wrong length.</exception>
    public ValueTask WritePageAsync(uint pageNumber, ReadOnlyMemory<byte> page, CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        if (page.Length != Header.PageSize)
            throw new ArgumentException($"A page has {Header.PageSize} bytes, not {page.Length}.", nameof(page));
        if (_order.Next(pageNumber) is { } problem)
            throw new ArgumentException($"{problem}.", nameof(pageNumber));
        if (_used + _leastRoom > BufferSize)
            return FlushAndAppendAsync(pageNumber, page, cancellationToken);
        Append(pageNumber, page.Span);
        return ValueTask.CompletedTask;
    }

    /// <summary>Adds neighbouring pages, compressed on several processors at once: for copies of whole databases.</summary>
    /// <param name="firstPage">As of <see cref="WritePageAsync"/>.</param>
    /// <param name="pages">Whole pages, one after the other; free again when the call completes.</param>
    /// <param name="cancellationToken">Ends the writing; the file is then of no use.</param>
    /// <exception cref="ArgumentException">A page is out of order, or not whole.</exception>
    public async Task WritePagesAsync(uint firstPage, ReadOnlyMemory<byte> pages, CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        var size = Header.PageSize;
        if (pages.Length % size != 0)
            throw new ArgumentException($"A page has {size} bytes; {pages.Length} are not whole pages.", nameof(pages));
        if (_run is null && pages.Length <= LeastRunBytes)
        {
            for (; !pages.IsEmpty; pages = pages[size..], firstPage++)
                await WritePageAsync(firstPage, pages[..size], cancellationToken).ConfigureAwait(false);
            return;
        }
        _run ??= new LtxPageRun(size, _legacyPageFrames);
        for (; !pages.IsEmpty; pages = pages[(_run.Count * size)..], firstPage += (uint)_run.Count)
        {
            _run.Compress(firstPage, pages);
            if (_used > 0)
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < _run.Count; i++)
            {
                if (_order.Next(firstPage + (uint)i) is { } problem)
                    throw new ArgumentException($"{problem}.", nameof(firstPage));
                var page = _run.Page(i).Span;
                Account(
                    firstPage + (uint)i,
                    pages.Span.Slice(i * size, size),
                    page[..LtxPageCodec.PrefixSize(_legacyPageFrames)],
                    page.Length
                );
            }
            await _output.WriteAsync(_run.Compressed, cancellationToken).ConfigureAwait(false);
            _flushed += _run.Compressed.Length;
        }
    }

    /// <summary>Writes the end of the pages, the index and the trailer, and flushes the stream, which stays open.</summary>
    /// <exception cref="InvalidOperationException">A snapshot lacks pages, or <see cref="PostApplyChecksum"/> is not set where it must be.</exception>
    public async Task<LtxTrailer> FinishAsync(CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        if (_order.End() is { } problem)
            throw new InvalidOperationException($"{problem}.");
        if (Header.NoChecksum)
            PostApplyChecksum = 0;
        else if (Header.IsSnapshot)
            PostApplyChecksum = _databaseChecksum;
        if (new LtxTrailer(PostApplyChecksum, LtxChecksum.Flag).ProblemBeside(Header) is { } missing)
            throw new InvalidOperationException($"{missing}.");
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        _finished = true;
        new LtxPageHeader(0, false).Write(_buffer);
        TakeIntoChecksum(LtxPageHeader.Size);
        var size = await WriteIndexAsync(cancellationToken).ConfigureAwait(false);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        BinaryPrimitives.WriteUInt64BigEndian(_buffer, (ulong)size);
        TakeIntoChecksum(LtxPageIndex.SizeFieldSize);
        BinaryPrimitives.WriteUInt64BigEndian(_buffer.AsSpan(_used), PostApplyChecksum);
        TakeIntoChecksum(sizeof(ulong));
        var trailer = new LtxTrailer(PostApplyChecksum, LtxChecksum.Flag | _checksum);
        BinaryPrimitives.WriteUInt64BigEndian(_buffer.AsSpan(_used), trailer.FileChecksum);
        _used += sizeof(ulong);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        await _output.FlushAsync(cancellationToken).ConfigureAwait(false);
        return trailer;
    }

    /// <summary>Gives the buffers back. A file that was not finished stays unfinished.</summary>
    public ValueTask DisposeAsync()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _notes.Dispose();
        _run?.Dispose();
        return ValueTask.CompletedTask;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FlushAndAppendAsync(uint pageNumber, ReadOnlyMemory<byte> page, CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        Append(pageNumber, page.Span);
    }

    private void Append(uint pageNumber, ReadOnlySpan<byte> page)
    {
        var room = _buffer.AsSpan(_used);
        var length = LtxPageCodec.Write(room, pageNumber, page, _legacyPageFrames);
        Account(pageNumber, page, room[..LtxPageCodec.PrefixSize(_legacyPageFrames)], length);
        _used += length;
    }

    private void Account(uint pageNumber, ReadOnlySpan<byte> page, ReadOnlySpan<byte> prefix, int length)
    {
        _checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(_checksum, prefix), page);
        if (!Header.NoChecksum && Header.IsSnapshot)
            _databaseChecksum = LtxChecksum.Roll(_databaseChecksum, 0, LtxChecksum.Page(pageNumber, page));
        _notes.Add(pageNumber, length);
    }

    private async Task<long> WriteIndexAsync(CancellationToken cancellationToken)
    {
        var reader = _notes.Read();
        long size = 0;
        long offset = LtxHeader.Size;
        while (reader.TryNext(out var pageNumber, out var length))
        {
            if (_used + LtxPageIndex.MaxEntrySize > BufferSize)
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            var entry = LtxPageIndex.WriteEntry(_buffer.AsSpan(_used), pageNumber, offset, length);
            TakeIntoChecksum(entry);
            size += entry;
            offset += length;
        }
        if (_used == BufferSize)
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        _buffer[_used] = 0;
        TakeIntoChecksum(1);
        return size + 1;
    }

    private void TakeIntoChecksum(int count)
    {
        _checksum = LtxChecksum.Crc64(_checksum, _buffer.AsSpan(_used, count));
        _used += count;
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _output.WriteAsync(_buffer.AsMemory(0, _used), cancellationToken).ConfigureAwait(false);
        _flushed += _used;
        _used = 0;
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        if (_finished)
            throw new InvalidOperationException("The file is finished.");
    }
}
