using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using K4os.Compression.LZ4;

namespace Litestream.Ltx;

/// <summary>Reads an LTX file from a stream, once, from its start to its end, and proves all of it.</summary>
/// <remarks>
/// Call <see cref="ReadPageAsync"/> until it returns 0, then <see cref="FinishAsync"/>; only then the pages are proved. Memory is bounded by the buffer
/// whatever the file says: sizes are checked before they are used, and the index is compared by its checksum while it passes.
/// One caller at a time. The stream stays the caller's; <see cref="DisposeAsync"/> gives the buffer back.
/// Every defect is a <see cref="LitestreamException"/> with <see cref="LitestreamError.Corrupt"/>; what the stream throws passes through.
/// </remarks>
public sealed class LtxDecoder : IAsyncDisposable
{
    /// <summary>Bytes read from the stream at once, unless the file is known to be shorter.</summary>
    internal const int DefaultBufferSize = 256 * 1024;

    // More than the largest page of 64 KiB can need in one piece.
    private const int LeastBufferSize = 128 * 1024;

    private readonly Stream _input;
    private readonly long? _knownLength;
    private readonly string? _name;
    private readonly int _capacity;
    private byte[] _buffer;
    private int _start;
    private int _end;
    private long _position;
    private ulong _checksum;
    private ulong _indexChecksum;
    private long _indexSize;
    private ulong _databaseChecksum = LtxChecksum.EmptyDatabase;
    private LtxPageOrder _order;
    private bool _pagesRead;
    private LtxTrailer? _trailer;

    private LtxDecoder(Stream input, long? knownLength, string? name, int bufferSize, LtxHeader header, ReadOnlySpan<byte> headerBytes)
    {
        _input = input;
        _knownLength = knownLength;
        _name = name;
        _capacity = (int)Math.Min(Math.Max(bufferSize, LeastBufferSize), knownLength ?? long.MaxValue);
        _buffer = ArrayPool<byte>.Shared.Rent(_capacity);
        _position = LtxHeader.Size;
        _checksum = LtxChecksum.Crc64(0, headerBytes);
        _order = new LtxPageOrder(header);
        Header = header;
    }

    /// <summary>The file's header; its fields are proved only by <see cref="FinishAsync"/>.</summary>
    public LtxHeader Header { get; }

    /// <summary>What the file is called in messages; null when it was not given.</summary>
    public string? Name => _name;

    /// <summary>Starts reading: takes and checks the header.</summary>
    /// <param name="input">Read from its position on; need not seek.</param>
    /// <param name="knownLength">Bytes of the file when known; anything shorter or longer is then an error at once.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="name">What to call the file in messages.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: no LTX header.</exception>
    public static Task<LtxDecoder> OpenAsync(Stream input, long? knownLength, CancellationToken cancellationToken, string? name = null) =>
        OpenAsync(input, knownLength, DefaultBufferSize, name, cancellationToken);

    internal static async Task<LtxDecoder> OpenAsync(
        Stream input,
        long? knownLength,
        int bufferSize,
        string? name,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(input);
        var bytes = new byte[LtxHeader.Size];
        var count = await input.ReadAtLeastAsync(bytes, LtxHeader.Size, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (count < LtxHeader.Size)
            throw Corrupt(name, $"the file ends inside its header, after {count} bytes");
        if (knownLength < LtxHeader.Size)
            throw Corrupt(name, $"a file of {knownLength} bytes is too short for a header");
        try
        {
            return new LtxDecoder(input, knownLength, name, bufferSize, LtxHeader.Read(bytes), bytes);
        }
        catch (LitestreamException exception) when (name is not null)
        {
            throw new LitestreamException(exception.Error, $"{name}: {exception.Message}", exception);
        }
    }

    /// <summary>Reads the next page.</summary>
    /// <param name="page">At least <see cref="LtxHeader.PageSize"/> bytes; filled from its start.</param>
    /// <param name="cancellationToken">Ends the reading; the decoder is then of no more use.</param>
    /// <returns>The number of the page; 0 at the end of the pages. Completes synchronously as long as the buffer lasts.</returns>
    public ValueTask<uint> ReadPageAsync(Memory<byte> page, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        if (page.Length < Header.PageSize)
            throw new ArgumentException($"A page has {Header.PageSize} bytes.", nameof(page));
        if (_pagesRead)
            return new ValueTask<uint>(0);
        return TryReadPage(page.Span[..Header.PageSize], out var number, out var needed)
            ? new ValueTask<uint>(number)
            : ReadPageSlowlyAsync(page[..Header.PageSize], needed, cancellationToken);
    }

    /// <summary>Reads and proves the rest: pages not read yet, the index, the trailer, and that nothing follows.</summary>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: something in the file is wrong; no page of it may be used.</exception>
    public async Task<LtxTrailer> FinishAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        if (_trailer is { } known)
            return known;
        if (!_pagesRead)
            await SkipPagesAsync(cancellationToken).ConfigureAwait(false);
        await ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        await FillAsync(LtxTrailer.Size, "trailer", cancellationToken).ConfigureAwait(false);
        var trailer = TakeTrailer();
        if (_end > _start || await _input.ReadAsync(_buffer.AsMemory(0, 1), cancellationToken).ConfigureAwait(false) > 0)
            throw Corrupt("bytes follow the trailer");
        _trailer = trailer;
        return trailer;
    }

