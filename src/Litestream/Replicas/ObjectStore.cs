namespace Litestream.Replicas;

/// <summary>The storage seam: objects by key. One implementation per backend; LTX files, leases and old backups are read and written once above it.</summary>
/// <remarks>
/// Keys use <c>/</c> and never start with it; a store is already rooted at its replica's path. Every method is safe from any thread.
/// No store retries by itself beyond what its protocol library does for one connection: retries belong to the engine's loops.
/// Failures are <see cref="LitestreamException"/>; a missing object is <see cref="LitestreamError.NotFound"/>.
/// </remarks>
public abstract class ObjectStore : IAsyncDisposable
{
    /// <summary>What this store can do. May become more modest after the first refusal of a server.</summary>
    public abstract StoreCapabilities Capabilities { get; }

    /// <summary>The kind for metrics and messages: <c>file</c>, <c>s3</c>, ...</summary>
    public abstract string Kind { get; }

    /// <summary>Where it is, for people, without secrets.</summary>
    public abstract string Location { get; }

    /// <summary>All objects whose key starts with <paramref name="prefix"/>, in ordinal order of keys, strictly after <paramref name="after"/>.</summary>
    /// <param name="prefix">May be empty. Need not end at a slash.</param>
    /// <param name="after">Key to start behind; null for all.</param>
    /// <param name="cancellationToken">Ends the listing.</param>
    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, string? after, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        return ListCoreAsync(prefix, after, cancellationToken);
    }

    /// <summary>Opens a range of an object.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Bytes at most; null for all to the end.</param>
    /// <param name="cancellationToken">Ends the opening and, where the store can, the reading.</param>
    public Task<Stream> OpenAsync(string key, long offset, long? length, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (length is { } l)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(l, nameof(length));
        return OpenCoreAsync(key, offset, length, cancellationToken);
    }

    /// <summary>Writes an object: it appears whole or not at all.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="content">Read from its position to its end. It need not seek; a store that must know the length stages it.</param>
    /// <param name="options">Metadata and conditions.</param>
    /// <param name="cancellationToken">Ends the upload; the outcome is then unknown.</param>
    /// <returns>What was stored.</returns>
    public Task<StoredObject> PutAsync(string key, Stream content, PutOptions options, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(content);
        ArgumentNullException.ThrowIfNull(options);
        return PutCoreAsync(key, content, options, cancellationToken);
    }

    /// <summary>What is known of one object, with its metadata; null when it is missing.</summary>
    public Task<StoredObject?> HeadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return HeadCoreAsync(key, cancellationToken);
    }

    /// <summary>Deletes objects. Missing ones are fine; any other failure of a single key is a failure of the call.</summary>
    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return keys.Count == 0 ? Task.CompletedTask : DeleteCoreAsync(keys, cancellationToken);
    }

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>Does <see cref="ListAsync"/>; arguments are checked.</summary>
    protected internal abstract IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        CancellationToken cancellationToken
    );

    /// <summary>Does <see cref="OpenAsync"/>; arguments are checked.</summary>
    protected internal abstract Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken);

    /// <summary>Does <see cref="PutAsync"/>; arguments are checked.</summary>
    protected internal abstract Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    );

    /// <summary>Does <see cref="HeadAsync"/>; arguments are checked.</summary>
    protected internal abstract Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken);

    /// <summary>Does <see cref="DeleteAsync"/>; at least one key.</summary>
    protected internal abstract Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken);
}

/// <summary>One object as a store knows it.</summary>
/// <param name="Key">Relative to the store's root.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="LastModified">The store's time of it.</param>
/// <param name="Tag">Opaque version for <see cref="PutOptions.IfTag"/>; null when the store has none.</param>
/// <param name="Metadata">User metadata; null when this call does not tell it (most listings).</param>
public sealed record StoredObject(
    string Key,
    long SizeBytes,
    DateTimeOffset LastModified,
    string? Tag = null,
    IReadOnlyDictionary<string, string>? Metadata = null
);

/// <summary>How to write an object.</summary>
public sealed record PutOptions
{
    /// <summary>Neither metadata nor conditions.</summary>
    public static PutOptions None { get; } = new();

    /// <summary>Time of the content, kept as metadata (<c>litestream-timestamp</c>) or as modification time; null for none.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>Write only when the key is free; else <see cref="LitestreamError.Conflict"/>. Needs <see cref="StoreCapabilities.ConditionalCreate"/>.</summary>
    public bool IfAbsent { get; init; }

    /// <summary>Write only when the object still has this tag; else <see cref="LitestreamError.Conflict"/>. Needs <see cref="StoreCapabilities.ConditionalReplace"/>.</summary>
    public string? IfTag { get; init; }
}

/// <summary>What a store can do.</summary>
/// <param name="ConditionalCreate"><see cref="PutOptions.IfAbsent"/> is honoured.</param>
/// <param name="ConditionalReplace"><see cref="PutOptions.IfTag"/> is honoured.</param>
/// <param name="Ranges">A range is read without reading what comes before it.</param>
/// <param name="ServerDates">Times come from a server's clock.</param>
/// <param name="ExactListing">A listing shows every object written before it began.</param>
/// <param name="ListsTimestamps">A listing's time is the object's <see cref="PutOptions.Timestamp"/>.</param>
public sealed record StoreCapabilities(
    bool ConditionalCreate,
    bool ConditionalReplace,
    bool Ranges,
    bool ServerDates,
    bool ExactListing,
    bool ListsTimestamps
);
