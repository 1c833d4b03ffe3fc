using System.Buffers;
using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>A database file in the making: pages go to their places, neighbours together, and at the end every page must have come.</summary>
/// <remarks>
/// Pages beyond an intermediate end are kept until the final one, as a merge of all files would keep them. Memory is one run of pages and a bit a page.
/// One caller at a time; the stream stays the caller's.
/// </remarks>
internal sealed class DatabaseImage : IDisposable
{
    private const int RunSize = 512 * 1024;

    private readonly Stream _stream;
    private readonly byte[] _run = ArrayPool<byte>.Shared.Rent(RunSize);
    private readonly PageSet _pages = new();
    private int _pageSize;
    private uint _firstOfRun;
    private int _runPages;

    public DatabaseImage(Stream stream) => _stream = stream;

    /// <summary>Writes all pages of a file and proves the file. A defect leaves the image of no use.</summary>
    public async Task ApplyAsync(LtxDecoder decoder, CancellationToken cancellationToken)
    {
        var header = decoder.Header;
        var fresh = _pageSize != header.PageSize;
        if (fresh)
            await StartAsync(header, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            // The page is decoded behind the run; whether it belongs there is known only afterwards.
            if ((_runPages + 1) * _pageSize > RunSize)
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            var slot = _run.AsMemory(_runPages * _pageSize, _pageSize);
            var number = await decoder.ReadPageAsync(slot, cancellationToken).ConfigureAwait(false);
            if (number == 0)
                break;
            if (_runPages > 0 && number != _firstOfRun + (uint)_runPages)
            {
                await FlushAsync(cancellationToken).ConfigureAwait(false);
                slot.CopyTo(_run);
            }
            if (_runPages++ == 0)
                _firstOfRun = number;
            _pages.Add(number);
        }
        await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        // A change of the page size leaves nothing of what was there: the file must be a whole database.
        if (fresh && MissingPage(header) is { } missing)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                $"it has pages of {_pageSize} bytes, unlike the files before it, and lacks page {missing}"
            );
    }

    /// <summary>Ends the image: checks that no page is missing and gives the file its length.</summary>
    /// <returns>Bytes of the database.</returns>
    public long Complete(LtxHeader last)
    {
        if (MissingPage(last) is { } missing)
            throw new LitestreamException(LitestreamError.Corrupt, $"page {missing} of {last.Commit} is in none of the files");
        var size = (long)last.Commit * last.PageSize;
        // Cuts off what the database has outgrown, or adds the lock page as zeros when it is the last one.
        _stream.SetLength(size);
        return size;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_run);

    private uint? MissingPage(LtxHeader header) => _pages.FirstMissing(header.Commit, header.LockPage);

    private async Task StartAsync(LtxHeader header, CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        _stream.SetLength(0);
        _pages.Clear();
        _pageSize = header.PageSize;
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_runPages == 0)
            return;
        var position = (long)(_firstOfRun - 1) * _pageSize;
        if (_stream.Position != position)
            _stream.Position = position;
        await _stream.WriteAsync(_run.AsMemory(0, _runPages * _pageSize), cancellationToken).ConfigureAwait(false);
        _runPages = 0;
    }
}
