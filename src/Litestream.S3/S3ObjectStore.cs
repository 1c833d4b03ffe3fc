using System.Net;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using Litestream.Replicas;

namespace Litestream.S3;

/// <summary>A bucket, or a path in it, as a store: Amazon S3 and every server that speaks its protocol.</summary>
/// <remarks>
/// A tag is the object's ETag. Conditional writes are believed in until the server refuses one with 501; then <see cref="Capabilities"/> no
/// longer offers them. Uploads below <c>part-size</c> are one request; larger ones are sent in parts, <c>concurrency</c> at a time, and are
/// aborted when one fails for good.
/// </remarks>
public sealed class S3ObjectStore : ObjectStore
{
    private const int DeleteBatch = 1000;
    private const string MetadataPrefix = "x-amz-meta-";

    // A page may be empty, or out of order; so many behind each other that bring no later key are a circle.
    private const int MaxIdlePages = 1000;

    private readonly S3Options _options;
    private readonly TimeProvider _time;
    private readonly S3Connection _connection;
    private volatile StoreCapabilities _capabilities = new(
        ConditionalCreate: true,
        ConditionalReplace: true,
        Ranges: true,
        ServerDates: true,
        ExactListing: true,
        ListsTimestamps: false
    );
    private volatile bool _deletesOneByOne;

    internal S3ObjectStore(S3Options options, HttpMessageHandler? handler = null, TimeProvider? time = null)
    {
        _options = options;
        _time = time ?? TimeProvider.System;
        _connection = new S3Connection(options, handler ?? S3Client.CreateHandler(options), _time);
    }

    /// <summary>How S3 registers: <c>s3</c>, keys without <c>ltx/</c>, settings as in Litestream's configuration file.</summary>
    public static ObjectStoreBackend Backend { get; } =
        new(
            ["s3"],
            ReplicaLayout.Buckets,
            S3Settings.Names,
            options => new S3ObjectStore(S3Options.Create(options, Environment.GetEnvironmentVariable))
        );

    /// <inheritdoc/>
    public override StoreCapabilities Capabilities => _capabilities;

    /// <inheritdoc/>
    public override string Kind => "s3";

