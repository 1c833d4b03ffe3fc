using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Litestream;
using Litestream.Replicas;

namespace Testing;

/// <summary>One call of a store, as faults and assertions see it.</summary>
/// <param name="Operation"><c>LIST</c>, <c>GET</c>, <c>PUT</c>, <c>HEAD</c> or <c>DELETE</c>.</param>
/// <param name="Key">Key, or prefix of a listing; of a batch the first key.</param>
/// <param name="Number">Calls before this one.</param>
public sealed record StoreCall(string Operation, string Key, int Number);

/// <summary>What goes wrong in a call.</summary>
/// <param name="Exception">Thrown; null for none.</param>
/// <param name="AfterEffect">True: the store has done what was asked, and the answer is lost.</param>
/// <param name="BreakAfterBytes">The stream of a GET breaks here; null: it does not.</param>
/// <param name="EffectAfterCalls">A PUT takes effect (once more, with <paramref name="AfterEffect"/>) so many calls later: it was slow on its way.</param>
public sealed record StoreFault(Exception? Exception, bool AfterEffect = false, long? BreakAfterBytes = null, int EffectAfterCalls = 0)
{
    /// <summary>The usual failure of a network.</summary>
    public static StoreFault Unavailable(bool afterEffect = false) => new(Failure(), afterEffect);

    /// <summary>A download that breaks off.</summary>
    public static StoreFault Break(long afterBytes) => new(null, BreakAfterBytes: afterBytes);

    internal static LitestreamException Failure() => new(LitestreamError.Unavailable, "memory: simulated failure") { IsTransient = true };
}

/// <summary>A store in memory that fails, waits and lists late on demand. Completes at once unless told to wait.</summary>
public sealed class MemoryObjectStore : ObjectStore
{
    private readonly Bucket _bucket;
    private readonly TimeProvider _time;
    private readonly List<(int Call, string Key, byte[] Content, PutOptions Options)> _late = [];
    private StoreFault? _lastFault;
    private StoreCapabilities _capabilities;

    public MemoryObjectStore(TimeProvider? time = null)
        : this(new Bucket(), time) { }

    private MemoryObjectStore(Bucket bucket, TimeProvider? time)
    {
        _bucket = bucket;
        _time = time ?? TimeProvider.System;
        _capabilities = new(
            ConditionalCreate: true,
            ConditionalReplace: true,
            Ranges: true,
            ServerDates: true,
            ExactListing: true,
            ListsTimestamps: false
        );
    }

    /// <summary>Asked at each call; null: all goes well. Called under no lock, from any thread.</summary>
    public Func<StoreCall, StoreFault?>? Fault { get; set; }

    /// <summary>Time that each call takes, by the clock given.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>Time after which a listing notices a write or deletion.</summary>
    public TimeSpan ListingDelay { get; set; }

    /// <summary>A door that sees every write and deletion at once, whatever the others see.</summary>
    public bool ListsAtOnce { get; set; }

    public List<StoreCall> Calls { get; } = [];

    public override StoreCapabilities Capabilities => _capabilities;

    public override string Kind => "memory";

    public override string Location => "memory://";

