using System.Buffers;

namespace Litestream.Ltx;

/// <summary>The pages of a merge, ascending, one at a time; from <see cref="LtxMerger.Open"/>.</summary>
/// <remarks>Holds one page buffer per input. One caller at a time. Disposing gives the buffers back and leaves the inputs open.</remarks>
public sealed class LtxMergedPages : IDisposable
{
    private readonly LtxDecoder[] _inputs;
    private readonly byte[][] _pages;
    private readonly PriorityQueue<int, ulong> _queue;
    private LtxPageOrder _order;
    private int _current = -1;
    private bool _started;
    private bool _ended;

    internal LtxMergedPages(LtxDecoder[] inputs)
    {
        var first = inputs[0].Header;
        var last = inputs[^1].Header;
        _inputs = inputs;
        _pages = new byte[inputs.Length][];
        _queue = new PriorityQueue<int, ulong>(inputs.Length);
        Header = new LtxHeader
        {
            PageSize = last.PageSize,
            Commit = last.Commit,
            MinTxid = first.MinTxid,
            MaxTxid = last.MaxTxid,
            Timestamp = last.Timestamp,
            NoChecksum = true,
        };
        _order = new LtxPageOrder(Header);
        for (var i = 0; i < inputs.Length; i++)
            _pages[i] = ArrayPool<byte>.Shared.Rent(Header.PageSize);
    }

    /// <summary>The header of the merged file: from the first to the last transaction, size and time of the last, no WAL, no checksums.</summary>
    public LtxHeader Header { get; }

    /// <summary>Number of the page at hand.</summary>
    public uint PageNumber { get; private set; }

    /// <summary>Bytes of the page at hand; valid until the next call of <see cref="MoveNextAsync"/>.</summary>
    public ReadOnlyMemory<byte> Page => _current < 0 ? default : _pages[_current].AsMemory(0, Header.PageSize);

    /// <summary>Goes to the next page.</summary>
    /// <returns>False at the end, when every input has been read to its end and proved.</returns>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.Corrupt"/>: an input is damaged, or a merge from the first transaction on lacks a page.
    /// </exception>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (!_started)
        {
            _started = true;
            for (var i = 0; i < _inputs.Length; i++)
                await AdvanceAsync(i, cancellationToken).ConfigureAwait(false);
        }
        if (_current >= 0)
            await AdvanceAsync(_current, cancellationToken).ConfigureAwait(false);
        _current = -1;
        while (_queue.TryDequeue(out var input, out var priority))
        {
            var number = (uint)(priority >> 32);
            // The same page in older inputs: passed over.
            while (_queue.TryPeek(out var older, out var next) && (uint)(next >> 32) == number)
            {
                _queue.Dequeue();
                await AdvanceAsync(older, cancellationToken).ConfigureAwait(false);
            }
            if (number > Header.Commit)
            {
                // The database shrank; what is left is read only to be proved.
                await AdvanceAsync(input, cancellationToken).ConfigureAwait(false);
                continue;
            }
            if (_order.Next(number) is { } problem)
                throw Corrupt(problem);
            (_current, PageNumber) = (input, number);
            return true;
        }
        if (!_ended && _order.End() is { } missing)
            throw Corrupt(missing);
        _ended = true;
        PageNumber = 0;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _current = -1;
        for (var i = 0; i < _pages.Length; i++)
        {
            if (_pages[i].Length > 0)
                ArrayPool<byte>.Shared.Return(_pages[i]);
            _pages[i] = [];
        }
    }

    private async ValueTask AdvanceAsync(int input, CancellationToken cancellationToken)
    {
        var decoder = _inputs[input];
        var number = await decoder.ReadPageAsync(_pages[input].AsMemory(0, Header.PageSize), cancellationToken).ConfigureAwait(false);
        if (number == 0)
            await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
        else
            _queue.Enqueue(input, ((ulong)number << 32) | (uint)(_inputs.Length - 1 - input));
    }

    private LitestreamException Corrupt(string problem) =>
        new(LitestreamError.Corrupt, $"merge of LTX files {Header.MinTxid}-{Header.MaxTxid}: {problem}");
}