    /// <inheritdoc/>
    public override string Location => _options.Location;

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        string? continuation = null;
        string? highest = null;
        var idlePages = 0;
        do
        {
            var request = new ListObjectsV2Request
            {
                BucketName = _options.Bucket,
                Prefix = _options.KeyRoot + prefix,
                StartAfter = after is null ? null : _options.KeyRoot + after,
                ContinuationToken = continuation,
            };
            var page = await _connection
                .CallAsync("list", request.Prefix, 0, false, (client, ct) => client.ListObjectsV2Async(request, ct), cancellationToken)
                .ConfigureAwait(false);
            foreach (var found in page.S3Objects ?? [])
            {
                // A server that takes no notice of the prefix: what was not asked for is no answer.
                if (found.Key is not { } full || !full.StartsWith(request.Prefix, StringComparison.Ordinal))
                    continue;
                if (found.Size is not (null or >= 0))
                    throw BadListing(request.Prefix, $"an object of {found.Size} bytes");
                var key = full[_options.KeyRoot.Length..];
                // The folder itself, as some tools make it, and servers that do not know start-after.
                if (key.Length > 0 && (after is null || string.CompareOrdinal(key, after) > 0))
                    yield return new StoredObject(key, found.Size ?? 0, ToTime(found.LastModified), Unquoted(found.ETag));
            }
            var next = page.IsTruncated == true ? page.NextContinuationToken : null;
            // Half a listing taken for a whole one would restore an old state without a word.
            if (page.IsTruncated == true && string.IsNullOrEmpty(next))
                throw BadListing(request.Prefix, "more is to come, but not how to ask for it");
            var last = page.S3Objects?.MaxBy(found => found.Key, StringComparer.Ordinal)?.Key;
            idlePages = string.CompareOrdinal(last, highest) > 0 ? 0 : idlePages + 1;
            highest = idlePages == 0 ? last : highest;
            if (next is not null && (next == continuation || idlePages > MaxIdlePages))
                throw BadListing(request.Prefix, "the same page again and again");
            continuation = next;
        } while (continuation is not null);
    }

    /// <inheritdoc/>
    protected override async Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken)
    {
        var request = new GetObjectRequest
        {
            BucketName = _options.Bucket,
            Key = _options.KeyRoot + key,
            // Always a range: of a whole object the SDK would take the ETag for an MD5, which it is not everywhere.
            ByteRange = length is { } l ? new ByteRange(offset, offset + l - 1) : new ByteRange($"bytes={offset}-"),
        };
        return await _connection
            .CallAsync<Stream>(
                "get",
                request.Key,
                0,
                false,
                async (client, ct) =>
                {
                    try
                    {
                        return new S3ReadStream(
                            await client.GetObjectAsync(request, ct).ConfigureAwait(false),
                            request.Key,
                            _options,
                            _time
                        );
                    }
                    catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                    {
                        // Behind the end: nothing to read, as in a file.
                        return new MemoryStream([], writable: false);
                    }
                },
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override async Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    )
    {
        var upload = new S3Upload(_connection, _options, _time, _options.KeyRoot + key, options);
        try
        {
            var (size, tag) = await upload.SendAsync(content, cancellationToken).ConfigureAwait(false);
            return new StoredObject(key, size, _time.GetUtcNow(), tag);
        }
        catch (LitestreamException e)
            when ((options.IfAbsent || options.IfTag is not null) && e.InnerException is { } cause && S3Failure.IsNotImplemented(cause))
        {
            _capabilities = options.IfAbsent
                ? _capabilities with
                {
                    ConditionalCreate = false,
                    ConditionalReplace = false,
                }
                : _capabilities with
                {
                    ConditionalReplace = false,
                };
            throw;
        }
    }

    /// <inheritdoc/>
    protected override Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken)
    {
        var request = new GetObjectMetadataRequest { BucketName = _options.Bucket, Key = _options.KeyRoot + key };
        return _connection.CallAsync(
            "look at",
            request.Key,
            0,
            false,
            async (client, ct) =>
            {
                try
                {
                    var head = await client.GetObjectMetadataAsync(request, ct).ConfigureAwait(false);
                    return new StoredObject(
                        key,
                        head.ContentLength,
                        ToTime(head.LastModified),
                        Unquoted(head.ETag),
                        ToMetadata(head.Metadata)
                    );
                }
                catch (AmazonS3Exception e) when (S3Failure.IsMissingObject(e))
                {
                    return null;
                }
            },
            cancellationToken
        );
    }

    /// <inheritdoc/>
    protected override async Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        foreach (var batch in keys.Chunk(DeleteBatch))
        {
            if (!_deletesOneByOne)
            {
                try
                {
                    await DeleteBatchAsync(batch, cancellationToken).ConfigureAwait(false);
                    continue;
                }
                catch (LitestreamException e) when (e.InnerException is { } cause && S3Failure.IsNotImplemented(cause))
                {
                    _deletesOneByOne = true;
                }
            }
            foreach (var key in batch)
                await DeleteOneAsync(key, cancellationToken).ConfigureAwait(false);
        }
    }

    private LitestreamException BadListing(string prefix, string said) =>
        new(LitestreamError.Unavailable, $"s3: cannot list {prefix} in {_options.Location}: the server answers {said}")
        {
            IsTransient = true,
            Path = prefix,
        };

    private static string? Unquoted(string? tag) => tag?.Trim('"');

    private static DateTimeOffset ToTime(DateTime? time) =>
        time is { } known ? new DateTimeOffset(known.ToUniversalTime()) : DateTimeOffset.UnixEpoch;

    private static Dictionary<string, string> ToMetadata(MetadataCollection metadata)
    {
        var copy = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in metadata.Keys)
        {
            var plain = name.ToLowerInvariant();
            copy[plain.StartsWith(MetadataPrefix, StringComparison.Ordinal) ? plain[MetadataPrefix.Length..] : plain] = metadata[name];
        }
        return copy;
    }

    private async Task DeleteBatchAsync(string[] keys, CancellationToken cancellationToken)
    {
        var request = new DeleteObjectsRequest
        {
            BucketName = _options.Bucket,
            Objects = [.. keys.Select(key => new KeyVersion { Key = _options.KeyRoot + key })],
            Quiet = true,
        };
        var errors = await _connection
            .CallAsync("delete", $"{keys.Length} objects", 0, false, SendAsync, cancellationToken)
            .ConfigureAwait(false);
        var failed = errors.Where(e => e.Code != "NoSuchKey").ToList();
        if (failed.Count > 0)
            throw S3Failure.FromDelete(failed[0].Code, failed[0].Message, failed[0].Key, failed.Count, keys.Length, _options);

        async Task<List<DeleteError>> SendAsync(S3Client client, CancellationToken ct)
        {
            try
            {
                return (await client.DeleteObjectsAsync(request, ct).ConfigureAwait(false)).DeleteErrors ?? [];
            }
            catch (DeleteObjectsException e)
            {
                return e.Response.DeleteErrors ?? [];
            }
        }
    }

    private Task DeleteOneAsync(string key, CancellationToken cancellationToken)
    {
        var request = new DeleteObjectRequest { BucketName = _options.Bucket, Key = _options.KeyRoot + key };
        return _connection.CallAsync(
            "delete",
            request.Key,
            0,
            false,
            async (client, ct) =>
            {
                try
                {
                    await client.DeleteObjectAsync(request, ct).ConfigureAwait(false);
                }
                catch (AmazonS3Exception e) when (S3Failure.IsMissingObject(e))
                {
                    // Gone is what was wanted.
                }
                return true;
            },
            cancellationToken
        );
    }
}