    /// <summary>Gives the buffer back; the stream stays open.</summary>
    public ValueTask DisposeAsync()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        return ValueTask.CompletedTask;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<uint> ReadPageSlowlyAsync(Memory<byte> page, int needed, CancellationToken cancellationToken)
    {
        uint number;
        do await FillAsync(needed, "pages", cancellationToken).ConfigureAwait(false);
        while (!TryReadPage(page.Span, out number, out needed));
        return number;
    }

    /// <summary>Reads a page when all of it is in the buffer; else says how many bytes must be.</summary>
    private bool TryReadPage(Span<byte> page, out uint number, out int needed)
    {
        var bytes = _buffer.AsSpan(_start, _end - _start);
        number = 0;
        needed = LtxPageHeader.Size;
        if (bytes.Length < needed)
            return false;
        if (LtxPageHeader.TryRead(bytes, out var header) is { } problem)
            throw UnknownPageHeader(problem);
        if (header.IsEnd)
        {
            EndPages(bytes[..needed]);
            return true;
        }
        number = header.PageNumber;
        // The order is judged before any byte is decoded; a page that must be waited for is judged again by a copy.
        var order = _order;
        if (order.Next(number) is { } disorder)
            throw Corrupt(disorder);
        var prefix = header.HasSize ? LtxPageHeader.Size + LtxPageHeader.SizeFieldSize : LtxPageHeader.Size;
        var complete = header.HasSize ? TryReadBlock(bytes, number, page, ref needed) : TryReadFrame(bytes, number, page, ref needed);
        if (!complete)
            return false;
        _order = order;
        AccountForPage(bytes[..prefix], number, page, needed);
        return true;
    }

    private bool TryReadBlock(ReadOnlySpan<byte> bytes, uint number, Span<byte> page, ref int needed)
    {
        const int Prefix = LtxPageHeader.Size + LtxPageHeader.SizeFieldSize;
        needed = Prefix;
        if (bytes.Length < needed)
            return false;
        var size = BinaryPrimitives.ReadUInt32BigEndian(bytes[LtxPageHeader.Size..]);
        if (size == 0 || size > LZ4Codec.MaximumOutputSize(page.Length))
            throw Corrupt($"page {number} cannot have {size} compressed bytes");
        needed = Prefix + (int)size;
        if (bytes.Length < needed)
            return false;
        if (LZ4Codec.Decode(bytes[Prefix..needed], page) != page.Length)
            throw Corrupt($"page {number} does not decompress to {page.Length} bytes");
        return true;
    }

    private bool TryReadFrame(ReadOnlySpan<byte> bytes, uint number, Span<byte> page, ref int needed)
    {
        var problem = Lz4Frame.Measure(bytes[LtxPageHeader.Size..], page.Length, out var length, out needed);
        needed += LtxPageHeader.Size;
        if (problem is null && length == 0)
            return false;
        problem ??= Lz4Frame.Read(bytes.Slice(LtxPageHeader.Size, length), page);
        return problem is null ? true : throw Corrupt($"page {number}: {problem}");
    }

    private void AccountForPage(ReadOnlySpan<byte> prefix, uint number, ReadOnlySpan<byte> page, int length)
    {
        _checksum = LtxChecksum.Crc64(LtxChecksum.Crc64(_checksum, prefix), page);
        if (!Header.NoChecksum && Header.IsSnapshot)
            _databaseChecksum = LtxChecksum.Roll(_databaseChecksum, 0, LtxChecksum.Page(number, page));
        Span<byte> entry = stackalloc byte[LtxPageIndex.MaxEntrySize];
        ExpectInIndex(entry[..LtxPageIndex.WriteEntry(entry, number, _position, length)]);
        Consume(length);
    }

