using System.Runtime.CompilerServices;
using Litestream.Diagnostics;

namespace Litestream.Replicas;

/// <summary>Counts what another store does: operations, bytes, durations, errors. Owns that store.</summary>
public sealed class MeteredObjectStore : ObjectStore
{
    private readonly ObjectStore _inner;
    private readonly ReplicaOperationMetrics _metrics;
    private readonly TimeProvider _time;

    /// <summary>Counts what <paramref name="inner"/> does.</summary>
    /// <param name="inner">The store that does the work.</param>
    /// <param name="metrics">Where it is counted.</param>
    /// <param name="time">The clock for durations; null for the system's.</param>
    public MeteredObjectStore(ObjectStore inner, ReplicaOperationMetrics metrics, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(metrics);
        _inner = inner;
        _metrics = metrics;
        _time = time ?? TimeProvider.System;
    }

    /// <inheritdoc/>
    public override StoreCapabilities Capabilities => _inner.Capabilities;

    /// <inheritdoc/>
    public override string Kind => _inner.Kind;

    /// <inheritdoc/>
    public override string Location => _inner.Location;

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _inner.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        // Time that the reader spends between two objects is not the store's.
        var busy = TimeSpan.Zero;
        string? error = null;
        var objects = _inner.ListAsync(prefix, after, cancellationToken).GetAsyncEnumerator(cancellationToken);
        try
        {
            while (true)
            {
                var started = _time.GetTimestamp();
                try
                {
                    if (!await objects.MoveNextAsync().ConfigureAwait(false))
                        yield break;
                }
                catch (Exception e)
                {
                    error = CodeOf(e);
                    throw;
                }
                finally
                {
                    busy += _time.GetElapsedTime(started);
                }
                yield return objects.Current;
            }
        }
        finally
        {
            _metrics.Record(Kind, "LIST", 0, busy, error);
            await objects.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    protected internal override Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken) =>
        MeasureAsync<Stream>(
            "GET",
            async () => new MeteredStream(await _inner.OpenAsync(key, offset, length, cancellationToken).ConfigureAwait(false), this),
            _ => 0
        );

    /// <inheritdoc/>
    protected internal override Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    ) => MeasureAsync("PUT", () => _inner.PutAsync(key, content, options, cancellationToken), stored => stored.SizeBytes);

    /// <inheritdoc/>
    protected internal override Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken) =>
        MeasureAsync("HEAD", () => _inner.HeadAsync(key, cancellationToken), _ => 0);

    /// <inheritdoc/>
    protected internal override Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
        MeasureAsync(
            "DELETE",
            async () =>
            {
                await _inner.DeleteAsync(keys, cancellationToken).ConfigureAwait(false);
                return true;
            },
            _ => 0
        );

    private static string CodeOf(Exception exception) =>
        exception switch
        {
            LitestreamException e => e.Error.ToString(),
            OperationCanceledException => "Canceled",
            _ => "Unknown",
        };

    private async Task<T> MeasureAsync<T>(string operation, Func<Task<T>> action, Func<T, long> bytesOf)
    {
        var started = _time.GetTimestamp();
        try
        {
            var result = await action().ConfigureAwait(false);
            _metrics.Record(Kind, operation, bytesOf(result), _time.GetElapsedTime(started), null);
            return result;
        }
        catch (Exception e)
        {
            _metrics.Record(Kind, operation, 0, _time.GetElapsedTime(started), CodeOf(e));
            throw;
        }
    }

    /// <summary>A download whose bytes and failures are counted as they come.</summary>
    private sealed class MeteredStream(Stream inner, MeteredObjectStore store) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => inner.CanSeek;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => inner.Position = value;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            try
            {
                return Count(inner.Read(buffer));
            }
            catch (Exception e)
            {
                store._metrics.AddError(store.Kind, "GET", CodeOf(e));
                throw;
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                return Count(await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false));
            }
            catch (Exception e)
            {
                store._metrics.AddError(store.Kind, "GET", CodeOf(e));
                throw;
            }
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override ValueTask DisposeAsync() => inner.DisposeAsync();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
        }

        private int Count(int read)
        {
            if (read > 0)
                store._metrics.AddBytes(store.Kind, "GET", read);
            return read;
        }
    }
}