    public bool IsDisposed { get; private set; }

    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_bucket)
                return [.. _bucket.Objects.Keys];
        }
    }

    /// <summary>A second door to the same objects, with its own faults.</summary>
    public MemoryObjectStore Share() => new(_bucket, _time) { _capabilities = _capabilities };

    public void SetCapabilities(StoreCapabilities capabilities) => _capabilities = capabilities;

    public int Count(string operation)
    {
        lock (Calls)
            return Calls.Count(c => c.Operation == operation);
    }

    /// <summary>The bytes of an object, past all faults.</summary>
    public byte[] Read(string key)
    {
        lock (_bucket)
            return [.. _bucket.Objects[key].Content];
    }

    /// <summary>Puts or changes an object, past all faults.</summary>
    public void Write(string key, byte[] content, DateTimeOffset? timestamp = null)
    {
        lock (_bucket)
            Store(key, content, timestamp);
    }

    /// <summary>Removes an object, past all faults.</summary>
    public bool Remove(string key)
    {
        lock (_bucket)
            return _bucket.Objects.Remove(key);
    }

    public override ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return base.DisposeAsync();
    }

    protected override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var fault = await BeginAsync("LIST", prefix, cancellationToken);
        List<StoredObject> found;
        lock (_bucket)
        {
            var now = _time.GetUtcNow();
            found =
            [
                .. _bucket
                    .Objects.Where(o => ListsAtOnce || o.Value.ListedFrom <= now)
                    .Select(o => ToStored(o.Key, o.Value) with { Metadata = null })
                    .Concat(
                        _bucket
                            .Ghosts.Where(g => !ListsAtOnce && g.Until > now && !_bucket.Objects.ContainsKey(g.Stored.Key))
                            .Select(g => g.Stored)
                    )
                    .Where(o =>
                        o.Key.StartsWith(prefix, StringComparison.Ordinal) && (after is null || string.CompareOrdinal(o.Key, after) > 0)
                    )
                    .OrderBy(o => o.Key, StringComparer.Ordinal),
            ];
        }
        foreach (var stored in found)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return stored;
        }
        End(fault);
    }

    protected override async Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken)
    {
        var fault = await BeginAsync("GET", key, cancellationToken);
        byte[] content;
        lock (_bucket)
            content = _bucket.Objects.TryGetValue(key, out var found) ? found.Content : throw Missing(key);
        End(fault);
        var start = (int)Math.Min(offset, content.Length);
        var count = (int)Math.Min(length ?? long.MaxValue, content.Length - start);
        return new DownloadStream(content, start, count, fault?.BreakAfterBytes);
    }

    protected override async Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    )
    {
        using var copy = new MemoryStream();
        await content.CopyToAsync(copy, cancellationToken);
        StoreFault? fault;
        try
        {
            fault = await BeginAsync("PUT", key, cancellationToken);
        }
        catch (LitestreamException) when (_lastFault is { EffectAfterCalls: > 0 } late)
        {
            _late.Add((Calls.Count + late.EffectAfterCalls, key, copy.ToArray(), options));
            throw;
        }
        if (fault is { EffectAfterCalls: > 0 })
            _late.Add((Calls.Count + fault.EffectAfterCalls, key, copy.ToArray(), options));
        StoredObject stored;
        lock (_bucket)
        {
            var present = _bucket.Objects.GetValueOrDefault(key);
            if ((options.IfAbsent && present is not null) || (options.IfTag is { } tag && present?.Tag != tag))
                throw new LitestreamException(LitestreamError.Conflict, $"memory: condition of {key} does not hold") { Path = key };
            stored = ToStored(key, Store(key, copy.ToArray(), options.Timestamp));
        }
        End(fault);
        return stored;
    }

    protected override async Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken)
    {
        var fault = await BeginAsync("HEAD", key, cancellationToken);
        StoredObject? stored;
        lock (_bucket)
            stored = _bucket.Objects.TryGetValue(key, out var found) ? ToStored(key, found) : null;
        End(fault);
        return stored;
    }

    protected override async Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        var fault = await BeginAsync("DELETE", keys.First(), cancellationToken);
        lock (_bucket)
        {
            foreach (var key in keys)
            {
                if (_bucket.Objects.Remove(key, out var removed) && ListingDelay > TimeSpan.Zero)
                    _bucket.Ghosts.Add((ToStored(key, removed) with { Metadata = null }, _time.GetUtcNow() + ListingDelay));
            }
        }
        End(fault);
    }

    private static void End(StoreFault? fault)
    {
        if (fault is { Exception: { } exception, AfterEffect: true })
            throw exception;
    }

    private static LitestreamException Missing(string key) => new(LitestreamError.NotFound, $"memory: no object {key}") { Path = key };

    private static StoredObject ToStored(string key, Entry entry) =>
        new(key, entry.Content.Length, entry.Modified, entry.Tag, entry.Metadata);

    private Entry Store(string key, byte[] content, DateTimeOffset? timestamp)
    {
        var now = _time.GetUtcNow();
        var metadata = new Dictionary<string, string>();
        if (timestamp is { } time)
            metadata[StoredTimestamp.MetadataKey] = StoredTimestamp.Format(time);
        var listedFrom = _bucket.Objects.TryGetValue(key, out var old) ? old.ListedFrom : now + ListingDelay;
        var entry = new Entry(content, now, Convert.ToHexStringLower(SHA256.HashData(content))[..32], metadata, listedFrom);
        _bucket.Objects[key] = entry;
        return entry;
    }

    private void TakeLate(int number)
    {
        foreach (var late in _late.Where(l => l.Call <= number).ToList())
        {
            _late.Remove(late);
            lock (_bucket)
            {
                var present = _bucket.Objects.GetValueOrDefault(late.Key);
                if ((late.Options.IfAbsent && present is not null) || (late.Options.IfTag is { } tag && present?.Tag != tag))
                    continue;
                Store(late.Key, late.Content, late.Options.Timestamp);
            }
        }
    }

    private async Task<StoreFault?> BeginAsync(string operation, string key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StoreCall call;
        lock (Calls)
        {
            call = new StoreCall(operation, key, Calls.Count);
            Calls.Add(call);
        }
        var fault = _lastFault = Fault?.Invoke(call);
        TakeLate(call.Number);
        if (Latency > TimeSpan.Zero)
            await Task.Delay(Latency, _time, cancellationToken);
        if (fault is { Exception: { } exception, AfterEffect: false })
            throw exception;
        return fault;
    }

    private sealed record Entry(
        byte[] Content,
        DateTimeOffset Modified,
        string Tag,
        IReadOnlyDictionary<string, string> Metadata,
        DateTimeOffset ListedFrom
    );

    private sealed class Bucket
    {
        public SortedDictionary<string, Entry> Objects { get; } = new(StringComparer.Ordinal);

        public List<(StoredObject Stored, DateTimeOffset Until)> Ghosts { get; } = [];
    }

    /// <summary>Reads like a network: forwards only, in small pieces, and breaks off when told.</summary>
    private sealed class DownloadStream(byte[] content, int start, int count, long? breakAfter) : Stream
    {
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int length) => Read(buffer.AsSpan(offset, length));

        public override int Read(Span<byte> buffer)
        {
            if (_position >= breakAfter)
                throw StoreFault.Failure();
            var length = (int)Math.Min(Math.Min(buffer.Length, count - _position), (breakAfter ?? long.MaxValue) - _position);
            content.AsSpan(start + _position, length).CopyTo(buffer);
            _position += length;
            return length;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int length, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, length), cancellationToken).AsTask();

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return ValueTask.FromResult(Read(buffer.Span));
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int length) => throw new NotSupportedException();
    }
}
