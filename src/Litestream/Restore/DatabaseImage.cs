using System.Buffers;
using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>A database file in the making: pages go to their places, neighbours together, and at the end every page must have come.</summary>
/// <remarks>
/// Pages beyond an intermediate end are kept until the final one, as a merge of all files would keep them. While one run of pages is written, the next is
/// decoded. Memory is two runs and a bit a page. One caller at a time; the stream stays the caller's.
/// </remarks>
internal sealed class DatabaseImage : IAsyncDisposable
{
    private const int RunSize = 1 << 20;
    private const int LeastAside = 64 << 10;

    private readonly Stream _stream;
    private readonly PageSet _pages = new();
    private byte[] _run = ArrayPool<byte>.Shared.Rent(RunSize);
    private byte[] _writing = ArrayPool<byte>.Shared.Rent(RunSize);
    private Task _write = Task.CompletedTask;
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
                await WriteRunAsync(cancellationToken).ConfigureAwait(false);
            var slot = _run.AsMemory(_runPages * _pageSize, _pageSize);
            var number = await decoder.ReadPageAsync(slot, cancellationToken).ConfigureAwait(false);
            if (number == 0)
                break;
            if (_runPages > 0 && number != _firstOfRun + (uint)_runPages)
            {
                // The buffers change places; the bytes behind the run are not part of what is being written.
                await WriteRunAsync(cancellationToken).ConfigureAwait(false);
                slot.CopyTo(_run);
            }
            if (_runPages++ == 0)
                _firstOfRun = number;
            _pages.Add(number);
        }
        await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
        await WriteRunAsync(cancellationToken).ConfigureAwait(false);
        // A change of the page size leaves nothing of what was there: the file must be a whole database.
        if (fresh && MissingPage(header) is { } missing)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                $"it has pages of {_pageSize} bytes, unlike the files before it, and lacks page {missing}"
            );
    }

    /// <summary>Ends the image: checks that no page is missing and gives the file its length.</summary>
    /// <returns>Bytes of the database.</returns>
    public async Task<long> CompleteAsync(LtxHeader last)
    {
        if (MissingPage(last) is { } missing)
            throw new LitestreamException(LitestreamError.Corrupt, $"page {missing} of {last.Commit} is in none of the files");
        await _write.ConfigureAwait(false);
        var size = (long)last.Commit * last.PageSize;
        // Cuts off what the database has outgrown, or adds the lock page as zeros when it is the last one.
        _stream.SetLength(size);
        return size;
    }

    public async ValueTask DisposeAsync()
    {
        // The buffer belongs to the write until that has ended.
        await _write.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ArrayPool<byte>.Shared.Return(_run);
        ArrayPool<byte>.Shared.Return(_writing);
    }

    private uint? MissingPage(LtxHeader header) => _pages.FirstMissing(header.Commit, header.LockPage);

    private async Task StartAsync(LtxHeader header, CancellationToken cancellationToken)
    {
        await WriteRunAsync(cancellationToken).ConfigureAwait(false);
        await _write.ConfigureAwait(false);
        _stream.SetLength(0);
        _pages.Clear();
        _pageSize = header.PageSize;
    }

    /// <summary>Begins to write the run, when the one before it is written, and starts an empty one.</summary>
    private async ValueTask WriteRunAsync(CancellationToken cancellationToken)
    {
        if (_runPages == 0)
            return;
        await _write.ConfigureAwait(false);
        var position = (long)(_firstOfRun - 1) * _pageSize;
        if (_stream.Position != position)
            _stream.Position = position;
        var run = _run.AsMemory(0, _runPages * _pageSize);
        (_run, _writing) = (_writing, _run);
        _runPages = 0;
        // A few scattered pages are copied faster than another thread is asked.
        if (run.Length < LeastAside)
            _stream.Write(run.Span);
        else
            _write = _stream.WriteAsync(run, cancellationToken).AsTask();
    }
}