    private void EndPages(ReadOnlySpan<byte> header)
    {
        if (_order.End() is { } problem)
            throw Corrupt(problem);
        _checksum = LtxChecksum.Crc64(_checksum, header);
        Consume(header.Length);
        ExpectInIndex([0]);
        _pagesRead = true;
    }

    private void ExpectInIndex(ReadOnlySpan<byte> bytes)
    {
        _indexChecksum = LtxChecksum.Crc64(_indexChecksum, bytes);
        _indexSize += bytes.Length;
    }

    private async Task SkipPagesAsync(CancellationToken cancellationToken)
    {
        var page = ArrayPool<byte>.Shared.Rent(Header.PageSize);
        try
        {
            while (await ReadPageAsync(page, cancellationToken).ConfigureAwait(false) != 0) { }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(page);
        }
    }

    private async Task ReadIndexAsync(CancellationToken cancellationToken)
    {
        var checksum = 0UL;
        for (var left = _indexSize; left > 0; )
        {
            await FillAsync(1, "page index", cancellationToken).ConfigureAwait(false);
            var count = (int)Math.Min(left, _end - _start);
            checksum = LtxChecksum.Crc64(checksum, _buffer.AsSpan(_start, count));
            TakeIntoChecksum(count);
            left -= count;
        }
        if (checksum != _indexChecksum)
            throw Corrupt("the page index does not describe the pages");
        await FillAsync(LtxPageIndex.SizeFieldSize, "page index", cancellationToken).ConfigureAwait(false);
        var size = BinaryPrimitives.ReadUInt64BigEndian(_buffer.AsSpan(_start));
        if (size != (ulong)_indexSize)
            throw Corrupt($"the page index has {_indexSize} bytes, its size field says {size}");
        TakeIntoChecksum(LtxPageIndex.SizeFieldSize);
    }

    private LtxTrailer TakeTrailer()
    {
        var trailer = LtxTrailer.Read(_buffer.AsSpan(_start));
        if (trailer.ProblemBeside(Header) is { } problem)
            throw Corrupt(problem);
        TakeIntoChecksum(sizeof(ulong));
        Consume(sizeof(ulong));
        if (trailer.FileChecksum != (LtxChecksum.Flag | _checksum))
            throw Corrupt($"the file checksum is {trailer.FileChecksum:x16}, the content has {LtxChecksum.Flag | _checksum:x16}");
        if (!Header.NoChecksum && Header.IsSnapshot && trailer.PostApplyChecksum != _databaseChecksum)
            throw Corrupt($"the database checksum is {trailer.PostApplyChecksum:x16}, the pages have {_databaseChecksum:x16}");
        return trailer;
    }

    private void TakeIntoChecksum(int count)
    {
        _checksum = LtxChecksum.Crc64(_checksum, _buffer.AsSpan(_start, count));
        Consume(count);
    }

    private void Consume(int count)
    {
        _start += count;
        _position += count;
    }

    /// <summary>Reads until <paramref name="needed"/> bytes are at hand in one piece.</summary>
    private async ValueTask FillAsync(int needed, string part, CancellationToken cancellationToken)
    {
        if (_end - _start >= needed)
            return;
        if (_position + needed > _knownLength)
            throw EndsInside(part);
        if (needed > _capacity)
            throw Corrupt($"a page of {needed} compressed bytes is not possible");
        if (_start + needed > _capacity)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
        while (_end - _start < needed)
        {
            var count = await _input.ReadAsync(_buffer.AsMemory(_end, _capacity - _end), cancellationToken).ConfigureAwait(false);
            if (count == 0)
                throw EndsInside(part);
            _end += count;
        }
    }

    private LitestreamException EndsInside(string part) =>
        Corrupt($"the file ends inside its {part}, at byte {_knownLength ?? _position + _end - _start}");

    private LitestreamException UnknownPageHeader(string problem) =>
        _position > LtxHeader.Size
            ? Corrupt(problem)
            : new LitestreamException(LitestreamError.Corrupt, Named(_name, problem))
            {
                Hint = "Files of pre-release LTX versions (LiteFS, Litestream 0.5 betas) look like this; they cannot be read.",
            };

    private LitestreamException Corrupt(string problem) => Corrupt(_name, problem);

    private static LitestreamException Corrupt(string? name, string problem) => new(LitestreamError.Corrupt, Named(name, problem));

    private static string Named(string? name, string problem) => name is null ? $"LTX file: {problem}" : $"{name}: {problem}";
}
