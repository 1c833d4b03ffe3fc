using Litestream.Replicas;

namespace Litestream.Restore.V3;

/// <summary>The segments of a plan as streams, in order; small ones are downloaded ahead at the same time.</summary>
/// <remarks>Memory: parallelism times <see cref="AheadSize"/>. One caller at a time.</remarks>
internal sealed class V3Downloads : IAsyncDisposable
{
    private const int AheadSize = 1 << 20;

    private readonly ObjectStore _store;
    private readonly TimeProvider _time;
    private readonly int _parallelism;
    private readonly IReadOnlyList<V3Segment> _segments;
    private readonly CancellationTokenSource _abandoned;
    private readonly Queue<Task<Stream>> _ahead = new();
    private int _started;

    public V3Downloads(
        ObjectStore store,
        IReadOnlyList<V3Segment> segments,
        int parallelism,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        (_store, _segments, _parallelism, _time) = (store, segments, Math.Max(1, parallelism), time);
        _abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>A download that goes on where the network breaks.</summary>
    public static Stream Open(ObjectStore store, string key, long size, TimeProvider time) =>
        new ResumableStream((offset, cancel) => store.OpenAsync(key, offset, null, cancel), size, time, key);

    /// <summary>The next segment's stream, to be disposed by the caller.</summary>
    public async Task<Stream> NextAsync()
    {
        while (_ahead.Count < _parallelism && _started < _segments.Count)
            _ahead.Enqueue(StartAsync(_segments[_started++]));
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

    private async Task<Stream> StartAsync(V3Segment segment)
    {
        var download = Open(_store, segment.Key, segment.SizeBytes, _time);
        if (segment.SizeBytes > AheadSize)
            return download;
        await using (download.ConfigureAwait(false))
        {
            // One byte more, to notice an object that is longer than its listing says.
            var bytes = new byte[segment.SizeBytes + 1];
            var count = await download
                .ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, _abandoned.Token)
                .ConfigureAwait(false);
            return new MemoryStream(bytes, 0, count, writable: false);
        }
    }
}
