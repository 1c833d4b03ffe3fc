using System.Globalization;
using System.Runtime.CompilerServices;
using Litestream.Ltx;

namespace Litestream.Replicas;

/// <summary>How exactly a listing must know the time of each file.</summary>
public enum TimestampAccuracy
{
    /// <summary>Whatever the listing says, free of charge.</summary>
    Listing,

    /// <summary>The time in the file's header, as kept in the object's metadata or read from the header itself; may cost a request a file.</summary>
    Exact,
}

/// <summary>LTX files in a replica, by level and transaction: written once, above any store and either layout.</summary>
/// <remarks>Safe from any thread. Owns its store. Failures are <see cref="LitestreamException"/>.</remarks>
public sealed class ReplicaClient : IAsyncDisposable
{
    /// <summary>Requests for exact times that run at once.</summary>
    private const int TimestampParallelism = 50;

    private const string GenerationsPrefix = "generations/";

    private readonly bool _headerIsCheapest;

    /// <summary>Puts LTX files above a store.</summary>
    /// <param name="store">The store; disposed with this client.</param>
    /// <param name="layout">How files are named in it.</param>
    public ReplicaClient(ObjectStore store, ReplicaLayout layout)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(layout);
        Store = store;
        Layout = layout;
        // A store that keeps the time as the modification time has nothing better than it in its metadata, and a copied folder loses it.
        _headerIsCheapest = store.Capabilities.ListsTimestamps;
    }

    /// <summary>The store below.</summary>
    public ObjectStore Store { get; }

    /// <summary>How files are named.</summary>
    public ReplicaLayout Layout { get; }

    /// <summary>Every file of a level whose first transaction is <paramref name="from"/> or later, ascending by first, then last transaction.</summary>
    /// <param name="level">0 to 9.</param>
    /// <param name="from">First transaction of interest; <see cref="Txid.None"/> for all.</param>
    /// <param name="times">How exactly times must be known.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    /// <remarks>Other objects are left out; so is a file that vanishes while its exact time is asked for.</remarks>
    public async IAsyncEnumerable<LtxFileInfo> ListAsync(
        int level,
        Txid from,
        TimestampAccuracy times,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        CheckLevel(level);
        var listing = ListStoreAsync(level, from, cancellationToken);
        if (times == TimestampAccuracy.Listing)
        {
            await foreach (var (file, _) in listing.ConfigureAwait(false))
                yield return file;
            yield break;
        }
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = new Queue<Task<LtxFileInfo?>>();
        try
        {
            await foreach (var (file, stored) in listing.ConfigureAwait(false))
            {
                running.Enqueue(WithExactTimeAsync(file, stored, abandoned.Token));
                if (running.Count == TimestampParallelism && await running.Dequeue().ConfigureAwait(false) is { } ready)
                    yield return ready;
            }
            while (running.Count > 0)
            {
                if (await running.Dequeue().ConfigureAwait(false) is { } ready)
                    yield return ready;
            }
        }
        finally
        {
            await abandoned.CancelAsync().ConfigureAwait(false);
            while (running.Count > 0)
                await ((Task)running.Dequeue()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Opens a range of a file.</summary>
    /// <param name="file">As listed.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes at most; null for all to the end.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.NotFound"/>: it is gone.</exception>
    public async Task<Stream> OpenAsync(LtxFileInfo file, long offset, long? length, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(file);
        return await Store.OpenAsync(KeyOf(file), offset, length, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes a file: it appears whole or not at all. One of the same name is replaced, unless asked otherwise.</summary>
    /// <param name="level">0 to 9.</param>
    /// <param name="min">First transaction; must be that of the header.</param>
    /// <param name="max">Last transaction; must be that of the header.</param>
    /// <param name="content">The whole LTX file, from the stream's position to its end.</param>
    /// <param name="cancellationToken">Ends the upload; the outcome is then unknown.</param>
    /// <param name="ifAbsent">Refuse to replace one of the same name; for stores with <see cref="StoreCapabilities.ConditionalCreate"/>.</param>
    /// <returns>The file with its size and the time of its header.</returns>
    /// <exception cref="LitestreamException"><see cref="LitestreamError.Corrupt"/>: the content is not that LTX file; nothing was written.</exception>
    public async Task<LtxFileInfo> WriteAsync(
        int level,
        Txid min,
        Txid max,
        Stream content,
        CancellationToken cancellationToken,
        bool ifAbsent = false
    )
    {
        CheckLevel(level);
        ArgumentNullException.ThrowIfNull(content);
        var header = new byte[LtxHeader.Size];
        var start = content.CanSeek ? content.Position : 0;
        var length = await content
            .ReadAtLeastAsync(header, LtxHeader.Size, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        var key = Layout.Key(level, min, max);
        var inHeader = ReadHeader(header.AsSpan(0, length));
        if (inHeader is null || inHeader.MinTxid != min || inHeader.MaxTxid != max)
        {
            throw new LitestreamException(LitestreamError.Corrupt, $"the content for {key} does not start with the LTX header of that file")
            {
                Path = key,
                Level = level,
                MinTxid = min,
                MaxTxid = max,
            };
        }
        if (content.CanSeek)
            content.Position = start;
        else
            content = new PrefixedStream(header, content);
        var stored = await Store
            .PutAsync(key, content, new PutOptions { Timestamp = inHeader.Timestamp, IfAbsent = ifAbsent }, cancellationToken)
            .ConfigureAwait(false);
        return new LtxFileInfo(level, min, max, stored.SizeBytes, inHeader.Timestamp);
    }

    /// <summary>True when the store has a file of this name and size, whatever it lists.</summary>
    internal async Task<bool> HoldsAsync(LtxFileInfo file, CancellationToken cancellationToken) =>
        await Store.HeadAsync(KeyOf(file), cancellationToken).ConfigureAwait(false) is { } found && found.SizeBytes == file.SizeBytes;

    /// <summary>Deletes files. Missing ones are fine.</summary>
    public Task DeleteAsync(IReadOnlyCollection<LtxFileInfo> files, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(files);
        return Store.DeleteAsync([.. files.Select(KeyOf)], cancellationToken);
    }

    /// <summary>True when there are backups of Litestream 0.3 (below <c>generations/</c>).</summary>
    public async Task<bool> HasGenerationsAsync(CancellationToken cancellationToken)
    {
        await foreach (var _ in Store.ListAsync(GenerationsPrefix, null, cancellationToken).ConfigureAwait(false))
            return true;
        return false;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Store.DisposeAsync();

    private static void CheckLevel(int level)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(level, LtxFileInfo.MinLevel);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, LtxFileInfo.SnapshotLevel);
    }

    /// <summary>The header at the start of a file; null for what is no LTX file.</summary>
    private static LtxHeader? ReadHeader(ReadOnlySpan<byte> start)
    {
        if (start.Length < LtxHeader.Size)
            return null;
        try
        {
            return LtxHeader.Read(start);
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.Corrupt)
        {
            return null;
        }
    }

    private string KeyOf(LtxFileInfo file) => Layout.Key(file.Level, file.MinTxid, file.MaxTxid);

    private async IAsyncEnumerable<(LtxFileInfo File, StoredObject Stored)> ListStoreAsync(
        int level,
        Txid from,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var prefix = Layout.LevelPrefix(level);
        // A name is longer than its first number, so it sorts behind the bare number: "after" keeps the files that start with it.
        var after = from.IsNone ? null : string.Create(CultureInfo.InvariantCulture, $"{prefix}{from}");
        await foreach (var stored in Store.ListAsync(prefix, after, cancellationToken).ConfigureAwait(false))
        {
            if (LtxFileInfo.TryParseFileName(stored.Key.AsSpan(prefix.Length), out var min, out var max) && min >= from)
                yield return (new LtxFileInfo(level, min, max, stored.SizeBytes, stored.LastModified), stored);
        }
    }

    private async Task<LtxFileInfo?> WithExactTimeAsync(LtxFileInfo file, StoredObject stored, CancellationToken cancellationToken)
    {
        var metadata = stored.Metadata;
        if (metadata is null && !_headerIsCheapest)
        {
            var head = await Store.HeadAsync(stored.Key, cancellationToken).ConfigureAwait(false);
            if (head is null)
                return null;
            metadata = head.Metadata;
        }
        if (StoredTimestamp.TryParse(metadata?.GetValueOrDefault(StoredTimestamp.MetadataKey), out var time))
            return file with { Timestamp = time };
        try
        {
            var header = new byte[LtxHeader.Size];
            var stream = await Store.OpenAsync(stored.Key, 0, LtxHeader.Size, cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var length = await stream
                    .ReadAtLeastAsync(header, LtxHeader.Size, throwOnEndOfStream: false, cancellationToken)
                    .ConfigureAwait(false);
                // What is no LTX file keeps the listing's time; who opens it will say what is wrong with it.
                return ReadHeader(header.AsSpan(0, length)) is { } found ? file with { Timestamp = found.Timestamp } : file;
            }
        }
        catch (LitestreamException e) when (e.Error == LitestreamError.NotFound)
        {
            return null;
        }
    }
}
