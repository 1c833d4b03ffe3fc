using Litestream.Ltx;
using Litestream.Replicas;

namespace Litestream.Restore;

/// <summary>The files of a plan as streams, in order, downloaded ahead over several connections.</summary>
/// <remarks>
/// Every file is cut into parts of <see cref="PartSize"/>; the next parts, of whichever file, are fetched while earlier ones are applied. So a large
/// snapshot comes over as many connections as many small files do, and no connection idles while others are applied.
/// Memory: parallelism times <see cref="PartSize"/>, and less when no file is that large. A store that cannot read ranges gives a large file over one
/// connection, opened when its turn comes. One caller at a time.
/// </remarks>
internal sealed class RestoreDownloads : IAsyncDisposable
{
    /// <summary>Bytes of a part. With 80 ms to the first byte and 10 MB/s a connection, the wait is a sixth of the time.</summary>
    public const int PartSize = 4 << 20;

    private const int MaxParallelismOfFolders = 3;

    private readonly ReplicaClient _client;
    private readonly int _parallelism;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _abandoned;
    private readonly IEnumerator<Part> _parts;
    private readonly IEnumerator<LtxFileInfo> _files;
    private readonly Queue<(Part Part, Task<Content> Content)> _ahead = new();
    private readonly Stack<byte[]> _free = new();
    private readonly int _bufferSize;

    public RestoreDownloads(
        ReplicaClient client,
        IReadOnlyList<LtxFileInfo> files,
        int parallelism,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        _client = client;
        // A folder has no latency to hide: one part is read while another is applied, and one is in between.
        _parallelism = Math.Clamp(parallelism, 1, client.Store.Capabilities.ServerDates ? int.MaxValue : MaxParallelismOfFolders);
        _time = time;
        _abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _files = files.GetEnumerator();
        _parts = Parts(files).GetEnumerator();
        // One byte more, to notice a file that is longer than its listing says.
        _bufferSize = (int)Math.Min(PartSize, files.Count == 0 ? 0 : files.Max(f => f.SizeBytes)) + 1;
    }

    /// <summary>The next file's stream, to be read to its end before the one after it.</summary>
    public Stream Next()
    {
        if (!_files.MoveNext())
            throw new InvalidOperationException("there are no more files");
        StartAhead();
        return new DownloadedFile(this, _files.Current);
    }

    public async ValueTask DisposeAsync()
    {
        await _abandoned.CancelAsync().ConfigureAwait(false);
        foreach (var (_, content) in _ahead)
        {
            await ((Task)content).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (content.IsCompletedSuccessfully && (await content.ConfigureAwait(false)).Stream is { } stream)
                await stream.DisposeAsync().ConfigureAwait(false);
        }
        _ahead.Clear();
        _abandoned.Dispose();
        _parts.Dispose();
        _files.Dispose();
    }

    private IEnumerable<Part> Parts(IReadOnlyList<LtxFileInfo> files)
    {
        var ranges = _client.Store.Capabilities.Ranges;
        foreach (var file in files)
        {
            if (file.SizeBytes <= PartSize)
            {
                yield return new Part(file, 0, (int)file.SizeBytes, true, null);
                continue;
            }
            if (!ranges)
            {
                yield return new Part(file, 0, -1, true, null);
                continue;
            }
            var budget = new RetryBudget(ResumableStream.MaxRetries * _parallelism);
            for (long offset = 0; offset < file.SizeBytes; offset += PartSize)
            {
                var length = (int)Math.Min(PartSize, file.SizeBytes - offset);
                yield return new Part(file, offset, length, offset + length == file.SizeBytes, budget);
            }
        }
    }

    private void StartAhead()
    {
        while (_ahead.Count < _parallelism && _parts.MoveNext())
            _ahead.Enqueue((_parts.Current, FetchAsync(_parts.Current)));
    }

    private async Task<Content> NextPartAsync()
    {
        StartAhead();
        // It stays in the queue until it is there, so that whoever ends this meanwhile finds it.
        var content = await _ahead.Peek().Content.ConfigureAwait(false);
        _ahead.Dequeue();
        StartAhead();
        return content;
    }

    private async Task<Content> FetchAsync(Part part)
    {
        var download = new ResumableStream(
            (offset, cancel) => _client.OpenAsync(part.File, part.Offset + offset, part.IsLast ? null : part.Length - offset, cancel),
            part.IsWholeFile ? part.File.SizeBytes : part.Length,
            _time,
            _client.Layout.Key(part.File.Level, part.File.MinTxid, part.File.MaxTxid),
            part.Retries
        );
        if (part.IsWholeFile)
            return new Content(null, 0, download, true);
        await using (download.ConfigureAwait(false))
        {
            var buffer = Rent();
            var wanted = part.IsLast ? part.Length + 1 : part.Length;
            var count = await download
                .ReadAtLeastAsync(buffer.AsMemory(0, wanted), wanted, throwOnEndOfStream: false, _abandoned.Token)
                .ConfigureAwait(false);
            return new Content(buffer, count, null, part.IsLast);
        }
    }

    private byte[] Rent()
    {
        lock (_free)
        {
            if (_free.TryPop(out var buffer))
                return buffer;
        }
        return GC.AllocateUninitializedArray<byte>(_bufferSize);
    }

    private void Return(byte[] buffer)
    {
        lock (_free)
            _free.Push(buffer);
    }

    /// <summary>A range of a file; a length below 0 means all of it, as one stream.</summary>
    private sealed record Part(LtxFileInfo File, long Offset, int Length, bool IsLast, RetryBudget? Retries)
    {
        public bool IsWholeFile => Length < 0;
    }

    /// <summary>The bytes of a part, or the stream that gives them.</summary>
    private sealed record Content(byte[]? Buffer, int Count, Stream? Stream, bool IsLast);

    /// <summary>The parts of one file, one after the other.</summary>
    private sealed class DownloadedFile(RestoreDownloads owner, LtxFileInfo file) : Stream
    {
        private Content? _part;
        private int _used;
        private bool _ended;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => file.SizeBytes;

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            while (!_ended && !buffer.IsEmpty)
            {
                _part ??= await owner.NextPartAsync().ConfigureAwait(false);
                var count = _part.Stream is { } stream
                    ? await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)
                    : Take(_part, buffer.Span);
                if (count > 0)
                    return count;
                _ended = _part.IsLast;
                await ReleaseAsync().ConfigureAwait(false);
            }
            return 0;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override async ValueTask DisposeAsync()
        {
            _ended = true;
            await ReleaseAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
        }

        private int Take(Content part, Span<byte> destination)
        {
            var count = Math.Min(destination.Length, part.Count - _used);
            part.Buffer.AsSpan(_used, count).CopyTo(destination);
            _used += count;
            return count;
        }

        private async ValueTask ReleaseAsync()
        {
            var part = _part;
            _part = null;
            _used = 0;
            if (part?.Stream is { } stream)
                await stream.DisposeAsync().ConfigureAwait(false);
            else if (part?.Buffer is { } buffer)
                owner.Return(buffer);
        }
    }
}
