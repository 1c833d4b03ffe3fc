using Litestream.IO;
using Litestream.Ltx;

namespace Litestream.Restore;

/// <summary>An LTX file that was fetched whole and proved, before any of its pages goes anywhere.</summary>
internal sealed class StagedFile : IAsyncDisposable
{
    /// <summary>Files up to this size are kept in memory, larger ones on the disk.</summary>
    public const int MemoryLimit = 4 << 20;

    private readonly DurableFiles _files;
    private readonly byte[]? _bytes;
    private readonly string? _path;

    private StagedFile(LtxFileInfo info, DurableFiles files, byte[]? bytes, string? path)
    {
        Info = info;
        _files = files;
        _bytes = bytes;
        _path = path;
    }

    public LtxFileInfo Info { get; }

    /// <summary>Proved.</summary>
    public LtxHeader Header { get; private set; } = null!;

    /// <summary>Numbers of the pages in the file.</summary>
    public PageSet Pages { get; } = new();

    /// <summary>True when the file is on the disk: only one is staged at a time then.</summary>
    public bool IsLarge => _path is not null;

    /// <summary>Fetches and proves a file.</summary>
    /// <param name="info">As listed.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="files">The disk.</param>
    /// <param name="path">Where a large file goes; removed with this object.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>, or a failure of store or disk.</exception>
    public static async Task<StagedFile> StageAsync(
        LtxFileInfo info,
        Stream content,
        DurableFiles files,
        string path,
        CancellationToken cancellationToken
    )
    {
        StagedFile staged;
        if (info.SizeBytes <= MemoryLimit)
        {
            // One byte more, to notice a file that is longer than its listing says.
            var bytes = new byte[info.SizeBytes + 1];
            var count = await content
                .ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            staged = new StagedFile(info, files, bytes[..count], null);
        }
        else
        {
            staged = new StagedFile(info, files, null, path);
        }
        try
        {
            if (staged.IsLarge)
            {
                var file = files.Create(path);
                await using var closing = file.ConfigureAwait(false);
                await content.CopyToAsync(file, 1 << 20, cancellationToken).ConfigureAwait(false);
            }
            await staged.ProveAsync(cancellationToken).ConfigureAwait(false);
            return staged;
        }
        catch
        {
            await staged.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Calls <paramref name="page"/> for every page, ascending.</summary>
    public async Task ReadPagesAsync(Action<uint, ReadOnlyMemory<byte>> page, CancellationToken cancellationToken)
    {
        var stream = Open();
        await using var closing = stream.ConfigureAwait(false);
        var decoder = await LtxDecoder.OpenAsync(stream, Info.SizeBytes, cancellationToken).ConfigureAwait(false);
        await using var closingDecoder = decoder.ConfigureAwait(false);
        var content = new byte[decoder.Header.PageSize];
        while (await decoder.ReadPageAsync(content, cancellationToken).ConfigureAwait(false) is var number && number != 0)
            page(number, content);
        // The disk may have changed what it was given: proved again, where a failure still rolls everything back.
        await decoder.FinishAsync(cancellationToken).ConfigureAwait(false);
        Header = decoder.Header;
    }

    public ValueTask DisposeAsync()
    {
        if (_path is not null)
            _files.Delete(_path);
        return ValueTask.CompletedTask;
    }

    private async Task ProveAsync(CancellationToken cancellationToken)
    {
        await ReadPagesAsync((number, _) => Pages.Add(number), cancellationToken).ConfigureAwait(false);
        if (Header.MinTxid != Info.MinTxid || Header.MaxTxid != Info.MaxTxid)
            throw new LitestreamException(
                LitestreamError.Corrupt,
                $"its name says transactions {Info.MinTxid}-{Info.MaxTxid}, its header {Header.MinTxid}-{Header.MaxTxid}"
            );
    }

    private Stream Open() => _bytes is { } bytes ? new MemoryStream(bytes, writable: false) : _files.OpenRead(_path!);
}
