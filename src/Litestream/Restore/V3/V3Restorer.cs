using System.Buffers;
using Litestream.Ltx;
using Litestream.Replicas;
using Microsoft.Extensions.Logging;

namespace Litestream.Restore.V3;

/// <summary>Carries out a plan for a backup of Litestream 0.3: the snapshot, then every WAL frame, each proved before it counts.</summary>
internal sealed class V3Restorer
{
    private const int CopySize = 128 * 1024;

    private readonly ObjectStore _store;
    private readonly int _parallelism;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    /// <summary>Takes what it works with.</summary>
    /// <param name="store">The replica; stays the caller's.</param>
    /// <param name="parallelism">Segments downloaded ahead at the same time.</param>
    /// <param name="time">The clock of the pauses.</param>
    /// <param name="log">Where messages go.</param>
    public V3Restorer(ObjectStore store, int parallelism, TimeProvider time, ILogger log) =>
        (_store, _parallelism, _time, _log) = (store, parallelism, time, log);

    /// <summary>Writes the database into an empty stream.</summary>
    /// <returns>Its bytes.</returns>
    /// <exception cref="LitestreamException">
    /// <see cref="LitestreamError.Gap"/> or <see cref="LitestreamError.Corrupt"/>, naming generation, index and offset, with the object's key.
    /// </exception>
    public async Task<long> WriteAsync(V3Plan plan, Stream output, CancellationToken cancellationToken)
    {
        if (plan.Passed is { } passed)
            Log.OldBackupStopsEarly(_log, passed.ToString(), RestorePlan.Format(passed.Timestamp));
        var (size, committed) = await WriteAsync(plan, output, null, cancellationToken).ConfigureAwait(false);
        if (committed is not { } end)
            return size;
        // Frames behind the last commit have overwritten pages: once more, up to it.
        Log.OldBackupEndsInsideTransaction(_log, plan.Segments[^1].ToString(), end);
        output.SetLength(0);
        return (await WriteAsync(plan, output, end, cancellationToken).ConfigureAwait(false)).SizeBytes;
    }

    private async Task<(long SizeBytes, long? Committed)> WriteAsync(
        V3Plan plan,
        Stream output,
        long? stopAt,
        CancellationToken cancellationToken
    )
    {
        var start = new byte[V3DatabaseHeader.Size];
        var size = await Named(
                plan.Snapshot.ToString(),
                plan.Snapshot.Key,
                null,
                () => CopySnapshotAsync(plan.Snapshot, output, start, cancellationToken)
            )
            .ConfigureAwait(false);
        using var applier = new V3WalApplier(output, size, start, plan.Snapshot.Index);
        var downloads = new V3Downloads(_store, plan.Segments, _parallelism, _time, cancellationToken);
        await using (downloads.ConfigureAwait(false))
        {
            V3Segment? previous = null;
            foreach (var segment in plan.Segments)
            {
                var limit = segment.Index == plan.Index ? stopAt : null;
                if (limit is { } end && segment.Offset >= (ulong)end)
                    break;
                await Named(
                        segment.ToString(),
                        segment.Key,
                        HintBefore(plan, previous),
                        () => ApplyAsync(downloads, applier, segment, limit, cancellationToken)
                    )
                    .ConfigureAwait(false);
                Log.AppliedOldSegment(_log, segment.ToString());
                previous = segment;
            }
        }
        var last = plan.Segments.Count > 0 ? plan.Segments[^1].ToString() : plan.Snapshot.ToString();
        await Named(
                last,
                plan.Segments.Count > 0 ? plan.Segments[^1].Key : plan.Snapshot.Key,
                null,
                () =>
                {
                    applier.Truncate();
                    return Task.FromResult(true);
                }
            )
            .ConfigureAwait(false);
        return (output.Length, applier.IsBetweenTransactions ? null : applier.CommittedOffset);
    }

    private async Task<long> CopySnapshotAsync(V3Snapshot snapshot, Stream output, byte[] start, CancellationToken cancellationToken)
    {
        var download = V3Downloads.Open(_store, snapshot.Key, snapshot.SizeBytes, _time);
        await using var closing = download.ConfigureAwait(false);
        var content = await DecodeAsync(download, snapshot.SizeBytes, cancellationToken).ConfigureAwait(false);
        await using var closingContent = content.ConfigureAwait(false);
        var buffer = ArrayPool<byte>.Shared.Rent(CopySize);
        try
        {
            long size = 0;
            output.Position = 0;
            for (int count; (count = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0; size += count)
            {
                if (size < start.Length)
                    buffer.AsSpan(0, (int)Math.Min(count, start.Length - size)).CopyTo(start.AsSpan((int)size));
                await output.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
            }
            if (V3DatabaseHeader.Problem(start.AsSpan(0, (int)Math.Min(size, start.Length))) is { } problem)
                throw new LitestreamException(LitestreamError.Corrupt, problem);
            if (size % V3DatabaseHeader.PageSize(start) != 0)
                throw new LitestreamException(LitestreamError.Corrupt, $"its {size} bytes are not whole pages");
            return size;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<bool> ApplyAsync(
        V3Downloads downloads,
        V3WalApplier applier,
        V3Segment segment,
        long? stopAt,
        CancellationToken cancellationToken
    )
    {
        var download = await downloads.NextAsync().ConfigureAwait(false);
        await using var closing = download.ConfigureAwait(false);
        var content = await DecodeAsync(download, segment.SizeBytes, cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
            await applier.ApplyAsync(segment, content, stopAt, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>The content of an object; the object's own stream stays the caller's.</summary>
    private static async Task<Lz4FrameStream> DecodeAsync(Stream stream, long size, CancellationToken cancellationToken)
    {
        var start = new byte[V3Encryption.Mark.Length];
        var count = await stream.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (V3Encryption.Mark.SequenceEqual(start.AsSpan(0, count)))
            throw V3Encryption.CannotRead();
        return new Lz4FrameStream(new PrefixedStream(start.AsMemory(0, count), stream), size);
    }

    private static string? HintBefore(V3Plan plan, V3Segment? previous)
    {
        var time = previous?.Timestamp ?? plan.Snapshot.Timestamp;
        return $"the state before it: -generation {plan.Generation} -timestamp {StoredTimestamp.Format(time)}";
    }

    /// <summary>Does something with an object, and lets a failure name it.</summary>
    private static async Task<T> Named<T>(string name, string key, string? hint, Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (LitestreamException exception) when (exception.Error is not (LitestreamError.DiskFull or LitestreamError.LocalStorage))
        {
            var damaged = exception.Error is LitestreamError.Corrupt or LitestreamError.Gap;
            throw new LitestreamException(exception.Error, $"{name}: {exception.Message}", exception)
            {
                IsTransient = exception.IsTransient,
                Hint = exception.Hint ?? (damaged ? hint : null),
                Path = key,
            };
        }
    }
}

/// <summary>Objects that Litestream 0.3 encrypted.</summary>
internal static class V3Encryption
{
    /// <summary>How an age file starts.</summary>
    public static ReadOnlySpan<byte> Mark => "age-encryption.org/v1"u8;

    public static LitestreamException CannotRead() =>
        new(LitestreamError.InvalidConfiguration, "it is encrypted (age), and this version cannot decrypt")
        {
            Hint = "restore it with Litestream 0.3.13 and its 'age.identities'",
        };
}
