using System.Buffers;
using Amazon.S3;
using Amazon.S3.Model;
using Litestream.Replicas;

namespace Litestream.S3;

/// <summary>One object on its way up: in one request when it is smaller than a part, else in parts, a few at a time.</summary>
/// <remarks>Holds at most <see cref="S3Options.Concurrency"/> parts in memory.</remarks>
internal sealed class S3Upload(S3Connection connection, S3Options options, TimeProvider time, string key, PutOptions put)
{
    private const int MaxParts = 10_000;
    private const int FirstBufferSize = 64 << 10;
    private const int PartAttempts = 3;
    private const string ContentType = "application/octet-stream";
    private static readonly TimeSpan AbortLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PartPause = TimeSpan.FromMilliseconds(250);

    private bool IsConditional => put.IfAbsent || put.IfTag is not null;

    /// <summary>Sends the content.</summary>
    /// <returns>Its size and tag.</returns>
    public async Task<(long SizeBytes, string? Tag)> SendAsync(Stream content, CancellationToken cancellationToken)
    {
        if (content.CanSeek && content.Length - content.Position < options.PartSizeBytes)
        {
            var size = content.Length - content.Position;
            return (size, await PutAsync(content, size, cancellationToken).ConfigureAwait(false));
        }
        var partSize = PartSizeFor(content);
        var (buffer, length) = await ReadPartAsync(content, partSize, cancellationToken).ConfigureAwait(false);
        if (length == partSize)
            return await SendPartsAsync(content, partSize, buffer, cancellationToken).ConfigureAwait(false);
        try
        {
            using var whole = new MemoryStream(buffer, 0, length, writable: false);
            return (length, await PutAsync(whole, length, cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string? Unquoted(string? tag) => tag?.Trim('"');

    private int PartSizeFor(Stream content)
    {
        if (!content.CanSeek)
            return (int)options.PartSizeBytes;
        var least = (content.Length - content.Position + MaxParts - 1) / MaxParts;
        return (int)Math.Min(Math.Max(options.PartSizeBytes, least), S3Options.MaxPartSizeBytes);
    }

    private async Task<string?> PutAsync(Stream content, long size, CancellationToken cancellationToken)
    {
        var start = content.Position;
        try
        {
            return await PutOnceAsync(content, size, put.IfTag, cancellationToken).ConfigureAwait(false);
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.Conflict && put.IfTag is not null)
        {
            // Some servers compare the bare tag, some the quoted one. Asking again is safe: the condition is judged again.
            content.Position = start;
            return await PutOnceAsync(content, size, $"\"{put.IfTag}\"", cancellationToken).ConfigureAwait(false);
        }
    }

    private Task<string?> PutOnceAsync(Stream content, long size, string? ifTag, CancellationToken cancellationToken)
    {
        var request = new PutObjectRequest
        {
            BucketName = options.Bucket,
            Key = key,
            InputStream = content,
            AutoCloseStream = false,
            AutoResetStreamPosition = false,
            UseChunkEncoding = false,
            ContentType = ContentType,
            IfNoneMatch = put.IfAbsent ? "*" : null,
            IfMatch = ifTag,
            StorageClass = options.StorageClass is { } storageClass ? new S3StorageClass(storageClass) : null,
        };
        if (IsUnsigned)
            request.DisablePayloadSigning = true;
        if (put.Timestamp is { } timestamp)
            request.Metadata[StoredTimestamp.MetadataKey] = StoredTimestamp.Format(timestamp);
        if (options.SseKmsKeyId is { } kms)
        {
            request.ServerSideEncryptionMethod = ServerSideEncryptionMethod.AWSKMS;
            request.ServerSideEncryptionKeyManagementServiceKeyId = kms;
        }
        return connection.CallAsync(
            "put",
            key,
            size,
            IsConditional,
            async (client, ct) => Unquoted((await client.PutObjectAsync(request, ct).ConfigureAwait(false)).ETag),
            cancellationToken
        );
    }

    /// <summary>The SDK allows unsigned content over TLS only.</summary>
    private bool IsUnsigned => !options.SignPayload && options.Endpoint is null or { Scheme: "https" };

    private async Task<(long SizeBytes, string? Tag)> SendPartsAsync(
        Stream content,
        int partSize,
        byte[] first,
        CancellationToken cancellationToken
    )
    {
        string upload;
        try
        {
            upload = await StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(first);
            throw;
        }
        try
        {
            var (parts, size) = await SendAllAsync(upload, content, partSize, first, cancellationToken).ConfigureAwait(false);
            return (size, await CompleteAsync(upload, parts, cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            await AbortAsync(upload).ConfigureAwait(false);
            throw;
        }
    }

    private Task<string> StartAsync(CancellationToken cancellationToken)
    {
        var request = new InitiateMultipartUploadRequest
        {
            BucketName = options.Bucket,
            Key = key,
            StorageClass = options.StorageClass is { } storageClass ? new S3StorageClass(storageClass) : null,
        };
        if (put.Timestamp is { } timestamp)
            request.Metadata[StoredTimestamp.MetadataKey] = StoredTimestamp.Format(timestamp);
        if (options.SseKmsKeyId is { } kms)
        {
            request.ServerSideEncryptionMethod = ServerSideEncryptionMethod.AWSKMS;
            request.ServerSideEncryptionKeyManagementServiceKeyId = kms;
        }
        return connection.CallAsync(
            "start the upload of",
            key,
            0,
            IsConditional,
            async (client, ct) => (await client.InitiateMultipartUploadAsync(request, ct).ConfigureAwait(false)).UploadId,
            cancellationToken
        );
    }

    private async Task<(List<PartETag> Parts, long Size)> SendAllAsync(
        string upload,
        Stream content,
        int partSize,
        byte[] first,
        CancellationToken cancellationToken
    )
    {
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var slots = new SemaphoreSlim(options.Concurrency);
        var running = new List<Task<PartETag>>();
        long size = 0;
        (byte[] Buffer, int Length)? next = (first, partSize);
        try
        {
            for (var number = 1; ; number++)
            {
                // A slot first, then a buffer: so no more parts are in memory than there are slots.
                await slots.WaitAsync(failed.Token).ConfigureAwait(false);
                var (buffer, length) = next ?? await ReadPartAsync(content, partSize, failed.Token).ConfigureAwait(false);
                next = null;
                if (length == 0 || number > MaxParts)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    if (length == 0)
                        break;
                    throw S3Settings.Invalid("part-size", $"{key} needs more than {MaxParts} parts", "set a larger part-size");
                }
                size += length;
                running.Add(SendPartAsync(upload, number, buffer, length, slots, failed));
                if (length < partSize)
                    break;
            }
            return ([.. await Task.WhenAll(running).ConfigureAwait(false)], size);
        }
        catch (Exception e)
        {
            await failed.CancelAsync().ConfigureAwait(false);
            if (next is { } unused)
                ArrayPool<byte>.Shared.Return(unused.Buffer);
            await ((Task)Task.WhenAll(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // A part that failed has cancelled the rest; its failure is the one to tell.
            var cause = running
                .Where(t => t.IsFaulted)
                .Select(t => t.Exception!.InnerException)
                .OfType<LitestreamException>()
                .FirstOrDefault();
            if (cause is not null && e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
                throw cause;
            throw;
        }
    }

    private async Task<PartETag> SendPartAsync(
        string upload,
        int number,
        byte[] buffer,
        int length,
        SemaphoreSlim slots,
        CancellationTokenSource failed
    )
    {
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    return await SendPartOnceAsync(upload, number, buffer, length, failed.Token).ConfigureAwait(false);
                }
                catch (LitestreamException e)
                    when (e is { IsTransient: true, Error: LitestreamError.Unavailable } && attempt < PartAttempts)
                {
                    // The one retry of this store: a hiccup at the thousandth part must not send the first 999 again.
                    await Task.Delay(PartPause * attempt, time, failed.Token).ConfigureAwait(false);
                }
            }
        }
        catch
        {
            await failed.CancelAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            slots.Release();
        }
    }

    private async Task<PartETag> SendPartOnceAsync(
        string upload,
        int number,
        byte[] buffer,
        int length,
        CancellationToken cancellationToken
    )
    {
        using var part = new MemoryStream(buffer, 0, length, writable: false);
        var request = new UploadPartRequest
        {
            BucketName = options.Bucket,
            Key = key,
            UploadId = upload,
            PartNumber = number,
            InputStream = part,
            PartSize = length,
            UseChunkEncoding = false,
        };
        if (IsUnsigned)
            request.DisablePayloadSigning = true;
        return await connection
            .CallAsync(
                "upload a part of",
                key,
                length,
                conditional: false,
                async (client, ct) => new PartETag(number, (await client.UploadPartAsync(request, ct).ConfigureAwait(false)).ETag),
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    private Task<string?> CompleteAsync(string upload, List<PartETag> parts, CancellationToken cancellationToken)
    {
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = options.Bucket,
            Key = key,
            UploadId = upload,
            PartETags = parts,
            IfNoneMatch = put.IfAbsent ? "*" : null,
            IfMatch = put.IfTag,
        };
        return connection.CallAsync(
            "complete the upload of",
            key,
            0,
            IsConditional,
            async (client, ct) => Unquoted((await client.CompleteMultipartUploadAsync(request, ct).ConfigureAwait(false)).ETag),
            cancellationToken
        );
    }

    private async Task AbortAsync(string upload)
    {
        using var limit = new CancellationTokenSource(AbortLimit, time);
        var request = new AbortMultipartUploadRequest
        {
            BucketName = options.Bucket,
            Key = key,
            UploadId = upload,
        };
        try
        {
            await connection
                .CallAsync("abort the upload of", key, 0, false, (client, ct) => client.AbortMultipartUploadAsync(request, ct), limit.Token)
                .ConfigureAwait(false);
        }
        catch (Exception e) when (e is LitestreamException or OperationCanceledException)
        {
            // The first failure is the one to tell; what is left over is for the bucket's own rules for incomplete uploads.
        }
    }

    /// <summary>Reads a whole part, or what is left. The buffer grows with what comes, so that small objects stay small.</summary>
    private static async Task<(byte[] Buffer, int Length)> ReadPartAsync(Stream content, int partSize, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Min(FirstBufferSize, partSize));
        var length = 0;
        try
        {
            while (length < partSize)
            {
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length * 2, partSize));
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
                var free = Math.Min(buffer.Length, partSize) - length;
                var read = await content.ReadAsync(buffer.AsMemory(length, free), cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    break;
                length += read;
            }
            return (buffer, length);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }
}
