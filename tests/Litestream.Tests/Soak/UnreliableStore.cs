using System.Runtime.CompilerServices;
using Litestream.Replicas;

namespace Litestream.Tests.Soak;

/// <summary>A real store whose answers are sometimes lost: before anything happened, after it did, or in the middle of a download.</summary>
/// <param name="inner">The store; owned.</param>
/// <param name="seed">Which answers.</param>
internal sealed class UnreliableStore(ObjectStore inner, int seed) : ObjectStore
{
    private readonly Lock _gate = new();
    private readonly Random _random = new(seed);
    private volatile bool _isCalm;
    private int _faults;

    /// <summary>Answers lost so far.</summary>
    public int Faults => Volatile.Read(ref _faults);

    public override StoreCapabilities Capabilities => inner.Capabilities;

    public override string Kind => inner.Kind;

    public override string Location => inner.Location;

    /// <summary>From now on every answer comes.</summary>
    public void CalmDown() => _isCalm = true;

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected internal override async IAsyncEnumerable<StoredObject> ListCoreAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        Before("list");
        await foreach (var stored in inner.ListAsync(prefix, after, cancellationToken))
            yield return stored;
        After("list");
    }

    protected internal override async Task<Stream> OpenCoreAsync(string key, long offset, long? length, CancellationToken cancellationToken)
    {
        Before(key);
        var stream = await inner.OpenAsync(key, offset, length, cancellationToken);
        if (!Happens())
            return stream;
        await using (stream)
        {
            // What was read so far, and then the line is dead.
            var part = new byte[1000];
            var count = await stream.ReadAsync(part, cancellationToken);
            return new BrokenStream(part[..count], () => Lost(key));
        }
    }

    protected internal override async Task<StoredObject> PutCoreAsync(
        string key,
        Stream content,
        PutOptions options,
        CancellationToken cancellationToken
    )
    {
        Before(key);
        var stored = await inner.PutAsync(key, content, options, cancellationToken);
        After(key);
        return stored;
    }

    protected internal override async Task<StoredObject?> HeadCoreAsync(string key, CancellationToken cancellationToken)
    {
        Before(key);
        return await inner.HeadAsync(key, cancellationToken);
    }

    protected internal override async Task DeleteCoreAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        Before("delete");
        await inner.DeleteAsync(keys, cancellationToken);
        After("delete");
    }

    private void Before(string what)
    {
        if (Happens())
            throw Lost(what);
    }

    private void After(string what)
    {
        if (Happens())
            throw Lost(what);
    }

    private bool Happens()
    {
        if (_isCalm)
            return false;
        lock (_gate)
        {
            if (_random.Next(20) != 0)
                return false;
        }
        Interlocked.Increment(ref _faults);
        return true;
    }

    private static LitestreamException Lost(string what) =>
        new(LitestreamError.Unavailable, $"the answer about {what} was lost") { IsTransient = true };

    private sealed class BrokenStream(byte[] start, Func<Exception> failure) : MemoryStream(start, writable: false)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Position < Length ? await base.ReadAsync(buffer, cancellationToken) : throw failure();
    }
}
