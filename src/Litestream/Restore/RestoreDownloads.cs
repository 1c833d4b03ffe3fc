using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>The files of a plan as streams, in order, small ones downloaded ahead at the same time.</summary>
/// <remarks>
/// A file of at most <see cref="AheadSize"/> is fetched whole while those before it are applied; a larger one is read from the store when its turn comes,
/// so that no connection idles meanwhile. Memory: parallelism times <see cref="AheadSize"/>. One caller at a time.
/// </remarks>
internal sealed class RestoreDownloads : IAsyncDisposable
{
    public const int AheadSize = 1 << 20;

    private readonly ReplicaClient _client;
    private readonly IReadOnlyList<LtxFileInfo> _files;
    private readonly int _parallelism;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _abandoned;
    private readonly Queue<Task<Stream>> _ahead = new();
    private int _started;

    public RestoreDownloads(
        ReplicaClient client,
        IReadOnlyList<LtxFileInfo> files,
        int parallelism,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        _client = client;
        _files = files;
        _parallelism = Math.Max(1, parallelism);
        _time = time;
        _abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>The next file's stream, to be disposed by the caller.</summary>
    public async Task<Stream> NextAsync()
    {
        while (_ahead.Count < _parallelism && _started < _files.Count)
            _ahead.Enqueue(StartAsync(_files[_started++]));
        return await _ahead.Dequeue().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _abandoned.CancelAsync().ConfigureAwait(false);
        foreach (var download in _ahead)
        {
            await ((Task)download).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (download.IsCompletedSuccessfully)
                await (await download.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
        _ahead.Clear();
        _abandoned.Dispose();
    }

    private async Task<Stream> StartAsync(LtxFileInfo file)
    {
        var download = new ResumableStream(
            (offset, cancel) => _client.OpenAsync(file, offset, null, cancel),
            file.SizeBytes,
            _time,
            _client.Layout.Key(file.Level, file.MinTxid, file.MaxTxid)
        );
        if (file.SizeBytes > AheadSize)
            return download;
        await using (download.ConfigureAwait(false))
        {
            // One byte more, to notice a file that is longer than its listing says.
            var bytes = new byte[file.SizeBytes + 1];
            var count = await download
                .ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, _abandoned.Token)
                .ConfigureAwait(false);
            return new MemoryStream(bytes, 0, count, writable: false);
        }
    }
}
